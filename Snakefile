# The default grid; --configfile and --config lay others over it.
configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/pretrain.smk"


localrules:
    all,


rule all:
    input:
        TABLES,
        FIGURES,
        SHEETS,
        manifests=[
            run.manifest("samples", "samples"),
            run.manifest("evaluate", "tables"),
            run.manifest("claims", "claims"),
            *[run.manifest("figures", part) for part in run.names("figures")],
        ],
    message:
        "Checking that no cell failed"
    shell:
        "{sys.executable:q} -m glitchmark.summary {input.manifests:q}"
