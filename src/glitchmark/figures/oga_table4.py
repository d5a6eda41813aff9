"""Outlier gradient analysis, Table 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd


@figure(
    "oga_table4",
    title="Test accuracy after trimming, with standard deviations",
    form="table",
    reference="Chhabra et al., ICML 2025, Table 4",
)
def oga_table4(metrics: pd.DataFrame, *, methods: tuple[str, ...] = (), budget: float = 0.05) -> pd.DataFrame:
    """Test accuracy in per cent after each method's most suspicious 5 % were removed, by noise;
    mean over data sets and models ± standard deviation over seeds."""
    from glitchmark.figures._outlier_gradients import after_trimming
    from glitchmark.figures._rows import over_seeds, percent, spread
    from glitchmark.figures._tables import not_there

    rows = after_trimming(metrics, methods, budget)
    if rows.empty:
        return not_there(f"not run: training after removing {100 * budget:g} %; config/gradient-outliers.yaml has it")
    rows = rows.assign(noise=rows["modality"] + "s, " + rows["noise"])
    table = over_seeds(rows, ["name", "noise"])
    return spread(table, ["name"], "noise", percent(table)).rename(columns={"name": "method"})
