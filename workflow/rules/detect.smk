# One baseline detector over the cells of a data set.
rule detect:
    input:
        chunk_input("detect"),
    output:
        f"{run.folder}/manifests/detect/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=f"{run.folder}/plan/detect/{{chunk}}-{{digest}}.json",
    message:
        "Detecting with {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
