# The default grid; --configfile and --config lay others over it.
configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"


localrules:
    all,


rule all:
    input:
        [run.manifest("figure", name) for name in run.names("figure")],
        figure_files(),
        tables=run.manifest("evaluate", "tables"),
    message:
        "Checking that no cell failed"
    shell:
        "{sys.executable:q} -m glitchmark.summary {input.tables:q}"
