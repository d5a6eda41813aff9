# Everything that was measured in one file to read, `snakemake --cores 2 report`; not made unless asked for.
rule report:
    input:
        needs("report", "report"),
        tables=ancient([*TABLES, f"{run.folder}/claims.csv", *FIGURES]),
    output:
        manifest=run.manifest("report", "report"),
        page=f"{run.folder}/report.html",
    resources:
        mem_mb=2000,
    params:
        order=run.order("report", "report"),
    message:
        "Writing the report"
    shell:
        "{sys.executable:q} -m glitchmark.report {params.order:q} {output.manifest:q}"
