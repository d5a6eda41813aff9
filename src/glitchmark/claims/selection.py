"""From a table to blocks: which rows a claim is about, and which of them belong together."""

from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from glitchmark.claims.files import TABLES, Claim
from glitchmark.claims.tables import SETTINGS, Tables

# What a claim is about where it does not say otherwise
DEFAULTS = {
    "modality": ["image", "table"], "class": "", "action": "", "validation_noise": 0, "method": "",
    "validation_ratio": "largest",
}  # fmt: skip
# filters in this order: "largest" is that of the rows which the others leave
ORDER = (
    "modality", "dataset", "model", "glitch", "ratio", "estimator", "method", "variant",
    "class", "action", "budget", "validation_noise", "x", "validation_ratio",
)  # fmt: skip
ANY_OF = ("modality", "dataset", "model", "glitch", "class")  # of several, those that were run; all of other columns
EMPTY_FITS = ("estimator", "model")  # a method that reads none has none, and fits any
BLOCK = ("dataset", "model", "glitch", "ratio", "estimator", "method", "budget", "seed", *SETTINGS)
JOINS_ALL = ("model", "estimator", "method", "training")  # where empty, a row belongs to all blocks that fit otherwise
SNAPPED = ("budget",)  # shares of the samples: of few samples, the nearest whole number is off by up to CLOSE
CLOSE = 0.005


class Missing(Exception):
    """A table lacks the rows that a claim needs; the message says which."""


class Blocks(NamedTuple):
    """values: float (n, k), one row a complete block, the first n_a columns of side a; columns: their names.

    keys: the blocks' columns. n_incomplete: blocks that lack a value. n_failed: failed rows. runs: that have rows.
    """

    values: np.ndarray
    columns: list[str]
    n_a: int
    keys: pd.DataFrame
    n_incomplete: int
    n_failed: int
    runs: tuple[str, ...]


def rows_of(claim: Claim, side: dict[str, Any], tables: Tables) -> pd.DataFrame:
    """Rows of one side of a claim. Raises Missing where a filter, or a name that it lists, leaves none."""
    filters = DEFAULTS | claim.where | side
    if claim.table == "costs" and "method" not in claim.where | side:
        del filters["method"]
    named, parts = TABLES[claim.table], tables.parts[claim.table]
    names = filters[named] if isinstance(filters[named], list) else [filters[named]]
    lacking = [name for name in names if name not in parts]
    if lacking:
        raise Missing(f"{named} {', '.join(lacking)}")
    rows = pd.concat([parts[name] for name in names]) if len(names) > 1 else parts[names[0]]
    places = np.arange(len(rows))
    for column in ORDER:
        if column in filters and column in rows:
            places = _filtered(rows, places, column, filters[column])
    rows = rows.take(places)
    for column in ORDER:
        if column in filters and column in rows and column in SNAPPED:
            rows = rows.assign(**{column: _nearest(rows[column].to_numpy(float), filters[column])})
    return rows


def blocks_of(claim: Claim, tables: Tables) -> Blocks:
    """The paired values of both sides.

    A block is a data set, model, glitch, ratio, seed and so on, except for what a side fixes for itself. Each method
    of a side (and each estimator, where the side names some) is a column; its rows in a block are averaged, and costs
    summed. Raises Missing.
    """
    sides = [claim.a, claim.b] if claim.b else [claim.a]
    found = [rows_of(claim, side, tables) for side in sides]
    fixed = {*claim.a, *claim.b}
    key = [column for column in BLOCK if column in found[0] and column not in fixed]
    if "method" not in claim.where or claim.table == "costs":
        key = [column for column in key if column != "method"]
    parts, names, sizes = [], [], []
    for side, rows in zip(sides, found, strict=True):
        columns = [c for c in ("method", "estimator") if c in side and claim.table != "costs"]
        for name, of_column in rows.groupby(columns, sort=False) if columns else [((), rows)]:
            names.append(" ".join(part for part in name if part))
            parts.append(_by_block(of_column, key, "sum" if claim.table == "costs" else "mean"))
        sizes.append(len(parts))
    values = _joined(parts)
    complete = values.dropna(subset=range(len(parts)))
    rows = pd.concat(found)
    failed = int(rows["status"].str.startswith("failed").sum()) if "status" in rows else 0
    if complete.empty:
        raise Missing("no block in which all of them have a value" + (f" ({failed} rows failed)" if failed else ""))
    keys = complete.drop(columns=range(len(parts)))
    runs = tuple(dict.fromkeys(rows["run"]))
    numbers = complete[list(range(len(parts)))].to_numpy(float)
    return Blocks(numbers, names, sizes[0], keys, len(values) - len(complete), failed, runs)


def _filtered(rows: pd.DataFrame, places: np.ndarray, column: str, wanted: Any) -> np.ndarray:
    """Those of the places, int (k,), whose rows fit."""
    values = rows[column].take(places)
    if column == "validation_ratio" and wanted == "largest":
        groups = [rows[name].take(places) for name in ("run", "method", "estimator")]
        return places[(values == values.groupby(groups).transform("max")).to_numpy()]
    listed = wanted if isinstance(wanted, list) else [wanted]
    if isinstance(listed[0], str):
        names = values.unique()
        if column in EMPTY_FITS and set(names) == {""}:
            return places
        out = {name for w in listed if w.startswith("!") for name in names if fnmatchcase(name, w[1:])}
        fitting = {w: [n for n in names if fnmatchcase(n, w) and n not in out] for w in listed if not w.startswith("!")}
        lacking = [w for w, fits in fitting.items() if not fits]
        if lacking and (column not in ANY_OF or len(lacking) == len(fitting)):
            raise Missing(f"{column} {', '.join(w or '(none)' for w in lacking)}")
        kept = {name for fits in fitting.values() for name in fits} | ({""} if column in EMPTY_FITS else set())
        return places[values.isin(kept).to_numpy()]
    numbers = values.to_numpy(float)
    close = abs(numbers - _nearest(numbers, listed)) <= (CLOSE if column in SNAPPED else 1e-9)
    if not close.any():
        raise Missing(f"{column} {', '.join(map(str, listed))}")
    return places[close]


def _nearest(numbers: np.ndarray, wanted: Any) -> np.ndarray:
    """For each number that of the wanted ones which is nearest."""
    listed = np.atleast_1d(np.array(wanted, float))
    return listed[abs(numbers[:, None] - listed).argmin(axis=1)]


def _by_block(rows: pd.DataFrame, key: list[str], how: str) -> pd.DataFrame:
    """One value a block, in the key's columns that say anything; NaN where all of its rows failed."""
    key = [column for column in key if column not in JOINS_ALL or (rows[column] != "").any()]
    return rows.groupby(key, sort=False)["value"].agg(how, **({"min_count": 1} if how == "sum" else {})).reset_index()


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Side by side, columns 0 to k - 1; what has fewer key columns belongs to all blocks that fit."""
    parts = [part.rename(columns={"value": i}) for i, part in enumerate(parts)]
    first, *others = sorted(parts, key=lambda part: -part.shape[1])
    for part in others:
        key = [column for column in part if column in first and not isinstance(column, int)]
        same = len(key) == sum(not isinstance(column, int) for column in first)
        first = first.merge(part, on=key, how="outer" if same else "left")
    return first
