# What frozen layers compute, once for all cells that share it.
rule features:
    input:
        chunk_input("features"),
    output:
        f"{run.folder}/manifests/features/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=4000,
        gpu=run.gpu,
    params:
        order=f"{run.folder}/plan/features/{{chunk}}-{{digest}}.json",
    message:
        "Features of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
