"""Outlier gradient analysis, Table 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd


# Chhabra et al., ICML 2025, Table 1: accuracy of outlier detection and after trimming, per cent
PAPER = {
    "": ("Multilayer perceptron", None, 90.0),
    "normalized_margin": ("Normalised margin", 82.0, 89.0),
    "self_confidence": ("Self-confidence", 82.0, 89.0),
    "confidence_weighted_entropy": ("Confidence-weighted entropy", 82.0, 89.0),
    "influence_function": ("Exact Hessian", 90.0, 90.0),
    "grad_dot": ("Gradient tracing", 82.0, 91.0),
    "lissa": ("LiSSA", 82.0, 91.0),
    "datainf": ("DataInf", 82.0, 91.0),
    "self_lissa": ("Self-LiSSA", 82.0, 90.0),
    "self_datainf": ("Self-DataInf", 90.0, 87.0),
    "gradient_iforest": ("Outlier gradients (iForest)", 96.0, 96.0),
    "gradient_l1": ("Outlier gradients (L1)", 98.0, 87.0),
    "gradient_l2": ("Outlier gradients (L2)", 98.0, 87.0),
}


@figure(
    "oga_table1",
    title="Two half-moons: detection, and accuracy after trimming",
    form="table",
    reference="Chhabra et al., ICML 2025, Table 1",
)
def oga_table1(metrics: pd.DataFrame, *, toy: str = "half_moons") -> pd.DataFrame:
    """Share of the samples that are rightly told to be flipped or not, and test accuracy after the flagged ones were
    removed; per cent, mean ± standard deviation over seeds, with the paper's numbers beside."""
    import pandas as pd

    from glitchmark.figures._rows import over_seeds, percent
    from glitchmark.figures._style import label_of
    from glitchmark.figures._tables import not_there

    rows = metrics[(metrics["dataset"] == toy) & metrics["metric"].isin(["detection_accuracy", "trimmed_accuracy"])]
    before = metrics[(metrics["dataset"] == toy) & (metrics["metric"] == "test_accuracy") & (metrics["method"] == "")]
    rows = pd.concat([rows, before.assign(metric="trimmed_accuracy")])
    if rows.empty:
        return not_there(f"not run: the toy '{toy}'; the config names it under toys")
    table = over_seeds(rows, ["method", "metric"])
    told = dict(zip(zip(table["method"], table["metric"], strict=True), percent(table), strict=True))
    methods = [m for m in PAPER if m in set(table["method"])] + [m for m in table["method"].unique() if m not in PAPER]
    lines = []
    for method in methods:
        name, detection, trimmed = PAPER.get(method, (label_of(method), None, None))
        lines.append(
            {
                "method": name,
                "detection": told.get((method, "detection_accuracy"), "–"),
                "detection (paper)": "–" if detection is None else f"{detection:.1f}",
                "after trimming": told.get((method, "trimmed_accuracy"), "–"),
                "after trimming (paper)": "–" if trimmed is None else f"{trimmed:.1f}",
            }
        )
    return pd.DataFrame(lines)
