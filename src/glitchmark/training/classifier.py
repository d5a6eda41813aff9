"""A classifier on the inputs of its trained part: built, trained, and read out at every checkpoint."""

import numpy as np
import torch
from torch import nn

from glitchmark import registry, seeds
from glitchmark.models import Parts
from glitchmark.training.inputs import forward
from glitchmark.training.sgd import Settings, fit
from glitchmark.training.weights import load_weights


def build(
    model: dict,
    shape: tuple[int, ...],
    n_classes: int,
    seed: int,
    cell: tuple[str, ...],
    weights: str | None,
    digest: str = "",
) -> Parts:
    """A network with its initial weights, a pure function of seed and cell; ``weights`` fill all but the head.

    model: {"name": ..., "params": {...}}. shape: of one input. cell: e.g. (data set, model).
    digest: of the weights file, see weights.load_weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.integer(seed, "initial weights", *cell))
        parts = registry.load("model", model["name"]).function(shape, n_classes, **model["params"])
    if weights:
        load_weights(parts, weights, digest)
    parts.network.to(memory_format=torch.channels_last)  # as the images: see inputs.channels_last
    return parts


class Readout:
    """Collects features and logits of given inputs at each checkpoint, in eval mode."""

    def __init__(self, block: nn.Module, head: nn.Linear, *inputs: torch.Tensor):
        self.block, self.head, self.inputs = block, head, inputs
        self.features: list[list[np.ndarray]] = [[] for _ in inputs]
        self.logits: list[list[np.ndarray]] = [[] for _ in inputs]

    def __call__(self) -> None:
        frozen = not any(True for _ in self.block.parameters())
        for x, features, logits in zip(self.inputs, self.features, self.logits, strict=True):
            values = forward(self.block, x)
            if not (frozen and features):  # the features of a frozen trunk are the same at every checkpoint
                features.append(values.numpy())
            logits.append(forward(self.head, values).numpy())


def train_and_read(
    parts: Parts,
    trained: str,
    x: torch.Tensor,
    y: torch.Tensor,
    others: tuple[torch.Tensor, ...],
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[Readout, list[float]]:
    """Train on (x, y); returns the readout of (x, *others) at the kept checkpoints, and the loss of each epoch.

    x and others are inputs of the trained part: see :meth:`Parts.split`.
    """
    _, block = parts.split(trained)
    readout = Readout(block, parts.head, x, *others)
    losses = fit(block, parts.head, x, y, settings, rng, readout)
    return readout, losses
