"""Thresholds that need no truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("thresholds", title="Thresholds without a known number of glitches", reference="own")
def thresholds(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = (),
    glitch: str = "uniform",
    ratio: float = 0.1,
) -> Figure:
    """F1 at the true number of glitches beside thresholds that do not know it, and the share that these flag.

    Mean over data sets and models with the 95 % interval over seeds; the dotted line is the true share. "Own" is what a
    method itself flags. methods: all if none are named.
    """
    from glitchmark.figures._panels import BLUE, GREEN, GREY, ORANGE, PURPLE, Mark, dot_figure, dots, mark_handles
    from glitchmark.figures._rows import best_first, matching, of_largest_validation, with_intervals, with_names
    from glitchmark.figures._style import GLITCHES, empty, failures_note, legend_above, not_run, note_below

    marks = {
        "": Mark("true number", GREY, "D"),
        "gap": Mark("largest gap", BLUE, "o"),
        "mixture": Mark("two-component mixture", ORANGE, "s"),
        "mad": Mark("median absolute deviation", GREEN, "^"),
        "own": Mark("own", PURPLE, "v"),
    }
    names = {f"{metric}_{mark}" if mark else "f1": mark for mark in marks for metric in ("f1", "flagged")}
    rows = matching(metrics, metric=list(names), glitch=glitch, ratio=ratio, action="", **{"class": ""})
    rows = of_largest_validation(rows[rows["method"].isin(methods)] if methods else rows)
    told = rows[rows["metric"] != "f1"]
    rows = rows[rows["method"].isin(told["method"])]
    note = failures_note(rows[rows["metric"] == "f1"])
    if told["value"].notna().sum() == 0:
        what = f"thresholds for {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}"
        return empty(note or not_run(what, "config.yaml", metrics))
    rows = with_names(rows).assign(mark=rows["metric"].map(names), flagged=rows["metric"].str.startswith("flagged"))
    table = with_intervals(rows, ["name", "mark", "flagged"])
    order = best_first(table[table["mark"] == ""])
    marks = {key: mark for key, mark in marks.items() if key in set(table["mark"])}
    drawn, axes = dot_figure(order, len(marks), ["F1", "share flagged"])
    for panel, flagged in zip(axes, (False, True), strict=True):
        dots(panel, table[table["flagged"] == flagged], order, marks)
        panel.set_xlim(-0.02, 1.02)
    axes[1].axvline(ratio, color="0.4", linewidth=0.8, linestyle=":")
    note_below(drawn, note)
    legend_above(drawn, mark_handles(marks), [mark.label for mark in marks.values()])
    return drawn
