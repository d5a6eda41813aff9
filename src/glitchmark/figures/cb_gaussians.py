"""Nguyen-Duc et al., ACL 2023, Figs. 1 and 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "cb_gaussians",
    title="Last-layer gradients of three Gaussians",
    reads=("series",),
    reference="Nguyen-Duc et al., ACL 2023, Figs. 1 and 5",
)
def cb_gaussians(series: pd.DataFrame, *, toy: str = "three_gaussians") -> Figure:
    """The six dimensions of each sample's gradient, in pairs, for the first seed.

    The fill is the true class; mislabeled samples are larger, and their outline is the given class.
    """
    from matplotlib.lines import Line2D

    from glitchmark.figures._panels import CLASSES, GREY, grid
    from glitchmark.figures._style import empty, failures_note, legend_above, note_below

    names = [f"gradient_{i}" for i in range(1, 7)]
    rows = series[(series["dataset"] == toy) & series["series"].isin(names)]
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows.empty:
        return empty(note or f"not run: the toy '{toy}'; the config names it under toys")
    rows = rows[rows["seed"] == rows["seed"].min()]
    gradient = rows.pivot_table(index=["x", "class"], columns="series", values="value").reset_index()
    classes = gradient["class"].str.split("-", expand=True).astype(int).to_numpy()
    true, observed = classes.T
    drawn, axes = grid([f"dimensions {i} and {i + 1}" for i in (1, 3, 5)], columns=3, height=2.0)
    wrong = true != observed
    for i, panel in zip((1, 3, 5), axes, strict=True):
        for shown, size, width in ((~wrong, 8, 0), (wrong, 18, 1.1)):
            fill, edge = ([CLASSES[c % len(CLASSES)] for c in of[shown]] for of in (true, observed))
            panel.scatter(
                gradient.loc[shown, f"gradient_{i}"], gradient.loc[shown, f"gradient_{i + 1}"], s=size, c=fill,
                edgecolors=edge, linewidths=width, alpha=0.9,
            )  # fmt: skip
    there = sorted(set(true) | set(observed))
    handles = [Line2D([], [], color=CLASSES[c % len(CLASSES)], marker="o", linestyle="", markersize=4) for c in there]
    handles.append(Line2D([], [], color="white", markeredgecolor=GREY, marker="o", linestyle="", markersize=5))
    note_below(drawn, note)
    legend_above(drawn, handles, [*(f"class {c}" for c in there), "mislabeled: outline is the given class"])
    return drawn
