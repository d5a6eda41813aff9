"""The run's tables, from the entries of its measurements.

Columns are those of docs/tables.md; rows are in the order of the grid, so that equal runs give equal bytes.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from glitchmark.evaluation import metrics
from glitchmark.evaluation.cells import Block, Cell, Draw, Line, Result, Scores, Truth
from glitchmark.evaluation.costs import Node
from glitchmark.evaluation.measures import (
    ACCURACY,
    DETECTION,
    FIT,
    GIVEN,
    GIVEN_METRICS,
    MODELS,
    of_draw,
    of_scores,
    once,
    toy_labels,
)
from glitchmark.evaluation.sample_rows import sample_rows
from glitchmark.evaluation.series import SERIES, Curve
from glitchmark.store import Store

OF_CELL = ("dataset", "model", "glitch", "ratio", "seed")


class Tables:
    """Reads a run's store. order: the measurements and settings, as the plan wrote them."""

    def __init__(self, order: dict[str, Any]):
        self.order, self.store = order, Store(order["store"])
        self.measurements: list[dict[str, Any]] = order["measurements"]
        self.whole: Draw = (order["settings"]["validation"], 0)  # what is told of a model is of all validation samples
        self._given: dict[str, list[str]] = {}

    def cells(self) -> Iterator[Cell]:
        """What the tables say, one cell after another: every result is read once, and those of one cell are held."""
        for _, group in groupby(self.measurements, key=lambda m: tuple(m["labels"][name] for name in OF_CELL)):
            of_cell = list(group)
            truth, failure = self._truth(of_cell[0]) if of_cell[0]["inject"] else (None, None)
            results = [self._result(m, failure) for m in of_cell]
            yield self._cell(results, truth)

    def _cell(self, results: list[Result], truth: Truth | None) -> Cell:
        methods = [result for result in results if result.draws and result.failure is None]
        scores = Scores.of(methods, truth) if methods else None
        measured = iter(of_scores(scores, truth) if methods else ())
        blocks, lines = [], []
        for result in results:
            if result.stage in SERIES:
                lines += _lines(result, truth)
            if result.failure is not None:
                blocks += self._failed(result, truth)
            elif result.draws:
                blocks += next(measured)
            elif result.stage in MODELS:
                blocks += MODELS[result.stage](result, self.whole, truth)
        kinds = set() if truth is None else set(np.unique(truth.kind[truth.glitched]).tolist())
        return Cell(results[0].labels["glitch"], kinds, blocks, lines, sample_rows(scores, truth) if methods else None)

    def failures(self) -> dict[str, str]:
        """Key -> reason of every node that failed."""
        return {node.key: node.failure for node in self.nodes if node.failure is not None}

    @cached_property
    def nodes(self) -> list[Node]:
        """What every stored result of the run says of itself, inputs before what reads them."""
        return [Node.of(self.store.open(key)) for key in self.order["nodes"]]

    def _truth(self, m: dict[str, Any]) -> tuple[Truth | None, str | None]:
        """The truth of a measurement's cell, or the reason why there is none."""
        inject, pool = self.store.open(m["inject"]), self.store.open(m["pool"])
        failure = inject.failure or pool.failure
        return (Truth(inject, pool, m["labels"]["control"]), None) if failure is None else (None, failure)

    def _result(self, m: dict[str, Any], failure: str | None) -> Result:
        """failure: of the truth, which a result that cells share need not depend on."""
        entry, draws = self.store.open(m["key"]), [tuple(draw) for draw in m["rows"]]
        return Result(m["labels"], m["stage"], draws, entry, entry.failure or failure)

    def _failed(self, result: Result, truth: Truth | None) -> Iterator[Block]:
        """Rows without a value, of what a failed measurement would have told."""
        told: list[tuple[Draw, list[tuple[str, str]]]] = []
        if result.draws:
            of_draw, once = self._score_names(result.labels["method"], truth)
            told = [(draw, of_draw + (once if i == result.largest else [])) for i, draw in enumerate(result.draws)]
        elif result.stage == "train":
            # without training data, which kinds there would have been is not known
            kinds = ["clean"] if truth is None else [kind for kind, _ in metrics.by_kind(truth.kind)]
            names = [("", name) for name in ACCURACY] + [(kind, name) for kind in kinds for name in FIT]
            names += [("mislabeled", "true_label_accuracy")] if "mislabeled" in kinds else []
            told = [(self.whole, names)]
        elif result.stage == "toy":
            told = [((0.0, 0), [("", "test_accuracy")])]
        elif result.stage in MODELS:
            told = [(self.whole, [("", name) for name in ACCURACY])]
        for draw, names in told:
            yield Block(result.labels, draw, names, np.full(len(names), np.nan), result.status)

    def _score_names(self, method: str, truth: Truth | None) -> tuple[list, list]:
        """Class and metric of what a method's scores would have told: for each draw, and once."""
        if truth is None:
            return [("", name) for name in DETECTION], []
        nothing = np.empty((0, len(truth.ids)))
        order = nothing.astype(int)
        names = list(once(truth, nothing, order))
        for name in self._given_by(method):
            names += GIVEN_METRICS[name](truth, np.empty(nothing.shape, GIVEN[name]), order)
        return list(of_draw(truth, nothing, order)), names

    def _given_by(self, method: str) -> list[str]:
        """What a method's first result that did not fail holds beside scores; nothing where all failed."""
        if method not in self._given:
            of_method = (m for m in self.measurements if m["rows"] and m["labels"]["method"] == method)
            entries = (self.store.open(m["key"]) for m in of_method)
            arrays = next((entry.arrays for entry in entries if entry.failure is None), ())
            self._given[method] = [name for name in GIVEN if name in arrays]
        return self._given[method]


def _lines(result: Result, truth: Truth | None) -> Iterator[Line]:
    """The curves of a result; of one that failed, one point without a value for each."""
    curves, names = SERIES[result.stage]
    if result.failure is not None:
        return (Line(result.labels, Curve(name, [np.nan], [np.nan]), result.status) for name in names)
    labels = toy_labels(result) if result.stage == "toy" else result.labels
    found = curves(result.entry, None if truth is None else truth.kind)
    return (Line(labels, curve, result.status) for curve in found)
