"""The methods of outlier gradient analysis under the paper's names, and test accuracy after trimming."""

import pandas as pd

from glitchmark.figures._rows import matching, of_same_models, with_names, with_noise

BEFORE = "No trimming"
# (method, estimator) as in config/gradient-outliers.yaml -> its name in Chhabra et al., ICML 2025, Tables 1 to 6
NAMES = {
    ("", ""): BEFORE,
    ("cleanlab_margin", ""): "Normalised margin",
    ("cleanlab", ""): "Self-confidence",
    ("cleanlab_entropy", ""): "Confidence-weighted entropy",
    ("neg_mi", "influence_function"): "Exact Hessian",
    ("neg_mi", "grad_dot"): "Gradient tracing",
    ("neg_mi", "lissa"): "LiSSA",
    ("neg_mi", "datainf"): "DataInf",
    ("si", "lissa"): "Self-LiSSA",
    ("si", "datainf"): "Self-DataInf",
    ("gradient_l1", ""): "Outlier gradients (L1)",
    ("gradient_l2", ""): "Outlier gradients (L2)",
    ("gradient_iforest", ""): "Outlier gradients (iForest)",
}


def in_papers_order(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows and a column "name", the paper's names first and in its order, then other methods."""
    pairs = list(zip(rows["method"], rows["estimator"], strict=True))
    other = list(with_names(rows)["name"])
    rows = rows.assign(name=[NAMES.get(pair, label) for pair, label in zip(pairs, other, strict=True)])
    places = {pair: i for i, pair in enumerate(NAMES)}
    place = pd.Series([places.get(pair, len(NAMES)) for pair in pairs], index=rows.index)
    return rows.loc[place.sort_values(kind="stable").index]


def after_trimming(metrics: pd.DataFrame, methods: tuple[str, ...], budget: float) -> pd.DataFrame:
    """Rows of test accuracy after the share ``budget`` was removed and the model was trained anew, and without.

    methods: which, and all if there are none. The columns "name" and "noise" are added. Of untrimmed cells, only those
    in which something was trimmed besides; nothing where nothing was.
    """
    rows = matching(metrics, metric="test_accuracy", **{"class": ""})
    trimmed = matching(rows, action="remove", budget=budget)
    trimmed = trimmed[trimmed["method"].isin(methods)] if methods else trimmed
    before = of_same_models(matching(rows, action="", method=""), trimmed)
    rows = pd.concat([before, trimmed], ignore_index=True)
    return in_papers_order(with_noise(rows))
