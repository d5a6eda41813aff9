def caption(name):
    """The report's caption for a figure; a figure of the user's own has none."""
    path = Path(workflow.basedir) / "workflow" / "report" / f"{name}.rst"
    return str(path) if path.is_file() else None


# One job a figure. A rule each, since a figure's files are called like the figure and its manifest like its key.
for name in run.names("figure"):

    rule:
        name:
            f"figure_{name}"
        input:
            needs("figure", name),
            metrics=ancient(f"{run.folder}/metrics.parquet"),
        output:
            manifest=run.manifest("figure", name),
            pdf=report(
                f"{run.figures}/{name}.pdf",
                caption=caption(name),
                category="Figures",
                labels={"figure": name},
            ),
            png=f"{run.figures}/{name}.png",
        resources:
            mem_mb=1000,
        params:
            order=run.order("figure", name),
        message:
            f"Drawing {name}"
        shell:
            "{sys.executable:q} -m glitchmark.figures {params.order:q} {output.pdf:q} {output.png:q} {output.manifest:q}"
