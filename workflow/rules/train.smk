# Fine-tuning to factors, the cross-validated predictions that some detectors read, and training on repaired data.
rule train:
    input:
        chunk_input("train"),
    output:
        f"{run.folder}/manifests/train/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=4000,
        gpu=run.gpu,
    params:
        order=f"{run.folder}/plan/train/{{chunk}}-{{digest}}.json",
    message:
        "Training {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule crossval:
    input:
        chunk_input("crossval"),
    output:
        f"{run.folder}/manifests/crossval/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=4000,
        gpu=run.gpu,
    params:
        order=f"{run.folder}/plan/crossval/{{chunk}}-{{digest}}.json",
    message:
        "Cross-validating {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule retrain:
    input:
        chunk_input("retrain"),
    output:
        f"{run.folder}/manifests/retrain/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=4000,
        gpu=run.gpu,
    params:
        order=f"{run.folder}/plan/retrain/{{chunk}}-{{digest}}.json",
    message:
        "Training on repaired data of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
