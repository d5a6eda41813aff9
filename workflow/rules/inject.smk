# Glitches, as references to samples with their truth.
rule inject:
    input:
        chunk_input("inject"),
    output:
        f"{run.folder}/manifests/inject/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    params:
        order=f"{run.folder}/plan/inject/{{chunk}}-{{digest}}.json",
    message:
        "Injecting glitches into {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
