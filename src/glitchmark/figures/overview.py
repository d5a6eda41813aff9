"""Every method on every glitch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("overview", title="Every method on every glitch", reference="own")
def overview(metrics: pd.DataFrame, *, metric: str = "f1") -> Figure:
    """Mean of a metric over data sets, models and seeds, a row a method and a column a glitch; the best comes first.

    Methods of your own are among them. Where there are several influence estimators, each has its rows. The largest
    validation ratio counts. Cells that failed are left out, and counted below the axes.
    """
    import matplotlib

    matplotlib.use("Agg")
    import seaborn as sns  # over a second to import
    from matplotlib.figure import Figure

    from glitchmark.evaluation.selection import of_cleanest_validation
    from glitchmark.figures._bars import LABELS, WIDTH, failures_note
    from glitchmark.figures._lines import empty

    rows = of_cleanest_validation(metrics[(metrics["metric"] == metric) & (metrics["class"] == "")])
    rows = rows[rows["validation_ratio"] == rows.groupby(["method", "estimator"])["validation_ratio"].transform("max")]
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows.empty:
        return empty(note or f"not run: any cell with the metric '{metric}'")
    names = rows["method"].map(lambda name: LABELS.get(name, name))
    if rows.loc[rows["estimator"] != "", "estimator"].nunique() > 1:
        names += rows["estimator"].map(lambda name: f" · {name}" if name else "")
    glitches = rows["glitch"] + rows["ratio"].map(" {:g}".format)
    table = rows.assign(method=names, glitch=glitches).pivot_table(
        index="method", columns="glitch", values="value", aggfunc="mean", sort=False
    )
    table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    drawn = Figure(figsize=(WIDTH, 1.0 + 0.16 * len(table)), layout="constrained")
    axes = drawn.subplots()
    sns.heatmap(
        table, vmin=0, vmax=1, cmap="cividis", annot=True, fmt=".2f", annot_kws={"size": 6}, cbar=False, ax=axes,
        linewidths=0.3,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.tick_params(labelsize=7, length=0)
    axes.tick_params(axis="x", labeltop=True, labelbottom=False)
    for label in axes.get_xticklabels():
        label.set(rotation=30, ha="left", rotation_mode="anchor")
    if note:
        drawn.supxlabel(note, fontsize=6, color="#A00000", wrap=True)
    return drawn
