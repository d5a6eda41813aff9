# The default grid; --configfile and --config lay others over it.
configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/pretrain.smk"


localrules:
    all,


rule all:
    input:
        [run.manifest("figure", name) for name in run.names("figure")],
        [
            f"{run.figures}/{name}.{kind}"
            for name in run.names("figure")
            for kind in ("pdf", "png")
        ],
        TABLES,
        SHEETS,
        samples=run.manifest("samples", "samples"),
        manifest=run.manifest("evaluate", "tables"),
    message:
        "Checking that no cell failed"
    shell:
        "{sys.executable:q} -m glitchmark.summary {input.manifest:q}"
