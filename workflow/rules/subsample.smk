# Pools, and the stratified subsets drawn from them.
rule pool:
    input:
        chunk_input("pool"),
    output:
        f"{run.folder}/manifests/pool/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=f"{run.folder}/plan/pool/{{chunk}}-{{digest}}.json",
    message:
        "Loading {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule subset:
    input:
        chunk_input("subset"),
    output:
        f"{run.folder}/manifests/subset/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    params:
        order=f"{run.folder}/plan/subset/{{chunk}}-{{digest}}.json",
    message:
        "Drawing subsets of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
