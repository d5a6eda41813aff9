"""One detector that trains the cell's model itself."""

from dataclasses import replace

import numpy as np
import torch

from glitchmark import registry, seeds
from glitchmark.detectors import Data
from glitchmark.scores import checked
from glitchmark.stages._cell import Cell, prepare
from glitchmark.stages._scoring import score_arrays
from glitchmark.training.inputs import channels_last, forward
from glitchmark.training.network import count
from glitchmark.training.settings import Settings
from glitchmark.training.sgd import fit


def compute(spec, inputs, runtime):
    """arrays: see _scoring.score_arrays; one row. info: the number of parameters that were trained, and how many true
    labels the detector asked an annotator for."""
    plugin = registry.load("detector", spec["detector"]["name"])
    cell = prepare(spec, inputs, runtime)
    name = (spec["dataset"], spec["model"]["name"])
    model = Refit(cell, seeds.generator(spec["seed"], "refit", *name))
    annotator = Annotator(np.array(inputs["inject"].arrays["true_label"]))
    labels = cell.y_train.numpy(force=True)
    readers = {"model": lambda: model, "annotator": annotator, "labels": lambda: labels}
    seed = seeds.integer(spec["seed"], "refit", "detector", plugin.name, spec["dataset"])
    data = Data(cell.n_classes, seed, {name: readers[name] for name in plugin.info["reads"]})
    result = plugin.function(data, **spec["detector"]["params"])
    arrays = score_arrays([checked(result, f"detector '{plugin.name}'", len(labels), cell.n_classes)])
    return arrays, {"parameters": {"trained": model.parameters}, "annotated": len(annotator.asked)}


class Annotator:
    """Gives true labels, and remembers of which samples."""

    def __init__(self, true_label: np.ndarray):
        self._true_label, self.asked = true_label, set()

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        self.asked.update(samples.tolist())
        return self._true_label[samples]


class Refit:
    """The cell's model as detectors.CellModel describes it. rng: draws the order of samples in each epoch."""

    def __init__(self, cell: Cell, rng: np.random.Generator):
        self._cell, self._rng = cell, rng
        self._block, self._head = cell.trainable()
        self.parameters = count(self._block) + count(self._head)
        self.n_train, self.labels_val = len(cell.x_train), cell.y_val.numpy(force=True)

    def fit(self, rows: np.ndarray, labels: np.ndarray, epochs: int) -> None:
        """Train on, with a new optimizer, at the cell's settings but for a constant learning rate."""
        x = self._inputs(rows)
        y = torch.from_numpy(np.asarray(labels, np.int64)).to(x.device)
        fit(self._block, self._head, x, y, _constant(self._cell.settings, epochs), self._rng)

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """float64 (k, C), in eval mode."""
        return forward(self._head, forward(self._block, self._inputs(rows))).numpy(force=True).astype(np.float64)

    def _inputs(self, rows: np.ndarray) -> torch.Tensor:
        """Of training samples, then of validation samples, by their joint number, in the order of ``rows``."""
        rows = torch.from_numpy(np.asarray(rows, np.int64)).to(self._cell.x_train.device)
        x = self._cell.x_train.new_empty((len(rows), *self._cell.x_train.shape[1:]))
        own = rows < self.n_train
        x[own], x[~own] = self._cell.x_train[rows[own]], self._cell.x_val[rows[~own] - self.n_train]
        return channels_last(x)


def _constant(settings: Settings, epochs: int) -> Settings:
    """The settings with so many epochs at the first one's learning rate."""
    return replace(settings, epochs=epochs, checkpoints=1, schedule="constant")
