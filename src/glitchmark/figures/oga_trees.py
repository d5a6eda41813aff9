"""Outlier gradient analysis, Table 8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd


@figure(
    "oga_trees",
    title="Outlier gradients by number of trees",
    form="table",
    reference="Chhabra et al., ICML 2025, Table 8",
)
def oga_trees(metrics: pd.DataFrame, *, glitch: str = "uniform", budget: float = 0.05) -> pd.DataFrame:
    """Test accuracy after trimming, and detection, of isolation forests of several sizes; per cent, mean over data
    sets and models ± standard deviation over seeds.

    Forests are the methods called gradient_iforest and gradient_iforest_<anything>, whose parameter is ``estimators``.
    """
    import pandas as pd

    from glitchmark import registry
    from glitchmark.figures._rows import matching, of_largest_validation, over_seeds, parameter, percent
    from glitchmark.figures._tables import not_there

    default = registry.load("signal", "gradient_iforest").parameters["estimators"]
    rows = matching(metrics, glitch=glitch, **{"class": ""})
    rows = rows[rows["method"].str.fullmatch(r"gradient_iforest(_\w+)?")]
    trimmed = matching(rows, metric="test_accuracy", action="remove", budget=budget)
    rows = pd.concat([trimmed, of_largest_validation(matching(rows, metric=["f1", "average_precision"], action=""))])
    rows = rows.assign(trees=parameter(rows, "estimators", default).astype(int))
    if rows["trees"].nunique() < 2:
        return not_there("not run: gradient_iforest with several numbers of trees, its parameter 'estimators'")
    table = over_seeds(rows.sort_values("trees", kind="stable"), ["trees", "metric"])
    told = dict(zip(zip(table["trees"], table["metric"], strict=True), percent(table), strict=True))
    shown = {"test_accuracy": "test accuracy", "f1": "F1", "average_precision": "average precision"}
    lines = [
        {"trees": trees} | {name: told.get((trees, metric), "–") for metric, name in shown.items()}
        for trees in table["trees"].unique()
    ]
    return pd.DataFrame(lines)
