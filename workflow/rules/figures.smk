def drawing(figure):
    """A figure's files, which stay until new ones take their place; its picture goes into Snakemake's report."""
    own = Path(workflow.basedir) / "workflow" / "report" / f"{figure['name']}.rst"
    caption = str(own) if own.is_file() else None  # a figure of the user's own has none
    about = {
        "caption": caption,
        "category": "Tables" if figure["form"] == "table" else "Figures",
        "labels": {"figure": figure["id"], "title": figure["title"]},
    }
    files = dict(figure["files"])
    files["png"] = report(files["png"], **about)
    return [update(path) for path in files.values()]


FIGURES = [
    path
    for part in run.names("figures")
    for figure in run.chunks["figures", part].order["figures"]
    for path in figure["files"].values()
]

# Some figures a job, which draws those that are not there yet. A rule each, since a figure's files are called like the
# figure and the job's manifest like its key.
for part in run.names("figures"):

    rule:
        name:
            f"figures_{part.replace('-', '_')}"
        input:
            needs("figures", part),
            tables=ancient(TABLES),
        output:
            manifest=run.manifest("figures", part),
            files=[
                path
                for figure in run.chunks["figures", part].order["figures"]
                for path in drawing(figure)
            ],
        resources:
            mem_mb=2000,
        params:
            order=run.order("figures", part),
        message:
            f"Drawing figures, {part}"
        shell:
            "{sys.executable:q} -m glitchmark.figures {params.order:q} {output.manifest:q}"
