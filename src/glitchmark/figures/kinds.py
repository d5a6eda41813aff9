"""Mixtures, by kind of glitch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("kinds", title="Average precision inside mixtures, by kind of glitch", reference="own")
def kinds(metrics: pd.DataFrame, *, methods: tuple[str, ...] = (), glitch: str = "mixed") -> Figure:
    """Average precision of the mislabeled and of the anomalous samples of a mixture, each against the clean ones.

    Mean over data sets and models with the 95 % interval over seeds; "all" counts both kinds. methods: all if none are
    named.
    """
    from glitchmark.figures._panels import GREY, Mark, dot_figure, dots, mark_handles
    from glitchmark.figures._rows import best_first, matching, of_largest_validation, with_intervals, with_names
    from glitchmark.figures._style import KINDS, empty, failures_note, legend_above, not_run, note_below

    marks = {
        "": Mark("all", GREY, "D"),
        "mislabeled": Mark("mislabeled", KINDS["mislabeled"], "o"),
        "anomalous": Mark("anomalous", KINDS["anomalous"], "^"),
    }
    rows = matching(metrics, metric="average_precision", glitch=glitch, action="", **{"class": list(marks)})
    rows = of_largest_validation(rows[rows["method"].isin(methods)] if methods else rows)
    note = failures_note(rows[rows["class"] == ""])
    rows = rows.dropna(subset="value")
    if not (rows["class"] != "").any():
        what = f"average precision by kind in the mixture '{glitch}'"
        return empty(note or not_run(what, "config.yaml", metrics))
    table = with_intervals(with_names(rows).assign(mark=rows["class"]), ["name", "mark"])
    order = best_first(table[table["mark"] == ""])
    marks = {key: mark for key, mark in marks.items() if key in set(table["mark"])}
    drawn, (axes,) = dot_figure(order, len(marks), [""])
    dots(axes, table, order, marks)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("average precision", fontsize=8)
    note_below(drawn, note)
    legend_above(drawn, mark_handles(marks), [mark.label for mark in marks.values()])
    return drawn
