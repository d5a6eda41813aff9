# One signal over all cells.
rule score:
    input:
        chunk_input("score"),
    output:
        f"{run.folder}/manifests/score/{{chunk}}.json",
    params:
        order=chunk_order("score"),
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    message:
        "Scoring with {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
