"""Rows of the run's tables: which a figure is about, and their means over seeds."""

import re

import numpy as np
import pandas as pd

from glitchmark.evaluation.selection import of_cleanest_validation, of_largest_ratio
from glitchmark.figures._style import interval, label_of

TRAINING = ["dataset", "model", "glitch", "ratio", "seed"]  # what tells one trained model from another
NEAR = 0.006  # budgets that are as good as the same


def matching(rows: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows of real data sets in which every named column has the value, or one of the values; toys are left out."""
    keep = rows["modality"] != "toy"
    for column, value in values.items():
        if isinstance(value, float):
            keep &= np.isclose(rows[column].astype(float), value, atol=NEAR if column == "budget" else 1e-9)
        else:
            keep &= rows[column].isin(list(value) if isinstance(value, list | tuple) else [value])
    return rows[keep]


def of_largest_validation(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each method and estimator, the rows with its largest validation ratio and the least noise in its labels."""
    return of_largest_ratio(of_cleanest_validation(rows))


def of_same_models(rows: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """The rows about models that ``others`` has rows about; repaired ones are compared with these alone."""
    return rows.merge(others[TRAINING].drop_duplicates(), on=TRAINING)


def with_names(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows and a column "name": the method's label, with its estimator where the rows have several."""
    names = rows["method"].map(label_of)
    if rows.loc[rows["estimator"] != "", "estimator"].nunique() > 1:
        names = names + rows["estimator"].map(lambda estimator: f" · {estimator}" if estimator else "")
    return rows.assign(name=names)


def with_noise(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows and a column "noise": the glitch and its ratio."""
    return rows.assign(
        noise=[f"{glitch} {ratio:g}" for glitch, ratio in zip(rows["glitch"], rows["ratio"], strict=True)]
    )


def by_seed(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The mean of "value" for each seed, over data sets, models and validation subsets; failed cells are left out."""
    return rows.dropna(subset="value").groupby([*by, "seed"], sort=False)["value"].mean().reset_index()


def over_seeds(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Columns ``by``, mean, sd (sample standard deviation over seeds, NaN for one), n (cells that were run) and failed
    (cells without a value); each seed counts once."""
    found = rows.assign(failed=rows["status"].str.startswith("failed")).groupby(by, sort=False)["failed"]
    means = by_seed(rows, by).groupby(by, sort=False)["value"].agg(mean="mean", sd="std")
    return pd.DataFrame({"n": found.size(), "failed": found.sum()}).join(means).reset_index()


def with_intervals(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Columns ``by``, mean, and low and high, the bootstrap 95 % interval over seeds; each seed counts once."""
    means = by_seed(rows, by).groupby(by, sort=False)["value"]
    ends = np.array([interval(values) for _, values in means]).reshape(-1, 2)
    return means.mean().rename("mean").reset_index().assign(low=ends[:, 0], high=ends[:, 1])


def best_first(table: pd.DataFrame) -> list[str]:
    """The values of the column "name" by their largest mean, those without one last."""
    largest = table.groupby("name", sort=False)["mean"].max()
    return list(largest.sort_values(ascending=False, kind="stable").index)


def parameter(rows: pd.DataFrame, name: str, default: float = np.nan) -> pd.Series:
    """The number that a method's variant, "key=value,...", has for the parameter; ``default`` where it has none."""
    found = rows["variant"].str.extract(rf"(?:^|,){re.escape(name)}=([0-9.]+)", expand=False)
    return found.astype(float).fillna(default)


def percent(table: pd.DataFrame, sd: bool = True) -> pd.Series:
    """What a table's cell says: the mean in percent with its standard deviation, and how many cells failed, if any."""

    def text(row: pd.Series) -> str:
        if np.isnan(row["mean"]):
            return "failed"
        deviation = f" ± {100 * row['sd']:.1f}" if sd and not np.isnan(row["sd"]) else ""
        failed = f" ({row['failed']} of {row['n']} failed)" if row["failed"] else ""
        return f"{100 * row['mean']:.1f}{deviation}{failed}"

    return table.apply(text, axis=1) if len(table) else pd.Series(dtype=str)


def spread(table: pd.DataFrame, index: list[str], column: str, text: pd.Series) -> pd.DataFrame:
    """Cells laid out, a row for each combination of ``index`` and a column for each value of ``column``, in the order
    in which they come; "–" where nothing was run."""
    cells = table.assign(text=text)
    wide = cells.pivot_table(index=index, columns=column, values="text", aggfunc="first", sort=False, observed=True)
    return wide.fillna("–").rename_axis(columns=None).reset_index()
