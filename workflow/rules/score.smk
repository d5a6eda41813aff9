# One signal over all cells.
rule score:
    input:
        chunk_input("score"),
    output:
        f"{run.folder}/manifests/score/{{chunk}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    params:
        order=chunk_order("score"),
    message:
        "Scoring with {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
