"""costs.parquet: what every stored result took."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from glitchmark.evaluation.cells import CELL
from glitchmark.store import Entry

PARAMETERS = {"train": "trained", "crossval": "trained", "features": "frozen"}  # of a stage, which are counted
TRAINING = ("dataset", "modality", "model", "glitch", "ratio", "seed")
# what a result without rows of its own is named by, out of the cell of the first measurement that reads it
SHARED = {
    "pool": ("dataset", "modality"),
    "subset": ("dataset", "modality", "seed"),
    "inject": ("dataset", "modality", "glitch", "ratio", "seed"),
    "validation": ("dataset", "modality", "validation_noise", "seed"),
    "features": ("dataset", "modality", "model"),
    "crossval": TRAINING,
    "matrix": TRAINING,
    "influence": (*TRAINING, "estimator", "validation_noise"),
}


class Node(NamedTuple):
    """What the table of costs needs of a stored result. named: columns of a cell that are in its spec."""

    key: str
    stage: str
    named: dict[str, Any]
    inputs: list[str]
    cost: dict[str, float]
    parameters: float
    failure: str | None

    @classmethod
    def of(cls, entry: Entry) -> "Node":
        """From a stored result."""
        record = entry.record
        stage, spec = record["stage"], record["spec"]
        counted = stage in PARAMETERS and entry.failure is None
        parameters = entry.info["parameters"][PARAMETERS[stage]] if counted else np.nan
        named = {name: spec[name] for name in ("dataset", "seed") if name in spec}
        inputs = list(record["inputs"].values())
        return cls(entry.key, stage, named, inputs, record["cost"], parameters, entry.failure)


def cost_table(nodes: list[Node], measurements: list[dict[str, Any]]) -> pd.DataFrame:
    """Seconds, CPU seconds, peak memory and parameters of every node, with what it is about. What several cells share
    is named by the first of them."""
    labels: dict[str, dict[str, Any]] = {}
    for m in measurements:
        labels.setdefault(m["key"], m["labels"])
    rows: dict[str, dict[str, Any]] = {}
    for node in nodes:  # inputs come before what reads them
        cell = dict.fromkeys(CELL) | node.named
        if node.key in labels:
            cell |= {column: labels[node.key][column] for column in CELL}
            for read in (rows[key] for key in node.inputs):
                if read["stage"] in SHARED and read["modality"] is None:
                    read |= {column: cell[column] for column in SHARED[read["stage"]]}
        rows[node.key] = {
            "stage": node.stage, **cell, "key": node.key, **node.cost, "parameters": node.parameters,
        }  # fmt: skip
    return pd.DataFrame(list(rows.values()))
