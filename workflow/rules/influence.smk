# Factors to influence: class sums, influence by checkpoint, whole matrices of small data and how they agree.
rule influence:
    input:
        chunk_input("influence"),
    output:
        f"{run.folder}/manifests/influence/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=f"{run.folder}/plan/influence/{{chunk}}-{{digest}}.json",
    message:
        "Influence of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule dynamics:
    input:
        chunk_input("dynamics"),
    output:
        f"{run.folder}/manifests/dynamics/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=f"{run.folder}/plan/dynamics/{{chunk}}-{{digest}}.json",
    message:
        "Influence by checkpoint of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule matrix:
    input:
        chunk_input("matrix"),
    output:
        f"{run.folder}/manifests/matrix/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=4000,
    params:
        order=f"{run.folder}/plan/matrix/{{chunk}}-{{digest}}.json",
    message:
        "Reference influence of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule agreement:
    input:
        chunk_input("agreement"),
    output:
        f"{run.folder}/manifests/agreement/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=4000,
    params:
        order=f"{run.folder}/plan/agreement/{{chunk}}-{{digest}}.json",
    message:
        "Agreement with the reference of {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"


rule pairs:
    input:
        chunk_input("pairs"),
    output:
        f"{run.folder}/manifests/pairs/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=1000,
    params:
        order=f"{run.folder}/plan/pairs/{{chunk}}-{{digest}}.json",
    message:
        "Agreement of gradients in {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
