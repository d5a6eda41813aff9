# Scores and truth to the tables of the run, and the list of what failed.
TABLES = [
    f"{run.folder}/{name}"
    for name in (
        "metrics.parquet",
        "samples.parquet",
        "top.parquet",
        "series.parquet",
        "costs.parquet",
        "summary.csv",
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


# What papers say against what was measured.
rule claims:
    input:
        needs("claims", "claims"),
        tables=ancient(TABLES),
    output:
        manifest=run.manifest("claims", "claims"),
        table=f"{run.folder}/claims.csv",
    resources:
        mem_mb=2000,
    params:
        order=run.order("claims", "claims"),
    message:
        "Checking the papers' claims"
    shell:
        "{sys.executable:q} -m glitchmark.claims {params.order:q} {output.manifest:q}"
