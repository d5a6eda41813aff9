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
    reads=("series",),
    reference="Myrtakis et al., KDD 2025, README of the published code: TracIn against Koh and Liang",
)
def loo_correlation(series: pd.DataFrame, *, glitch: str = "uniform") -> Figure:
    """Empirical CDF of the Spearman correlation, over training samples, of each estimator's influence with that of the
    reference, such as leave-one-out retraining; one value a validation sample and seed.

    A curve further to the right is an estimator that agrees better. A panel a data set.
    """
    import seaborn as sns  # over a second to import

    from glitchmark.figures._lines import empty, label, legend, note_failures, panels
    from glitchmark.figures._style import failures_note, not_run

    rows = series[(series["series"] == "agreement") & (series["glitch"] == glitch)]
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows.empty:
        what = f"a 'reference' in the config, such as loo, with the glitch '{glitch}'"
        return empty(note or not_run(what, "config/leave-one-out.yaml", series))
    # what there are several of for a data set is named besides
    parts = {"model": "{}".format, "ratio": "{:g}".format}
    several = [name for name in parts if rows.groupby("dataset")[name].nunique().max() > 1]
    rows = rows.assign(panel=rows["dataset"].str.cat([rows[name].map(parts[name]) for name in several], sep=", "))
    names, estimators = list(rows["panel"].unique()), list(rows["estimator"].unique())
    palette = dict(zip(estimators, sns.color_palette("colorblind", len(estimators)).as_hex(), strict=True))
    drawn, axes = panels(names)
    for panel, name in zip(axes, names, strict=True):
        for i, estimator in enumerate(estimators):
            mine = rows[(rows["panel"] == name) & (rows["estimator"] == estimator)]
            # curves may coincide: their styles differ, and those below are wider
            style, width = STYLES[i % len(STYLES)], 2.4 - 1.4 * i / len(estimators)
            sns.ecdfplot(mine, x="value", color=palette[estimator], linestyle=style, ax=panel, linewidth=width)
        panel.set_xlim(min(0, rows["value"].min()), 1)
    label(axes, "Spearman correlation", "share of samples")
    note_failures(drawn, note)
    legend(drawn, palette, {}, STYLES)
    return drawn
