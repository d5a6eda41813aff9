"""The quantities that a claim can be about, as functions of the means of columns over blocks.

Each takes a, b: float (..., k), means of the columns of both sides, and returns float (...,). Of several columns in a
side, the best mean counts: a set of methods is represented by the method that is best on average, chosen anew in every
bootstrap resample, not by the best one of each block, which nobody could choose beforehand.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from glitchmark.claims.files import Claim
from glitchmark.claims.selection import BLOCK, Blocks, Missing, blocks_of, rows_of
from glitchmark.claims.tables import SCORE_COLUMNS, Tables

LOOKED_UP = ("dataset", "model", "glitch", "estimator", "method")  # texts, of which Parquet keeps statistics
OF_CELL = ["run", *(column for column in SCORE_COLUMNS if column not in ("sample_id", "score"))]
CORRELATED = 3  # fewer pairs have no correlation worth the name


def value(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.max(axis=-1)


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.max(axis=-1) - b.max(axis=-1)


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of means, not the mean of ratios, which one block near zero decides; 0 to 0 is 1."""
    return _quotient(a.max(axis=-1), b.max(axis=-1))


def wins(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 where a is ahead, 0 where not; ties count half."""
    return (np.sign(difference(a, b)) + 1) / 2


def rank(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Place of the best column of a among those of b, 1 being the first."""
    return 1 + (b > a.max(axis=-1, keepdims=True)).sum(axis=-1)


def range_(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.max(axis=-1) - a.min(axis=-1)


def spread_ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of the steadiest columns; 0 to 0 is 1."""
    return _quotient(a.min(axis=-1), b.min(axis=-1))


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """From the moments of two columns: a holds the means of x, y, x^2, y^2 and xy; 0 where one is constant."""
    x, y, xx, yy, xy = np.moveaxis(a, -1, 0)
    variances = np.maximum(xx - x**2, 0) * np.maximum(yy - y**2, 0)
    known = variances > 1e-12 * np.maximum(xx * yy, 1e-12)
    return np.where(known, (xy - x * y) / np.sqrt(np.where(known, variances, 1)), 0.0)


STATISTICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "value": value,
    "difference": difference,
    "ratio": ratio,
    "wins": wins,
    "rank": rank,
    "range": range_,
    "slope": value,
    "spread_ratio": spread_ratio,
    "rank_correlation": value,
    "correlation": correlation,
}


def measured(claim: Claim, tables: Tables) -> Blocks:
    """The blocks whose means the claim's quantity is a function of. Raises Missing where rows are missing."""
    if claim.quantity == "slope":
        return _slopes(claim, tables)
    if claim.quantity == "spread_ratio":
        return _spreads(claim, tables)
    if claim.quantity == "correlation":
        return _moments(claim, tables)
    if claim.quantity == "rank_correlation":
        return _rank_correlations(claim, tables)
    blocks = blocks_of(claim, tables)
    if claim.quantity == "range" and len(blocks.columns) < 2:
        raise Missing(f"a second method beside {blocks.columns[0]}")
    if claim.quantity == "wins" and not claim.over:
        ahead = wins(blocks.values[:, : blocks.n_a], blocks.values[:, blocks.n_a :])
        return blocks._replace(values=ahead[:, None], columns=["ahead"], n_a=1)
    return blocks


def statistic(claim: Claim) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The function of the means of the blocks that ``measured`` makes."""
    return value if claim.quantity == "wins" and not claim.over else STATISTICS[claim.quantity]


def _slopes(claim: Claim, tables: Tables) -> Blocks:
    """Least-squares slope over the axis, one a block; blocks with one point on the axis are incomplete."""
    rows = rows_of(claim, claim.a, tables)
    key = [c for c in BLOCK if c in rows and c != claim.axis and c not in claim.a]
    means = rows.groupby([*key, claim.axis], sort=False)["value"].mean().dropna().reset_index()
    x, y = means[claim.axis], means["value"]
    by = [means[column] for column in key]
    centred = x - x.groupby(by).transform("mean")
    parts = pd.DataFrame({"xx": centred**2, "xy": centred * y}).groupby(by, sort=False).sum()
    slopes = (parts["xy"] / parts["xx"]).where(parts["xx"] > 0)
    kept = slopes.dropna()
    if kept.empty:
        raise Missing(f"a second value of {claim.axis}")
    failed = int(rows["status"].str.startswith("failed").sum())
    return Blocks(
        kept.to_numpy()[:, None], ["slope"], 1, kept.index.to_frame(index=False), len(slopes) - len(kept), failed,
        tuple(dict.fromkeys(rows["run"])),
    )  # fmt: skip


def _spreads(claim: Claim, tables: Tables) -> Blocks:
    """Standard deviation over seeds, data sets or models, one a block of the others and a column."""
    blocks = blocks_of(claim, tables)
    # what a data set or model has settings of its own for is no block of its own here
    apart = {claim.spread} | ({"data", "training"} if claim.spread != "seed" else set())
    by = [blocks.keys[column] for column in blocks.keys if column not in apart]
    grouped = pd.DataFrame(blocks.values).groupby([column.to_numpy() for column in by], sort=False)
    spread = grouped.std(ddof=1)
    kept = spread.dropna()
    if kept.empty:
        raise Missing(f"a second {claim.spread}")
    keys = kept.index.to_frame(index=False)
    keys.columns = [column.name for column in by]
    return blocks._replace(values=kept.to_numpy(), keys=keys, n_incomplete=len(spread) - len(kept))


def _moments(claim: Claim, tables: Tables) -> Blocks:
    """Ranks of both sides over the blocks, and their products: what Spearman's correlation is made of."""
    blocks = blocks_of(claim, tables)
    if len(blocks.columns) != 2:
        raise Missing("exactly one method on each side")
    if len(blocks.values) < CORRELATED:
        raise Missing(f"{CORRELATED} blocks to correlate; there are {len(blocks.values)}")
    x, y = stats.rankdata(blocks.values, axis=0).T
    return blocks._replace(values=np.column_stack([x, y, x * x, y * y, x * y]), n_a=5)


def _rank_correlations(claim: Claim, tables: Tables) -> Blocks:
    """Spearman's correlation between the scores of both sides over a cell's samples, one a block."""
    # the metrics say which cells there are; their scores are read only then
    named = claim._replace(where=claim.where | {"metric": "f1"})
    blocks = blocks_of(named, tables)
    for side in (claim.a, claim.b):
        names = rows_of(named, side, tables)[["method", "estimator"]].drop_duplicates()
        if len(names) != 1:
            raise Missing("exactly one method and estimator on each side")
    scores = []
    for side in (claim.a, claim.b):
        rows = rows_of(named, side, tables)
        filters = [(column, "in", set(rows[column])) for column in LOOKED_UP]
        stored = tables.scores(filters, tuple(dict.fromkeys(rows["run"])))
        scores.append(stored.merge(rows[OF_CELL].drop_duplicates(), on=OF_CELL))
    key = ["data", "training", *(c for c in SCORE_COLUMNS if c != "score")]
    both = scores[0].merge(scores[1], on=key, suffixes=("_a", "_b"))
    grouped = both.groupby([c for c in key if c != "sample_id"], sort=False)
    found = grouped[["score_a", "score_b"]].apply(_spearman).dropna()
    if found.empty:
        raise Missing("cells with the scores of both")
    n = blocks.n_incomplete + len(blocks.values) - len(found)
    return blocks._replace(
        values=found.to_numpy()[:, None], columns=["correlation"], n_a=1, keys=found.index.to_frame(index=False),
        n_incomplete=max(n, 0),
    )  # fmt: skip


def _spearman(scores: pd.DataFrame) -> float:
    """NaN where a score is constant."""
    a, b = stats.rankdata(scores.to_numpy(), axis=0).T
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else np.nan


def _quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(a == b, 1.0, a / b)
