"""Nguyen-Duc et al., ACL 2023: how many clean samples are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "cb_clean_samples",
    title="Clean samples of each class, plain and class-based influence",
    reference="Nguyen-Duc et al., ACL 2023, appendix C.2",
)
def cb_clean_samples(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("plain", "class_based"),
    glitch: str = "uniform",
    ratio: float = 0.2,
    metric: str = "f1",
) -> Figure:
    """Detection against the number of clean samples of each class, the parameter per_class, for each estimator.

    The lines are families of methods, e.g. class_based with class_based_10 and class_based_25; those without per_class
    use all clean samples and are left out. Over data sets and models; bands are 95 % intervals over seeds.
    """
    from glitchmark.figures._panels import curves, grid, label, line_handles
    from glitchmark.figures._rows import by_seed, matching, of_largest_validation, parameter
    from glitchmark.figures._style import (
        METRICS,
        empty,
        failures_note,
        label_of,
        legend_above,
        not_run,
        note_below,
        palette_of,
    )

    rows = matching(metrics, metric=metric, glitch=glitch, ratio=ratio, action="", **{"class": ""})
    pattern = rf"({'|'.join(methods)})(?:_\d+)?"
    family = rows["method"].where(rows["method"].str.fullmatch(pattern), "").str.replace(r"_\d+$", "", regex=True)
    rows = rows.assign(family=family, x=parameter(rows, "per_class"))
    rows = of_largest_validation(rows[rows["family"] != ""].dropna(subset="x"))
    note = failures_note(rows)
    means = by_seed(rows, ["estimator", "family", "x"])
    if means.empty:
        what = f"{' or '.join(methods)} with several per_class for '{glitch}', ratio {ratio:g}"
        return empty(note or not_run(what, "config/class-based.yaml", metrics))
    palette = palette_of([name for name in methods if name in set(means["family"])])
    estimators = list(means["estimator"].unique())
    drawn, axes = grid([label_of(name) for name in estimators])
    for panel, estimator in zip(axes, estimators, strict=True):
        curves(panel, means[means["estimator"] == estimator], "family", palette)
        panel.set(ylim=(0, 1.02), xlim=(0, 1.05 * means["x"].max()))
    label(axes, "clean samples a class", METRICS.get(metric, metric))
    note_below(drawn, note)
    legend_above(drawn, line_handles(palette), [label_of(name) for name in palette])
    return drawn
