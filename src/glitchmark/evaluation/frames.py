"""metrics.parquet and series.parquet, from what is said of all cells."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pandas as pd

from glitchmark.evaluation.cells import CELL, Block, Line

METRIC_COLUMNS = [
    "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_ratio", "subset", "validation_noise",
    "action", "budget", "seed", "method", "variant", "class", "metric", "value", "status",
]  # fmt: skip
SERIES_COLUMNS = [*CELL, "action", "budget", "class", "series", "x", "value", "status"]


def metric_table(blocks: Sequence[Block]) -> pd.DataFrame:
    """metrics.parquet, from the blocks of all cells."""
    told = [column for column in METRIC_COLUMNS if column in (*CELL, "action", "budget")]
    cells = [[block.labels[column] for column in told] + [*block.draw, block.status] for block in blocks]
    frame = _repeated(cells, [*told, "validation_ratio", "subset", "status"], [len(b.values) for b in blocks])
    names = list(chain.from_iterable(block.names for block in blocks))
    frame["class"], frame["metric"] = [group for group, _ in names], [metric for _, metric in names]
    frame["value"] = np.concatenate([np.empty(0), *(block.values for block in blocks)])
    return frame[METRIC_COLUMNS].astype(dict.fromkeys(("ratio", "validation_ratio", "budget"), "float64"))


def series_table(lines: Sequence[Line]) -> pd.DataFrame:
    """series.parquet, from the lines of all cells."""
    told = [*CELL, "action", "budget"]
    cells = []
    for line in lines:
        labels = line.labels | {"method": line.curve.method or line.labels["method"]}
        cells.append([labels[column] for column in told] + [line.curve.group, line.curve.series, line.status])
    frame = _repeated(cells, [*told, "class", "series", "status"], [len(line.curve.x) for line in lines])
    for axis in ("x", "value"):
        parts = (np.asarray(getattr(line.curve, axis), float) for line in lines)
        frame[axis] = np.concatenate([np.empty(0), *parts])
    return frame[SERIES_COLUMNS].astype({"ratio": "float64", "budget": "float64"})


def _repeated(rows: list[list], columns: list[str], counts: list[int]) -> pd.DataFrame:
    """Each row as often as its count says."""
    frame = pd.DataFrame(rows, columns=columns)
    return frame.take(np.repeat(np.arange(len(frame)), counts)).reset_index(drop=True)
