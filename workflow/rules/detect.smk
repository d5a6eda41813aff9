# One baseline detector over the cells of a data set.
rule detect:
    input:
        chunk_input("detect"),
    output:
        f"{run.folder}/manifests/detect/{{chunk}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=chunk_order("detect"),
    message:
        "Detecting with {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
