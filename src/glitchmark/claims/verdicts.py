"""A claim against the tables: the measured value, its interval and the verdict."""

from typing import Any

import numpy as np
import pandas as pd

from glitchmark.claims.files import Claim
from glitchmark.claims.quantities import measured, statistic
from glitchmark.claims.selection import Blocks, Missing
from glitchmark.claims.tables import Tables

COLUMNS = [
    "id", "source", "sentence", "quantity", "comparison", "threshold", "measured", "lower", "upper", "blocks",
    "incomplete", "failed", "verdict", "missing", "detail", "runs", "note",
]  # fmt: skip
RESAMPLES = 2000
MINIMUM = 3  # blocks, and two in every group, of which an interval is made
VERDICTS = ("holds", "fails", "undecided", "not run")
SIGNS = {"above": ">", "at_least": "≥", "below": "<", "at_most": "≤"}


def check(claims: list[Claim], tables: Tables) -> pd.DataFrame:
    """claims.csv: a row a claim, in the order of the files. lower, upper: of the 95 % bootstrap interval."""
    return pd.DataFrame([_row(claim, tables) for claim in claims], columns=COLUMNS)


def verdict(threshold: dict[str, Any], lower: float, upper: float) -> str:
    """holds: the interval lies wholly on the claimed side; fails: wholly on the other; undecided otherwise, and where
    there is no interval (NaN)."""
    (kind, bound), *_ = threshold.items()
    if np.isnan(lower):
        return "undecided"
    if kind == "between":
        low, high = bound
        inside, outside = low <= lower and upper <= high, upper < low or lower > high
    else:
        inside, outside = {
            "above": (lower > bound, upper <= bound),
            "at_least": (lower >= bound, upper < bound),
            "below": (upper < bound, lower >= bound),
            "at_most": (upper <= bound, lower > bound),
        }[kind]
    return "holds" if inside else "fails" if outside else "undecided"


def _row(claim: Claim, tables: Tables) -> dict[str, Any]:
    row = {
        "id": claim.id, "source": claim.source, "sentence": claim.sentence, "quantity": claim.quantity,
        "comparison": _comparison(claim), "threshold": _in_words(claim.threshold), "measured": np.nan,
        "lower": np.nan, "upper": np.nan, "blocks": 0, "incomplete": 0, "failed": 0, "verdict": "not run",
        "missing": "", "detail": "", "runs": "", "note": claim.note,
    }  # fmt: skip
    try:
        blocks = measured(claim, tables)
        groups = _groups(claim, blocks)
    except Missing as missing:
        return row | {"missing": str(missing)}
    means = np.stack([blocks.values[group].mean(axis=0) for group in groups])
    found = _combined(claim, blocks, means)
    lower, upper = _interval(claim, blocks, groups)
    return row | {
        "measured": float(found), "lower": lower, "upper": upper, "blocks": len(blocks.values),
        "incomplete": blocks.n_incomplete, "failed": blocks.n_failed,
        "verdict": verdict(claim.threshold, lower, upper), "detail": _detail(claim, blocks, groups, means),
        "runs": ", ".join(blocks.runs),
    }  # fmt: skip


def _groups(claim: Claim, blocks: Blocks) -> list[np.ndarray]:
    """Rows of the blocks by the columns of ``over``; all of them where there is none. Raises Missing."""
    if not claim.over:
        return [np.arange(len(blocks.values))]
    lacking = [column for column in claim.over if column not in blocks.keys]
    if lacking:
        raise Missing(f"blocks that differ by {', '.join(lacking)}")
    return list(blocks.keys.reset_index(drop=True).groupby(list(claim.over), sort=False).indices.values())


def _combined(claim: Claim, blocks: Blocks, means: np.ndarray) -> np.ndarray:
    """From the means of groups, float (..., g, k), to the quantity, float (...,)."""
    by_group = statistic(claim)(means[..., : blocks.n_a], means[..., blocks.n_a :])
    if claim.take == "largest":
        return by_group.max(axis=-1)
    return by_group.min(axis=-1) if claim.take == "smallest" else by_group.mean(axis=-1)


def _interval(claim: Claim, blocks: Blocks, groups: list[np.ndarray]) -> tuple[float, float]:
    """95 % percentile interval over resampled blocks, in each group by itself; NaN for too few of them.

    A resample of n blocks is the number of times that each is drawn, so that the means of all resamples are one
    product. Bounds are values of the distribution, since a ratio can be infinite.
    """
    if len(blocks.values) < MINIMUM or min(map(len, groups)) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    means = [
        rng.multinomial(len(g), np.full(len(g), 1 / len(g)), RESAMPLES) / len(g) @ blocks.values[g] for g in groups
    ]
    drawn = np.sort(_combined(claim, blocks, np.stack(means, axis=1)))
    return float(drawn[int(0.025 * RESAMPLES)]), float(drawn[int(0.975 * RESAMPLES) - 1])


def _detail(claim: Claim, blocks: Blocks, groups: list[np.ndarray], means: np.ndarray) -> str:
    """Which group is the extreme one, and which of several methods is the best on average."""
    if claim.take:
        by_group = statistic(claim)(means[..., : blocks.n_a], means[..., blocks.n_a :])
        place = int(by_group.argmax() if claim.take == "largest" else by_group.argmin())
        at = blocks.keys.iloc[groups[place][0]]
        return "at " + ", ".join(f"{column} {at[column]}" for column in claim.over)
    if claim.over or claim.quantity not in ("value", "difference", "ratio"):
        return ""
    sides = ((0, blocks.n_a, "a"), (blocks.n_a, len(blocks.columns), "b"))
    best = [
        f"best of {side}: {blocks.columns[start + int(means[0, start:stop].argmax())]}"
        for start, stop, side in sides
        if stop - start > 1
    ]
    return "; ".join(best)


def _comparison(claim: Claim) -> str:
    """What is computed, in words."""
    parts = [_filters(claim.a, "a")]
    if claim.b:
        parts.append(_filters(claim.b, "b"))
    parts += [_filters(claim.where, "where")] if claim.where else []
    parts += [f"over {claim.axis}"] if claim.axis else []
    parts += [f"spread over {claim.spread}"] if claim.spread else []
    parts += [f"{claim.take or 'share'} of {', '.join(claim.over)}"] if claim.over else []
    return "; ".join(parts)


def _filters(filters: dict[str, Any], name: str) -> str:
    named = (f"{k} {' or '.join(map(_text, v)) if isinstance(v, list) else _text(v)}" for k, v in filters.items())
    return f"{name}: {', '.join(named)}"


def _text(value: Any) -> str:
    return "(none)" if value == "" else str(value)


def _in_words(threshold: dict[str, Any]) -> str:
    (kind, bound), *_ = threshold.items()
    return f"{bound[0]:g} to {bound[1]:g}" if kind == "between" else f"{SIGNS[kind]} {bound:g}"
