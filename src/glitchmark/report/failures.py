"""What failed: each reason once, with the results that it took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from glitchmark.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = 20  # results that are named for a reason
NAMED_BY = ("dataset", "model", "estimator", "glitch", "method", "variant")


class Failure(NamedTuple):
    """results: how many. names: of the first of them, inputs before what reads them."""

    reason: str
    results: int
    names: list[str]


def recorded(folder: Path, stage: str) -> dict[str, str]:
    """What failed of a stage of the run, as its manifests say: key -> reason.

    The manifest of ``evaluate`` names every failed result of the run, that of ``figures`` the failed figures. Raises
    UserError if there is none.
    """
    paths = sorted((folder / "manifests" / stage).glob("*.json"))
    if not paths:
        raise UserError(f"report: {folder}/manifests/{stage} holds no manifest; run the workflow, which writes it.")
    return {key: reason for path in paths for key, reason in json.loads(path.read_text())["failed"].items()}


def grouped(failed: dict[str, str], costs: pd.DataFrame | None) -> list[Failure]:
    """The reasons, the most frequent first. failed: key -> reason. costs: costs.parquet, which names the results."""
    if costs is None:
        names = {key: key for key in failed}
        order = list(failed)
    else:
        rows = costs[costs["key"].isin(list(failed))]
        names = {row["key"]: _name(row) for row in rows.to_dict("records")}
        order = [*names, *(key for key in failed if key not in names)]
    keys: dict[str, list[str]] = {}
    for key in order:
        keys.setdefault(failed[key], []).append(key)
    found = [Failure(reason, len(of), [names.get(key, key) for key in of[:SHOWN]]) for reason, of in keys.items()]
    return sorted(found, key=lambda failure: -failure.results)


def _name(row: dict) -> str:
    """What a person calls a result."""
    parts = [row[column] for column in NAMED_BY if isinstance(row[column], str) and row[column]]
    seed = "" if pd.isna(row["seed"]) else f", seed {row['seed']:.0f}"
    return f"{row['stage']}: {' / '.join(parts)}{seed}"
