# Pools, and the stratified subsets drawn from them.
rule pool:
    input:
        chunk_input("pool"),
    output:
        f"{run.folder}/manifests/pool/{{chunk}}.json",
    params:
        order=chunk_order("pool"),
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    message:
        "Loading {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule subset:
    input:
        chunk_input("subset"),
    output:
        f"{run.folder}/manifests/subset/{{chunk}}.json",
    params:
        order=chunk_order("subset"),
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    message:
        "Drawing subsets of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
