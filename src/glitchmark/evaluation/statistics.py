"""Comparing methods over data sets, models and seeds.

Demsar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006). A block is one data set, model
and seed, in which every method is measured once; a table of values has a row a block and a column a method, higher is
better, and NaN where a method failed or was not run.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

BLOCK = ("dataset", "model", "seed")
RESAMPLES, LEVEL = 2000, 0.95  # of bootstrap intervals


class Interval(NamedTuple):
    """A mean with its bootstrap interval; the bounds are NaN where there are fewer than two values."""

    mean: float
    lower: float
    upper: float


class Ranks(NamedTuple):
    """Average ranks of methods, 1 for the best, over the n_blocks complete blocks; n_incomplete were left out."""

    ranks: pd.Series
    n_blocks: int
    n_incomplete: int


class Friedman(NamedTuple):
    """Friedman's chi-square, Iman and Davenport's F, and the p value of the F."""

    chi2: float
    f: float
    p_value: float


def mean_interval(values: np.ndarray) -> Interval:
    """Mean of float (n,) values and its percentile bootstrap interval. NaN values do not count."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Interval(float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    return Interval(float(values.mean()), *bootstrap_interval(values[None])[0].tolist())


def bootstrap_interval(values: np.ndarray) -> np.ndarray:
    """Percentile bootstrap interval of each row's mean, (rows, 2), of values (rows, n).

    The draws are the same for all rows. Of few values few draws differ, and each counts as often as it was drawn;
    scipy.stats.bootstrap, row by row, takes minutes for the tables of a large run.
    """
    n = values.shape[1]
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES)  # how often each value is drawn
    drawn, times = np.unique(drawn, axis=0, return_counts=True)
    bounds = np.empty((len(values), 2))
    for start in range(0, len(values), 1024):  # of which all means are held at a time
        means = values[start : start + 1024] @ (drawn.T / n)
        order = means.argsort(axis=1)
        reached = np.cumsum(times[order], axis=1) / RESAMPLES
        for i, share in enumerate(((1 - LEVEL) / 2, (1 + LEVEL) / 2)):
            place = np.take_along_axis(order, (reached >= share).argmax(axis=1)[:, None], axis=1)
            bounds[start : start + 1024, i] = np.take_along_axis(means, place, axis=1)[:, 0]
    return bounds


def paired(rows: pd.DataFrame, by: tuple[str, ...] = BLOCK) -> pd.DataFrame:
    """Values by block and method, from rows of metrics.parquet of one metric; a method's draws are averaged.

    A method without a model (a detector that reads only inputs) counts for every model of its data set and seed.
    """
    table = rows.pivot_table(index=list(by), columns="method", values="value", aggfunc="mean", dropna=False)
    table = table.dropna(how="all") if len(table) else table
    if "model" not in by or "" not in table.index.get_level_values("model"):
        return table
    without = table.xs("", level="model")
    table = table.drop(index="", level="model")
    if table.empty:
        return without
    for method in without.columns[without.notna().any()]:
        matched = without[method].reindex(table.index.droplevel("model")).to_numpy()
        table[method] = table[method].fillna(pd.Series(matched, table.index))
    return table


def run_everywhere(rows: pd.DataFrame) -> list[str]:
    """The methods that have a row, with a value or failed, in every block; see paired."""
    asked = paired(rows.assign(value=1.0))
    return list(asked.columns[asked.notna().all()])


def compare(values: pd.DataFrame) -> pd.DataFrame:
    """Every pair of methods by Wilcoxon's signed-rank test, with Holm's correction over all pairs.

    values: blocks x methods. One row a pair: first, second, n_blocks (where both have a value), n_incomplete,
    difference (mean of first - second), wins, ties, losses of the first, statistic (the smaller rank sum), p_value
    (two-sided), p_holm. Ranks of zero differences are split between both sums, as Demsar does (Sec. 3.1.3).
    """
    rows = []
    for first, second in combinations(values.columns, 2):
        both = values[[first, second]].dropna()
        differences = (both[first] - both[second]).to_numpy()
        statistic, p_value = _signed_rank(differences)
        rows.append(
            {
                "first": first, "second": second, "n_blocks": len(both), "n_incomplete": len(values) - len(both),
                "difference": differences.mean() if len(both) else np.nan,
                "wins": int((differences > 0).sum()), "ties": int((differences == 0).sum()),
                "losses": int((differences < 0).sum()), "statistic": statistic, "p_value": p_value,
            }
        )  # fmt: skip
    columns = [
        "first", "second", "n_blocks", "n_incomplete", "difference", "wins", "ties", "losses", "statistic", "p_value",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    table["p_holm"] = holm(table["p_value"].to_numpy(float))
    return table


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's adjusted p values, float (n,); NaN stays NaN and is not counted as a test."""
    from statsmodels.stats.multitest import multipletests

    adjusted = np.full(len(p_values), np.nan)
    known = ~np.isnan(p_values)
    if known.any():
        adjusted[known] = multipletests(p_values[known], method="holm")[1]
    return adjusted


def bayesian_signed_rank(a: np.ndarray, b: np.ndarray, *, rope: float = 0.01, seed: int = 0) -> dict[str, float]:
    """Probabilities that a is better, that both are within ``rope`` of each other, and that b is better.

    a, b: float (n,), paired and complete. Benavoli, Corani, Demsar and Zaffalon, JMLR 18 (2017).
    """
    import baycomp

    better, equal, worse = baycomp.SignedRankTest.probs(np.asarray(a), np.asarray(b), rope, random_state=seed)
    return {"first": float(better), "equal": float(equal), "second": float(worse)}


def average_ranks(values: pd.DataFrame) -> Ranks:
    """Average ranks over the blocks in which every method has a value; ties share their ranks.

    values: blocks x methods, higher is better. Ranks are NaN where no block is complete.
    """
    complete = values.dropna()
    ranks = stats.rankdata(-complete.to_numpy(float), axis=1)
    mean = ranks.mean(axis=0) if len(ranks) else np.full(values.shape[1], np.nan)
    return Ranks(pd.Series(mean, values.columns), len(complete), len(values) - len(complete))


def friedman(found: Ranks) -> Friedman:
    """Whether methods differ at all, from their average ranks (Demsar, Sec. 3.2.2; without a correction for ties).

    Raises ValueError for fewer than two methods or blocks.
    """
    k, n = len(found.ranks), found.n_blocks
    if k < 2 or n < 2:
        raise ValueError(f"Friedman's test needs two methods and two complete blocks, not {k} and {n}")
    chi2 = 12 * n / (k * (k + 1)) * (float((found.ranks**2).sum()) - k * (k + 1) ** 2 / 4)
    left = n * (k - 1) - chi2
    f = (n - 1) * chi2 / left if left > 0 else np.inf  # 0 where all blocks rank the methods alike
    return Friedman(chi2, f, float(stats.f.sf(f, k - 1, (k - 1) * (n - 1))))


def critical_difference(n_methods: int, n_blocks: int, *, level: float = 0.05) -> float:
    """How far average ranks of two methods must lie apart to differ: Nemenyi's test (Demsar, Sec. 3.2.2)."""
    q = stats.studentized_range.ppf(1 - level, n_methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_methods * (n_methods + 1) / (6 * n_blocks)))


def _signed_rank(differences: np.ndarray) -> tuple[float, float]:
    """The smaller rank sum and its two-sided p value; NaN without differences, p = 1 where all are zero."""
    if not len(differences):
        return np.nan, np.nan
    if not differences.any():
        return len(differences) * (len(differences) + 1) / 4, 1.0
    found = stats.wilcoxon(differences, zero_method="zsplit")
    return float(found.statistic), float(found.pvalue)
