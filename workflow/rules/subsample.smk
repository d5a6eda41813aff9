# Pools, and the stratified subsets drawn from them.
rule pool:
    input:
        chunk_input("pool"),
    output:
        f"{run.folder}/manifests/pool/{{chunk}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=chunk_order("pool"),
    message:
        "Loading {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule subset:
    input:
        chunk_input("subset"),
    output:
        f"{run.folder}/manifests/subset/{{chunk}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    params:
        order=chunk_order("subset"),
    message:
        "Drawing subsets of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
