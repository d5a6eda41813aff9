"""Estimators against leave-one-out retraining."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STYLES = ("-", (0, (3, 1.5)), (0, (1, 1)))


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
    import seaborn as sns  # over a second to import

    from glitchmark.figures._lines import empty, label, legend, panels

    rows = series[(series["series"] == "agreement") & (series["glitch"] == glitch)].dropna(subset="value")
    if rows.empty:
        return empty(f"not run: a 'reference' in the config, such as loo, with the glitch '{glitch}'")
    datasets, estimators = list(rows["dataset"].unique()), list(rows["estimator"].unique())
    palette = dict(zip(estimators, sns.color_palette("colorblind", len(estimators)).as_hex(), strict=True))
    drawn, axes = panels(datasets)
    for panel, dataset in zip(axes, datasets, strict=True):
        for i, name in enumerate(estimators):
            mine = rows[(rows["dataset"] == dataset) & (rows["estimator"] == name)]
            # curves may coincide: their styles differ, and those below are wider
            sns.ecdfplot(
                mine,
                x="value",
                color=palette[name],
                linestyle=STYLES[i % len(STYLES)],
                ax=panel,
                linewidth=2.4 - 1.4 * i / len(estimators),
            )
        panel.set_xlim(min(0, rows["value"].min()), 1)
    label(axes, "Spearman correlation", "share of samples")
    legend(drawn, palette, {}, STYLES)
    return drawn
