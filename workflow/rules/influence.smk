# Factors to class sums.
rule influence:
    input:
        chunk_input("influence"),
    output:
        f"{run.folder}/manifests/influence/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=f"{run.folder}/plan/influence/{{chunk}}-{{digest}}.json",
    message:
        "Influence of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
