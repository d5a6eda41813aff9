"""What is measured of a cell's scores and models: blocks of rows of metrics.parquet."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from glitchmark.evaluation import metrics
from glitchmark.evaluation.cells import Block, Draw, Result, Scores, Truth
from glitchmark.evaluation.thresholds import RULES
from glitchmark.store import Entry

DETECTION = ("f1", "precision", "recall", "average_precision", "auroc")
FIT = ("training_loss", "training_accuracy", "training_loss_published")
ACCURACY = ("validation_accuracy", "test_accuracy")
GIVEN = {"suggested": np.int64, "kind": np.str_, "flagged": np.bool_}  # what some methods say beside a score


def of_scores(scored: Scores, truth: Truth) -> Iterator[list[Block]]:
    """What is measured of scores: a list of blocks a method."""
    scores, order, whole = scored.scores, scored.order, scored.whole
    status = np.where((scores == scores[:, :1]).all(axis=1), "constant", "ok").tolist()
    per_draw, at_once = of_draw(truth, scores, order), once(truth, scores[whole], order[whole])
    values, values_once = _stacked(per_draw, len(scores)), _stacked(at_once, len(whole))
    for i, method in enumerate(scored.methods):
        blocks = []
        for j, draw in enumerate(method.draws):
            row = scored.starts[i] + j
            names, told = list(per_draw), values[row]
            if j == method.largest:
                given = _of_given(truth, method.entry, j, order[row : row + 1])
                names += [*at_once, *given]
                told = np.concatenate([told, values_once[i], *given.values()])
            blocks.append(Block(method.labels, draw, names, told, status[row]))
        yield blocks


def of_draw(truth: Truth, scores: np.ndarray, order: np.ndarray) -> metrics.Metrics:
    """What is measured for every draw of validation samples; nothing where nothing is broken."""
    return metrics.detection(scores, order, truth.glitched) if truth.glitched.any() else {}


def once(truth: Truth, scores: np.ndarray, order: np.ndarray) -> metrics.Metrics:
    """What is measured besides for the largest validation ratio's first subset."""
    found: metrics.Metrics = {}
    if truth.glitched.any():
        found |= metrics.at_the_top(order, truth.glitched)
        found |= metrics.by_glitch_kind(scores, order, truth.kind)
        found |= metrics.by_class(order, truth.glitched, truth.observed, truth.class_names)
    for name, rule in RULES.items():
        found |= metrics.flags(rule(scores), truth.glitched, name)
    return found


# by what a method says beside a score, as rows of a stored array
GIVEN_METRICS: dict[str, Callable[[Truth, np.ndarray, np.ndarray], metrics.Metrics]] = {
    "suggested": lambda truth, told, order: metrics.repair(told, order, truth.true, truth.kind),
    "kind": lambda truth, told, order: metrics.characterisation(told, truth.kind),
    "flagged": lambda truth, told, order: metrics.flags(told, truth.glitched, "own"),
}


def _of_given(truth: Truth, entry: Entry, row: int, order: np.ndarray) -> metrics.Metrics:
    """What is measured of suggested labels, kinds and flags, without what is not defined for this score."""
    found: metrics.Metrics = {}
    for name, measure in GIVEN_METRICS.items():
        if name in entry.arrays:
            found |= measure(truth, np.array(entry.arrays[name][row : row + 1]), order)
    return {name: value for name, value in found.items() if not np.isnan(value).any()}


def _stacked(found: metrics.Metrics, rows: int) -> np.ndarray:
    return np.stack([*found.values()], axis=1) if found else np.empty((rows, 0))


def _of_training(result: Result, whole: Draw, truth: Truth) -> Iterator[Block]:
    """Accuracy of a trained model, and how it fits each kind of its training samples."""
    arrays, info = result.entry.arrays, result.entry.info
    fit = metrics.training_fit(arrays["logits_train"][-1], arrays["labels_train"], truth.true, truth.kind)
    told = {("", name): info[name] for name in ACCURACY if name in info} | fit  # not every data set has a test part
    yield Block(result.labels, whole, [*told], np.array([*told.values()]), "ok")


def _of_retraining(result: Result, whole: Draw, truth: Truth) -> Iterator[Block]:
    """Accuracy of a model that was trained again after a repair."""
    values = np.array([result.entry.info[name] for name in ACCURACY])
    yield Block(result.labels, whole, [("", name) for name in ACCURACY], values, "ok")


def _of_toy(result: Result, whole: Draw, truth: None) -> Iterator[Block]:
    """What a toy problem compares; it reads no validation samples."""
    for method, group, name, value in result.entry.info["metrics"]:
        labels = toy_labels(result) | {"method": method}
        yield Block(labels, (0.0, 0), [(group, name)], np.array([value], np.float64), "ok")


def toy_labels(result: Result) -> dict[str, Any]:
    """The plan does not know the share of flipped labels."""
    return result.labels | {"ratio": result.entry.info["ratio"]}


# by stages that leave a model
MODELS = {"train": _of_training, "retrain": _of_retraining, "toy": _of_toy}
