"""Class-based influence functions, appendix E, Fig. 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "cb_training",
    title="Training on noisy, trimmed and annotated data",
    reads=("series",),
    reference="Nguyen-Duc et al., ACL 2023, appendix E, Fig. 3",
)
def cb_training(
    series: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("model_based", "class_based", "cnci", "cleanlab"),
    glitch: str = "uniform",
    ratio: float = 0.0,
    budget: float = 0.1,
    training: str = "restart",
) -> Figure:
    """Test accuracy by epoch after the most suspicious samples were removed or annotated, a panel a data set and model.

    The paper shows accuracy on training data. methods: the first one with retrained models counts. ratio: of the
    glitch, 0 for all. training: "restart" or "continue". Lines are means, bands 95 % intervals over seeds.
    """
    from matplotlib.ticker import MaxNLocator

    from glitchmark.figures._panels import BLUE, GREEN, GREY, ORANGE, curves, grid, label, line_handles
    from glitchmark.figures._rows import by_seed, matching
    from glitchmark.figures._style import empty, failures_note, label_of, legend_above, not_run, note_below

    suffix = {"restart": "", "continue": "_continue"}[training]
    shown = {"": GREY, f"remove{suffix}": ORANGE, f"annotate{suffix}": GREEN, f"perfect{suffix}": BLUE}
    rows = matching(series, series="test_accuracy", glitch=glitch, action=list(shown))
    rows = rows if ratio == 0 else matching(rows, ratio=ratio)
    repaired = matching(rows[rows["method"] != ""], budget=budget)
    method = next((name for name in methods if name in set(repaired["method"])), "")
    rows = rows[(rows["method"] == "") | rows.index.isin(repaired.index[repaired["method"] == method])]
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if method == "" or rows.empty:
        what = f"training after removing or annotating {100 * budget:g} %, glitch '{glitch}', of {', '.join(methods)}"
        return empty(note or not_run(what, "config/class-based.yaml", series))
    rows = rows[rows.groupby(["dataset", "model"])["method"].transform(lambda of: (of == method).any())]
    rows = rows.assign(panel=rows["dataset"].map(label_of) + " · " + rows["model"].map(label_of))
    means = by_seed(rows, ["panel", "action", "x"])
    names = list(means["panel"].unique())
    palette = {action: colour for action, colour in shown.items() if action in set(means["action"])}
    drawn, axes = grid(names, columns=3)
    for panel, name in zip(axes, names, strict=True):
        curves(panel, means[means["panel"] == name], "action", palette)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    label(axes, "epoch", "test accuracy")
    note_below(drawn, note)
    labels = {
        "": "noisy",
        "remove": f"removed, {label_of(method)}",
        "annotate": f"annotated, {label_of(method)}",
        "perfect": "all repaired",
    }
    legend_above(drawn, line_handles(palette), [labels[action.removesuffix("_continue")] for action in palette])
    return drawn
