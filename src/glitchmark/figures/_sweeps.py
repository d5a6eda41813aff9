"""Curves over the ratio of glitches."""

import pandas as pd
from matplotlib.figure import Figure

from glitchmark.figures._bars import select
from glitchmark.figures._lines import dashes_of, empty, label, legend, lines, note_failures, panels
from glitchmark.figures._style import (
    GLITCHES,
    LABELS,
    METRICS,
    MODALITIES,
    failures_note,
    label_of,
    not_run,
    palette_of,
)


def over_ratios(metrics: pd.DataFrame, methods: tuple[str, ...], metric: str, glitch: str, modality: str) -> Figure:
    """One metric of some methods against the ratio of a glitch, a panel a model, means over data sets and seeds."""
    rows = select(metrics, metric=metric, glitch=glitch, modality=modality, method=list(methods))
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows["ratio"].nunique() < 2:
        what = f"{MODALITIES[modality]} with {GLITCHES.get(glitch, glitch)} at two or more ratios"
        return empty(note or not_run(what, "config/sweeps.yaml", metrics))
    # every seed counts once, whatever the number of data sets
    means = rows.groupby(["model", "method", "ratio", "seed"], sort=False)["value"].mean().reset_index()
    means["percent"] = 100 * means["ratio"]
    models = list(means["model"].unique())
    palette = palette_of([method for method in methods if method in set(means["method"])])
    dashes = dashes_of(palette)
    look = {"style": "method", "style_order": list(dashes), "dashes": dashes}
    look |= {"marker": "o", "markersize": 3, "markeredgewidth": 0}
    figure, axes = panels([label_of(model) for model in models])
    for panel, model in zip(axes, models, strict=True):
        mine = means[means["model"] == model]
        lines(panel, mine, "method", palette, "percent", **look)
        panel.set_ylim(0, 1.02)
    label(axes, "glitches, % of the training set", METRICS[metric])
    note_failures(figure, note)
    legend(figure, palette, LABELS, tuple((0, dash) if dash else "-" for dash in dashes.values()))
    return figure
