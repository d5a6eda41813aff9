"""Outlier gradient analysis, Fig. 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


TOYS = {"blobs": "logistic regression", "half_moons": "multilayer perceptron"}
PANELS = ("training set", "test set", "influence", "gradients")


@figure(
    "oga_toys",
    title="Outlier gradients on two toys",
    reads=("series",),
    reference="Chhabra et al., ICML 2025, Fig. 1",
)
def oga_toys(series: pd.DataFrame) -> Figure:
    """Training set, test set, influence scores and gradient space, for a convex and for a non-convex model.

    In data spaces colours are given labels, elsewhere clean and mislabeled; crosses are mislabeled samples. The first
    seed is drawn; gradients are shown in their first two principal components.
    """
    from matplotlib.lines import Line2D

    from glitchmark.figures._panels import GREEN, PURPLE, grid
    from glitchmark.figures._style import KINDS, empty, failures_note, legend_above, note_below

    rows = series[series["dataset"].isin(list(TOYS))]
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows.empty:
        return empty(note or f"not run: the toys {' and '.join(TOYS)}; the config names them under toys")
    rows = rows[rows["seed"] == rows["seed"].min()]
    labels = {0: GREEN, 1: PURPLE}
    toys = [toy for toy in TOYS if toy in set(rows["dataset"])]
    drawn, axes = grid([f"{toy.replace('_', '-')}: {panel}" for toy in toys for panel in PANELS], height=1.5)
    for i, toy in enumerate(toys):
        mine = rows[rows["dataset"] == toy]
        wide = mine.pivot_table(index=["x", "class"], columns="series", values="value").reset_index()
        train, test = wide[wide["class"] != ""], wide[wide["class"] == ""]
        ours = axes[4 * i : 4 * i + 4]
        for kind, marker in (("clean", "o"), ("mislabeled", "x")):
            samples = train[train["class"] == kind]
            style = {"s": 8 if kind == "clean" else 18, "marker": marker, "linewidths": 0.3 if kind == "clean" else 1.2}
            given = samples["train_label"].map(labels)
            # where points are dense, crosses must be seen
            faint = 0.4 if kind == "clean" else 1
            ours[0].scatter(samples["train_x"], samples["train_y"], c=given, alpha=faint, **style)
            ours[2].scatter(samples["x"], samples["influence"], color=KINDS[kind], **style)
            ours[3].scatter(samples["gradient_1"], samples["gradient_2"], color=KINDS[kind], **style)
        ours[1].scatter(test["test_x"], test["test_y"], c=test["test_label"].map(labels), s=8, linewidths=0.3)
        ours[2].axhline(0, color="0.4", linewidth=0.6)
        ours[2].set_xlabel("sample", fontsize=7)
        ours[0].set_ylabel(TOYS[toy], fontsize=8)
    handles = [Line2D([], [], color=colour, marker="s", linestyle="", markersize=4) for colour in labels.values()]
    handles += [Line2D([], [], color=KINDS["clean"], marker="o", linestyle="", markersize=4)]
    handles += [Line2D([], [], color=KINDS["mislabeled"], marker="x", linestyle="", markersize=5)]
    note_below(drawn, note)
    legend_above(drawn, handles, [*(f"label {c}" for c in labels), "clean", "mislabeled (crosses everywhere)"])
    return drawn
