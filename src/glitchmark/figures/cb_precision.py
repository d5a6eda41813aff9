"""Nguyen-Duc et al., ACL 2023, Figs. 3, 6 and 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "cb_precision",
    title="Precision among the most suspicious, plain and class-based influence",
    reference="Nguyen-Duc et al., ACL 2023, Figs. 3, 6 and 7",
)
def cb_precision(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("plain", "class_based"),
    glitch: str = "uniform",
    ratio: float = 0.2,
) -> Figure:
    """Share of mislabeled samples among the top q per cent, for each estimator, over data sets and models.

    Lines are means, bands 95 % intervals over seeds; the dotted line is chance.
    """
    from glitchmark.figures._panels import curves, grid, label, line_handles
    from glitchmark.figures._rows import by_seed, matching, of_largest_validation
    from glitchmark.figures._style import empty, failures_note, label_of, legend_above, not_run, note_below, palette_of

    shares = {f"precision_at_{q}": q for q in (5, 10, 15, 20)}
    rows = matching(metrics, metric=list(shares), method=methods, glitch=glitch, ratio=ratio, action="")
    rows = of_largest_validation(rows)
    note = failures_note(rows)
    means = by_seed(rows.assign(x=rows["metric"].map(shares)), ["estimator", "method", "x"])
    if means.empty:
        what = f"precision at 5 to 20 % of {', '.join(methods)} for '{glitch}', ratio {ratio:g}"
        return empty(note or not_run(what, "config/class-based.yaml", metrics))
    palette = palette_of([method for method in methods if method in set(means["method"])])
    estimators = list(means["estimator"].unique())
    drawn, axes = grid([label_of(name) for name in estimators])
    for panel, estimator in zip(axes, estimators, strict=True):
        curves(panel, means[means["estimator"] == estimator], "method", palette)
        panel.axhline(ratio, color="0.4", linewidth=0.8, linestyle=":")
        panel.set(ylim=(0, 1.02), xticks=list(shares.values()))
    label(axes, "top q % of samples", "precision")
    note_below(drawn, note)
    legend_above(drawn, line_handles(palette), [label_of(name) for name in palette])
    return drawn
