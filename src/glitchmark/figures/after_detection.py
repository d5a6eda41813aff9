"""Accuracy after repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("after_detection", title="Test accuracy after what was found was repaired", reference="own")
def after_detection(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = (),
    glitch: str = "uniform",
    ratio: float = 0.1,
    budget: float = 0.1,
) -> Figure:
    """Accuracy on the untouched test part after the most suspicious samples were removed, given the suggested label or
    that of an annotator, and the model was trained again.

    A panel for training anew and one for training that goes on. The lines are the same models unrepaired (dotted) and
    perfectly repaired (dashed). Mean over data sets and models with the 95 % interval over seeds. methods: all if none
    are named.
    """
    from matplotlib.lines import Line2D

    from glitchmark.figures._panels import BLUE, GREEN, GREY, ORANGE, Mark, dot_figure, dots, mark_handles
    from glitchmark.figures._rows import best_first, by_seed, matching, of_same_models, with_intervals, with_names
    from glitchmark.figures._style import GLITCHES, empty, failures_note, legend_above, not_run, note_below

    marks = {
        "remove": Mark("removed", ORANGE, "s"),
        "relabel": Mark("relabelled", BLUE, "o"),
        "annotate": Mark("annotated", GREEN, "^"),
    }
    rows = matching(metrics, metric="test_accuracy", glitch=glitch, ratio=ratio, **{"class": ""})
    action = rows["action"].str.removesuffix("_continue")
    rows = rows.assign(mark=action, continued=rows["action"] != action)
    repaired = matching(rows, mark=list(marks), budget=budget)
    repaired = repaired[repaired["method"].isin(methods)] if methods else repaired
    note = failures_note(repaired)
    if repaired["value"].notna().sum() == 0:
        what = f"training after repair of {100 * budget:g} % for {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}"
        return empty(note or not_run(what, "config/sweeps.yaml", metrics))
    table = with_intervals(with_names(repaired), ["name", "mark", "continued"])
    order = best_first(table)
    titles = {False: "trained anew", True: "training continued"}
    titles = {of: title for of, title in titles.items() if of in set(table["continued"])}
    marks = {key: mark for key, mark in marks.items() if key in set(table["mark"])}
    drawn, axes = dot_figure(order, len(marks), list(titles.values()))
    unrepaired = rows[(rows["method"] == "") & (rows["action"] == "")]
    for panel, continued in zip(axes, titles, strict=True):
        dots(panel, table[table["continued"] == continued], order, marks)
        perfect = rows[(rows["mark"] == "perfect") & (rows["continued"] == continued)]
        for reference, style in ((unrepaired, ":"), (perfect, "--")):
            same = of_same_models(reference, repaired[repaired["continued"] == continued])
            if same["value"].notna().any():
                panel.axvline(by_seed(same, ["metric"])["value"].mean(), color=GREY, linewidth=1, linestyle=style)
        panel.set_xlabel("test accuracy", fontsize=8)
    note_below(drawn, note)
    handles = [Line2D([], [], color=GREY, linewidth=1, linestyle=style) for style in (":", "--")]
    labels = [*(mark.label for mark in marks.values()), "unrepaired", "perfectly repaired"]
    legend_above(drawn, mark_handles(marks) + handles, labels)
    return drawn
