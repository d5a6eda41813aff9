"""KDD'25, Fig. 3a."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig3a", title="Size of the validation set", reference="Myrtakis et al., KDD 2025, Fig. 3a")
def fig3a(
    metrics: pd.DataFrame,
    *,
    method: str = "cnci",
    glitch: str = "class_dependent",
    ratio: float = 0.1,
    small: float = 0.02,
    large: float = 0.1,
) -> Figure:
    """F1 of CNCI against the share of the samples that are validation data, for class-dependent noise.

    Shown is the data set and model whose mean F1 drops most from 10 % to 2 % validation data, or between the two shares
    nearest to these. Points are means over seeds and draws of validation samples, the band is the bootstrap 95 %
    interval of the mean.
    """
    from glitchmark.evaluation.selection import representative
    from glitchmark.figures._lines import empty, label, lines, note_failures, panels  # over a second to import
    from glitchmark.figures._style import GLITCHES, METRICS, failures_note, label_of, not_run, palette_of

    wanted = {"metric": "f1", "method": method, "glitch": glitch, "ratio": ratio, "class": "", "action": ""}
    rows = metrics
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    rows = representative(rows)
    note, rows = failures_note(rows), rows.dropna(subset="value")
    ratios = rows["validation_ratio"].unique()
    ends = [min(ratios, key=lambda share: abs(share - end)) for end in (small, large)] if len(ratios) else [0, 0]
    if ends[0] == ends[1]:
        what = f"{label_of(method)} with {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}, at two validation ratios"
        return empty(note or not_run(what, "config.yaml", metrics))
    means = rows.groupby(["dataset", "model", "validation_ratio"], sort=False)["value"].mean().unstack()
    drop = means[ends[1]] - means[ends[0]]
    if drop.isna().all():
        return empty(note or not_run("a data set and model with both validation ratios", "config.yaml", metrics))
    dataset, model = drop.idxmax()
    change = f"F1 {-drop.max():+.3f} from {100 * ends[1]:g} % to {100 * ends[0]:g} %".replace("-", "−")
    figure, axes = panels([f"{label_of(dataset)}, {label_of(model)}: {change}"])
    mine = rows[(rows["dataset"] == dataset) & (rows["model"] == model)]
    mine = mine.assign(share=100 * mine["validation_ratio"])
    lines(axes[0], mine, "method", palette_of([method]), "share", marker="o", markersize=4, markeredgewidth=0)
    axes[0].set(ylim=(0, 1.02), xlim=(0, None))
    axes[0].set_xticks([100 * share for share in sorted(mine["validation_ratio"].unique())])
    label(axes, "validation samples, % of the subset", METRICS["f1"])
    note_failures(figure, note)
    return figure
