"""Suggested labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("repair_accuracy", title="Suggested labels that are the true ones", reference="own")
def repair_accuracy(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = (),
    glitch: str = "uniform",
    ratio: float = 0.1,
) -> Figure:
    """Share of the mislabeled samples whose suggested label is the true one: over all of them, and over those among the
    most suspicious.

    Mean over data sets and models with the 95 % interval over seeds. methods: all if none are named.
    """
    from glitchmark.figures._panels import BLUE, ORANGE, Mark, dot_figure, dots, mark_handles
    from glitchmark.figures._rows import best_first, matching, of_largest_validation, with_intervals, with_names
    from glitchmark.figures._style import GLITCHES, empty, failures_note, legend_above, not_run, note_below

    marks = {
        "repair_accuracy": Mark("of all mislabeled samples", BLUE, "o"),
        "repair_accuracy_detected": Mark("of those detected", ORANGE, "D"),
    }
    rows = matching(metrics, metric=list(marks), glitch=glitch, ratio=ratio, action="", **{"class": ""})
    rows = of_largest_validation(rows[rows["method"].isin(methods)] if methods else rows)
    note, rows = failures_note(rows[rows["metric"] == "repair_accuracy"]), rows.dropna(subset="value")
    if rows.empty:
        what = f"methods that suggest labels, for {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}"
        return empty(note or not_run(what, "config.yaml", metrics))
    table = with_intervals(with_names(rows).assign(mark=rows["metric"]), ["name", "mark"])
    order = best_first(table)
    marks = {key: mark for key, mark in marks.items() if key in set(table["mark"])}
    drawn, (axes,) = dot_figure(order, len(marks), [""])
    dots(axes, table, order, marks)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("repair accuracy", fontsize=8)
    note_below(drawn, note)
    legend_above(drawn, mark_handles(marks), [mark.label for mark in marks.values()])
    return drawn
