# What the training data look like: class counts and contact sheets. `snakemake --cores 2 samples` makes these alone.
SHEETS = [
    path
    for cell in run.chunks["samples", "samples"].order["cells"]
    for path in cell["sheets"]
]


rule samples:
    input:
        needs("samples", "samples"),
    output:
        SHEETS,
        f"{run.folder}/class_counts.csv",
        manifest=run.manifest("samples", "samples"),
    resources:
        mem_mb=2000,
    params:
        order=run.order("samples", "samples"),
    message:
        "Showing the samples"
    shell:
        "{sys.executable:q} -m glitchmark.samples {params.order:q} {output.manifest:q}"
