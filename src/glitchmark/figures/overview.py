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
    validation ratio counts. Cells that failed are left out, and counted below the axes; empty where there are none.
    """
    import seaborn as sns  # over a second to import
    from matplotlib.figure import Figure

    from glitchmark.evaluation.selection import of_cleanest_validation, of_largest_ratio
    from glitchmark.figures._style import PAGE, WIDTH, empty, failures_note, label_of, not_run, note_below

    real = (metrics["modality"] != "toy") & (metrics["class"] == "") & (metrics["action"] == "")
    rows = of_cleanest_validation(metrics[real & (metrics["metric"] == metric) & (metrics["method"] != "")])
    rows = of_largest_ratio(rows)
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows.empty:
        return empty(note or not_run(f"any cell with the metric '{metric}' of a method", "config.yaml", metrics))
    names = rows["method"].astype(str).map(label_of)
    if rows.loc[rows["estimator"] != "", "estimator"].nunique() > 1:
        names += rows["estimator"].astype(str).map(lambda name: f" · {name}" if name else "")
    glitches = rows["glitch"].astype(str) + rows["ratio"].map(" {:g}".format)
    table = rows.assign(method=names, glitch=glitches).pivot_table(
        index="method", columns="glitch", values="value", aggfunc="mean", sort=False
    )
    table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    aslant = len(table.columns) <= 6  # names of more glitches stand upright
    above = (0.05 if aslant else 0.065) * max(map(len, table.columns))
    beside = 0.062 * max(map(len, table.index)) + 0.15
    width = min(max(WIDTH, beside + 0.33 * len(table.columns) + above), PAGE)
    drawn = Figure(figsize=(width, 0.3 + above + 0.15 * len(table)), layout="constrained")
    axes = drawn.subplots()
    sns.heatmap(
        table, vmin=0, vmax=1, cmap="cividis", annot=True, fmt=".2f", annot_kws={"size": 6}, cbar=False, ax=axes,
        linewidths=0.3,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.tick_params(labelsize=7, length=0)
    axes.set_yticks([i + 0.5 for i in range(len(table))], table.index, rotation=0)
    axes.set_xticks([i + 0.5 for i in range(len(table.columns))], table.columns)
    axes.tick_params(axis="x", labeltop=True, labelbottom=False)
    for label in axes.get_xticklabels():
        label.set(rotation=40 if aslant else 90, ha="left", va="bottom" if aslant else "center", rotation_mode="anchor")
    note_below(drawn, note)
    return drawn
