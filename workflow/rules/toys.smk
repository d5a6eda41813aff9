# The papers' toy problems, from data to what each method finds.
rule toy:
    input:
        chunk_input("toy"),
    output:
        f"{run.folder}/manifests/toy/{{chunk}}-{{digest}}.json",
    threads: run.config["threads"]
    resources:
        mem_mb=2000,
    params:
        order=f"{run.folder}/plan/toy/{{chunk}}-{{digest}}.json",
    message:
        "Working out the toy problem {wildcards.chunk}"
    shell:
        "{sys.executable:q} -m glitchmark.job {params.order:q} {output:q}"
