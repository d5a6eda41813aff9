# One signal over all cells.
rule score:
    input:
        chunk_input("score"),
    output:
        f"{run.folder}/manifests/score/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    params:
        order=f"{run.folder}/plan/score/{{chunk}}-{{digest}}.json",
    message:
        "Scoring with {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
