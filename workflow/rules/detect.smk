# One baseline detector over the cells of a data set; those that train the model themselves have a rule of their own.
rule detect:
    input:
        chunk_input("detect"),
    output:
        f"{run.folder}/manifests/detect/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=f"{run.folder}/plan/detect/{{chunk}}-{{digest}}.json",
    message:
        "Detecting with {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule refit:
    input:
        chunk_input("refit"),
    output:
        f"{run.folder}/manifests/refit/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=4000,
        gpu=run.gpu,
    params:
        order=f"{run.folder}/plan/refit/{{chunk}}-{{digest}}.json",
    message:
        "Detecting by training of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
