# One job a figure.
rule figure:
    input:
        chunk_input("figure"),
    output:
        pdf=report(
            f"{run.figures}/{{chunk}}.pdf",
            caption="../report/{chunk}.rst",
            category="Figures",
            labels={"figure": "{chunk}"},
        ),
        png=f"{run.figures}/{{chunk}}.png",
        manifest=f"{run.folder}/manifests/figure/{{chunk}}.json",
    resources:
        mem_mb=1000,
    params:
        order=lambda wildcards: run.order("figure", wildcards.chunk),
    message:
        "Drawing {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.figures {params.order:q} {output.pdf:q} {output.png:q} {output.manifest:q}"
