# Scores and truth to the tables of the run, and the list of what failed.
TABLES = [
    f"{run.folder}/{name}"
    for name in (
        "metrics.parquet",
        "samples.parquet",
        "series.parquet",
        "costs.parquet",
        "metrics.csv",
        "notes.json",
    )
]


rule evaluate:
    input:
        needs("evaluate", "tables"),
    output:
        manifest=run.manifest("evaluate", "tables"),
        tables=TABLES,
    resources:
        mem_mb=4000,
    params:
        order=run.order("evaluate", "tables"),
    message:
        "Writing the tables"
    shell:
        "{sys.executable:q} -m glitchmark.evaluation {params.order:q} {output.manifest:q}"
