"""F1 by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("class_f1", title="F1 of detection by class", reference="own")
def class_f1(
    metrics: pd.DataFrame,
    *,
    dataset: str = "",
    methods: tuple[str, ...] = (),
    glitch: str = "uniform",
    ratio: float = 0.1,
) -> Figure:
    """F1, in per cent, among the samples observed in each class, a row a method, the best mean first.

    Mean over models and seeds. dataset: the first one with such rows if none is named. methods: all if none are named.
    """
    import numpy as np
    from matplotlib.figure import Figure

    from glitchmark.figures._rows import matching, of_largest_validation, with_names
    from glitchmark.figures._style import GLITCHES, PAGE, WIDTH, empty, failures_note, label_of, not_run, note_below

    rows = matching(metrics, metric="class_f1", glitch=glitch, ratio=ratio, action="")
    rows = of_largest_validation(rows[rows["method"].isin(methods)] if methods else rows)
    if dataset or len(rows):
        rows = rows[rows["dataset"] == (dataset or rows["dataset"].iloc[0])]
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows.empty:
        what = f"F1 by class for {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}"
        return empty(note or not_run(what, "config.yaml", metrics))
    table = with_names(rows).pivot_table(index="name", columns="class", values="value", sort=False)
    table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    height, width = table.shape
    longest = max(map(len, table.index))
    size = min(PAGE, max(WIDTH, 0.5 + 0.06 * longest + 0.22 * width))
    cell = (size - 0.5 - 0.06 * longest) / width  # inches
    drawn = Figure(figsize=(size, 0.7 + max(0.45, 0.15 * height)), layout="constrained")
    axes = drawn.subplots()
    shades = axes.imshow(table, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    if cell > 0.17:  # a number fits
        for (i, j), value in np.ndenumerate(table.to_numpy()):
            colour = "white" if value < 0.55 else "black"
            text = f"{100 * value:.0f}" if np.isfinite(value) else "–"
            axes.text(j, i, text, ha="center", va="center", fontsize=6, color=colour if text != "–" else "black")
    else:
        drawn.colorbar(shades, ax=axes, fraction=0.05, pad=0.01).ax.tick_params(labelsize=7)
    step = int(np.ceil(0.12 / cell))  # a label needs so much
    axes.set_xticks(range(0, width, step), table.columns[::step])
    axes.set_yticks(range(height), table.index)
    axes.tick_params(labelsize=7, length=0)
    if max(map(len, table.columns)) * 0.065 > cell * step:
        axes.tick_params(axis="x", rotation=90)
    axes.set_xlabel(f"given label, {label_of(rows['dataset'].iloc[0])}", fontsize=8)
    note_below(drawn, note)
    return drawn
