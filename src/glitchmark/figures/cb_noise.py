"""Nguyen-Duc et al., ACL 2023, Figs. 4, 8 and 9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "cb_noise",
    title="Error detection as the noise grows, plain and class-based influence",
    reference="Nguyen-Duc et al., ACL 2023, Figs. 4, 8 and 9",
)
def cb_noise(
    metrics: pd.DataFrame, *, methods: tuple[str, ...] = ("plain", "class_based"), glitch: str = "uniform"
) -> Figure:
    """Share of the flagged samples that are mislabeled if as many are flagged as there are (q = p), for each estimator.

    Over data sets and models; lines are means, bands 95 % intervals over seeds; the dotted line is chance.
    """
    from glitchmark.figures._panels import curves, grid, label, line_handles
    from glitchmark.figures._rows import by_seed, matching, of_largest_validation
    from glitchmark.figures._style import empty, failures_note, label_of, legend_above, not_run, note_below, palette_of

    rows = of_largest_validation(matching(metrics, metric="f1", method=methods, glitch=glitch, action=""))
    note = failures_note(rows)
    means = by_seed(rows.assign(x=100 * rows["ratio"]), ["estimator", "method", "x"])
    if means.empty:
        what = f"F1 of {', '.join(methods)} for '{glitch}' at several ratios"
        return empty(note or not_run(what, "config/class-based.yaml", metrics))
    palette = palette_of([method for method in methods if method in set(means["method"])])
    estimators, noise = list(means["estimator"].unique()), sorted(means["x"].unique())
    drawn, axes = grid([label_of(name) for name in estimators])
    for panel, estimator in zip(axes, estimators, strict=True):
        curves(panel, means[means["estimator"] == estimator], "method", palette)
        panel.plot(noise, [p / 100 for p in noise], color="0.4", linewidth=0.8, linestyle=":")
        panel.set(ylim=(0, 1.02))
    label(axes, "p = q (% of samples)", "F1")
    note_below(drawn, note)
    legend_above(drawn, line_handles(palette), [label_of(name) for name in palette])
    return drawn
