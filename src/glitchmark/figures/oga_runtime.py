"""Outlier gradient analysis, Table 6."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd


@figure(
    "oga_runtime",
    title="Seconds of outlier gradients and of influence",
    form="table",
    reads=("costs", "methods"),
    reference="Chhabra et al., ICML 2025, Table 6",
)
def oga_runtime(
    costs: pd.DataFrame,
    methods: pd.DataFrame,
    *,
    shown: tuple[str, ...] = (
        "neg_mi", "si", "cleanlab", "cleanlab_margin", "cleanlab_entropy", "gradient_l1", "gradient_l2",
        "gradient_iforest",
    ),
) -> pd.DataFrame:  # fmt: skip
    """Median seconds that a method takes for one cell, by data set; the influence, and for CleanLab the
    cross-validation, that it reads is included. The last column is the share of the time of training."""
    import numpy as np

    from glitchmark.figures._costs import method_costs
    from glitchmark.figures._outlier_gradients import in_papers_order
    from glitchmark.figures._tables import not_there

    rows = method_costs(costs, methods)
    rows = in_papers_order(rows[rows["method"].isin(shown)])
    if rows.empty:
        return not_there(f"not run: any of {', '.join(shown)}; config/gradient-outliers.yaml has them")
    wide = rows.pivot_table(index="name", columns="dataset", values="seconds", aggfunc="median", sort=False)
    share = (rows["seconds"] / rows["training"]).groupby(rows["name"]).median()
    wide = wide.map(lambda of: np.format_float_positional(of, precision=3, fractional=False, trim="-"))
    wide["share of training"] = [f"{100 * of:.0f} %" if of == of else "–" for of in share.reindex(wide.index)]
    return wide.rename_axis(index="method", columns=None).reset_index()
