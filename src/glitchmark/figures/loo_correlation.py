"""Estimators against leave-one-out retraining."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "loo_correlation",
    title="Estimated influence against leave-one-out retraining",
    reads="series",
    reference="Myrtakis et al., KDD 2025, README of the published code: TracIn against Koh and Liang",
)
def loo_correlation(series: pd.DataFrame, *, glitch: str = "uniform") -> Figure:
    """Empirical CDF of the Spearman correlation with the reference, over validation samples and seeds.

    A curve further to the right is an estimator that agrees better.
    """
    import seaborn as sns

    from glitchmark.figures._bars import palette_of  # over a second to import
    from glitchmark.figures._lines import empty, label, legend, panels

    rows = series[(series["series"] == "agreement") & (series["glitch"] == glitch)].dropna(subset="value")
    if rows.empty:
        return empty(f"not run: a 'reference' in the config, such as loo, with the glitch '{glitch}'")
    datasets = list(rows["dataset"].unique())
    palette = palette_of(list(rows["estimator"].unique()))
    drawn, axes = panels(datasets)
    for panel, dataset in zip(axes, datasets, strict=True):
        mine = rows[rows["dataset"] == dataset]
        order = [name for name in palette if name in set(mine["estimator"])]
        sns.ecdfplot(
            mine, x="value", hue="estimator", hue_order=order, palette=palette, ax=panel, legend=False, linewidth=1.2
        )
        panel.set_xlim(-1, 1)
    label(axes, "Spearman correlation", "share of samples")
    legend(drawn, palette, {})
    return drawn
