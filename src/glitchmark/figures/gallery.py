"""The most suspicious samples."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.figure import Figure


LABEL, CELL, IMAGE, LINE = 1.05, 0.75, 0.62, 0.1  # inches: method, sample, picture, line of text


@figure("gallery", title="The most suspicious samples", reads=("top", "images"), reference="own")
def gallery(
    top: pd.DataFrame,
    images: Callable,
    *,
    dataset: str = "",
    glitch: str = "",
    methods: tuple[str, ...] = (
        "cnci", "pcid", "cfrank", "loss", "gradient_iforest", "model_based", "cleanlab", "iforest",
    ),
    samples: int = 8,
) -> Figure:  # fmt: skip
    """What each method ranks first, with the given label, the suggested one (after an arrow), and the truth.

    Colours tell what a sample is; where nothing was broken on purpose, the truth is not known. Of the data set and
    glitch, the first model, estimator and seed count. dataset: if none is named, the first one of images; tables are
    listed without pictures. glitch: the first one that broke something if none is named. methods: those that were run.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    from glitchmark.figures._rows import matching
    from glitchmark.figures._style import KINDS, PAGE, empty, label_of, legend_above, not_run

    rows = matching(top)
    rows = rows[rows["method"].isin(methods) & (rows["rank"] <= samples)]
    pictured = rows[rows["modality"] == "image"]
    rows = rows[rows["dataset"] == dataset] if dataset else pictured if len(pictured) else rows
    broken = rows[rows["glitch"] != "none"]
    rows = rows[rows["glitch"] == glitch] if glitch else broken if len(broken) else rows
    if rows.empty:
        what = f"any of {', '.join(methods)}" + (f" on '{dataset}'" if dataset else "")
        return empty(not_run(what + (f" with '{glitch}'" if glitch else ""), "config.yaml", top))
    cell = rows.iloc[0][["dataset", "glitch", "ratio", "seed"]].to_dict()
    rows = matching(rows, **cell)
    for column in ("model", "estimator"):  # "" where a method reads none
        rows = rows[rows[column].isin(["", *[name for name in rows[column].unique() if name][:1]])]
    shown = [name for name in methods if name in set(rows["method"])]
    pictured = rows["modality"].iloc[0] == "image"
    step = (IMAGE if pictured else 0.14) + 3 * LINE + 0.12
    width, height = min(PAGE, LABEL + CELL * samples), step * len(shown)
    drawn = Figure(figsize=(width, height + 0.3), layout="constrained")
    axes = drawn.subplots()
    axes.set(xlim=(0, LABEL + CELL * samples), ylim=(height, 0), aspect="equal")
    axes.set_axis_off()
    for i, method in enumerate(shown):
        mine = rows[rows["method"] == method].sort_values("rank")
        axes.text(0, i * step + 0.3, textwrap.fill(label_of(method), 14), fontsize=8, va="center")
        found = images(**cell, ids=list(mine["sample_id"])) if pictured else [None] * len(mine)
        for j, (sample, image) in enumerate(zip(mine.itertuples(), found, strict=True)):
            left, at = LABEL + CELL * j, i * step
            colour = KINDS[sample.glitch_kind or "clean"] if sample.true_label or sample.glitch_kind else "0.5"
            if pictured:
                axes.imshow(
                    image,
                    extent=(left, left + IMAGE, at + IMAGE, at),
                    cmap="gray",
                    vmin=0,
                    vmax=255,
                    interpolation="nearest",
                )
                axes.add_patch(Rectangle((left, at), IMAGE, IMAGE, fill=False, edgecolor=colour, linewidth=2))
                at += IMAGE + 0.04
            else:
                axes.text(
                    left, at, _cut(sample.name or sample.sample_id.split(":")[-1]), fontsize=6, va="top", weight="bold"
                )
                at += 0.14
            axes.text(left, at, _cut(sample.observed_label), fontsize=6, va="top")
            if sample.suggested_label:
                axes.text(left, at + LINE, _cut(f"→ {sample.suggested_label}"), fontsize=6, va="top")
            truth = f"is {sample.true_label}" if sample.true_label else sample.glitch_kind
            axes.text(left, at + 2 * LINE, _cut(truth), fontsize=6, va="top", color=colour)
    about = f"{label_of(cell['dataset'])}, {cell['glitch']} {cell['ratio']:g}, seed {cell['seed']}"
    axes.set_title(about, fontsize=8, loc="left")
    there = [kind for kind in KINDS if kind in set(rows["glitch_kind"].replace("", "clean"))]
    legend_above(drawn, [Patch(color=KINDS[kind]) for kind in there], there)
    return drawn


def _cut(text: str) -> str:
    """As much of a text as a sample has room for."""
    return text if len(text) <= 15 else text[:14] + "…"
