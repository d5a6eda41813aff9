"""Nguyen-Duc et al., ACL 2023, Figs. 2, 10 and 11."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "cb_pairs",
    title="Gradient products of pairs of clean samples, same class against different classes",
    reads=("series",),
    reference="Nguyen-Duc et al., ACL 2023, Figs. 2, 10 and 11",
)
def cb_pairs(series: pd.DataFrame, *, glitch: str = "uniform") -> Figure:
    """Histograms of Grad-Dot between clean validation samples, a panel a data set.

    Means over models, ratios and seeds, with the products of each cell relative to its largest bin, so that cells of
    different scale can be averaged. Titles tell how many products are positive.
    """
    from glitchmark.figures._panels import BLUE, ORANGE, grid, label, line_handles
    from glitchmark.figures._rows import matching
    from glitchmark.figures._style import empty, failures_note, label_of, legend_above, not_run, note_below

    kinds = {"same": BLUE, "cross": ORANGE}
    rows = matching(series, series=["pair_histogram", "pair_positive"], glitch=glitch, **{"class": list(kinds)})
    note, rows = failures_note(rows), rows.dropna(subset="value")
    bins = rows[rows["series"] == "pair_histogram"]
    if bins.empty:
        return empty(note or not_run(f"pairs of validation samples with '{glitch}'", "config/class-based.yaml", series))
    cell = ["dataset", "model", "ratio", "seed"]
    bins = bins.assign(x=(bins["x"] / bins["x"].abs().groupby([bins[name] for name in cell]).transform("max")).round(6))
    positive = rows[rows["series"] == "pair_positive"].groupby(["dataset", "class"])["value"].mean()
    names = list(bins["dataset"].unique())
    titles = [
        f"{label_of(name)}\npositive: "
        + ", ".join(f"{100 * positive[name, kind]:.0f} % {kind}" for kind in kinds if (name, kind) in positive.index)
        for name in names
    ]
    drawn, axes = grid(titles, columns=3)
    for panel, name in zip(axes, names, strict=True):
        for kind, colour in kinds.items():
            mine = bins[(bins["dataset"] == name) & (bins["class"] == kind)].groupby("x")["value"].mean()
            panel.fill_between(mine.index, mine, step="mid", color=colour, alpha=0.3, linewidth=0)
            panel.step(mine.index, mine, where="mid", color=colour, linewidth=1)
        panel.axvline(0, color="0.4", linewidth=0.6)
        panel.set_ylim(bottom=0)
    label(axes, "product, relative to the largest", "share of pairs")
    note_below(drawn, note)
    legend_above(drawn, line_handles(kinds), ["same class", "different classes"])
    return drawn
