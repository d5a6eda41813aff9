"""What the tables say of one cell, and what they make it from."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from glitchmark.evaluation import metrics
from glitchmark.evaluation.series import Curve
from glitchmark.ranking import tie_break
from glitchmark.store import Entry

# columns that name a cell
CELL = (
    "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_noise", "seed", "method", "variant",
)  # fmt: skip
Draw = tuple[float, int]  # validation ratio and number of the subset


class Truth:
    """What is known of a cell's training samples."""

    def __init__(self, inject: Entry, pool: Entry, control: bool):
        arrays = inject.arrays
        self.ids = np.array(arrays["id"])
        self.ties = tie_break(self.ids)
        self.observed, self.true = np.array(arrays["observed_label"]), np.array(arrays["true_label"])
        self.kind = np.array(arrays["kind"])
        self.glitched, self.control = self.kind != "", control
        self.class_names = np.array([*pool.info["class_names"], ""])  # -1, no class, is the last
        self.names = np.full(len(self.ids), "")
        if "names" in pool.arrays:
            own = self.true >= 0  # added samples come from elsewhere
            self.names = np.where(own, pool.arrays["names"][np.where(own, arrays["row"], 0)], "")


class Result(NamedTuple):
    """A measurement with its stored result. failure: its reason, or that of what the truth comes from; else None."""

    labels: dict[str, Any]
    stage: str
    draws: list[Draw]
    entry: Entry
    failure: str | None

    @property
    def status(self) -> str:
        """As the tables call it."""
        return "ok" if self.failure is None else f"failed: {self.failure}"

    @property
    def largest(self) -> int:
        """Place of the draw that most is told of: the largest validation ratio's first subset."""
        return int(np.argmax([ratio for ratio, _ in self.draws]))


class Scores(NamedTuple):
    """The scores of a cell's methods that did not fail. scores, order: (S, n), a row a draw of a method, see
    metrics.most_suspicious. starts: first row of each method. whole: its row for the largest draw."""

    methods: list[Result]
    scores: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    whole: np.ndarray

    @classmethod
    def of(cls, methods: list[Result], truth: Truth) -> "Scores":
        """From stored results, of which there is at least one."""
        scores = np.concatenate([np.asarray(method.entry.arrays["score"], np.float64) for method in methods])
        starts = np.cumsum([0, *(len(method.draws) for method in methods[:-1])])
        whole = starts + [method.largest for method in methods]
        return cls(methods, scores, metrics.most_suspicious(scores, truth.ties), starts, whole)


class Block(NamedTuple):
    """Rows of metrics.parquet about one model, or about a method with one draw of validation samples.

    names: class and metric of each value. values: float64, as many.
    """

    labels: dict[str, Any]
    draw: Draw
    names: Sequence[tuple[str, str]]
    values: np.ndarray
    status: str


class Line(NamedTuple):
    """Rows of series.parquet about one series."""

    labels: dict[str, Any]
    curve: Curve
    status: str


class Cell(NamedTuple):
    """What the tables say of one cell. kinds: of glitches that are there. samples: None where no method has scores."""

    glitch: str
    kinds: set[str]
    blocks: list[Block]
    lines: list[Line]
    samples: pa.Table | None
