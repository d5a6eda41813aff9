# Glitches in the training data, with their truth; and noise in the labels of the validation data.
rule inject:
    input:
        chunk_input("inject"),
    output:
        f"{run.folder}/manifests/inject/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    params:
        order=f"{run.folder}/plan/inject/{{chunk}}-{{digest}}.json",
    message:
        "Injecting glitches into {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule validation:
    input:
        chunk_input("validation"),
    output:
        f"{run.folder}/manifests/validation/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    params:
        order=f"{run.folder}/plan/validation/{{chunk}}-{{digest}}.json",
    message:
        "Labels of noisy validation data of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
