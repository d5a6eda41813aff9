"""A classifier on the inputs of its trained part: trained, and read out at every checkpoint."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from glitchmark.training.inputs import forward
from glitchmark.training.sgd import Settings, fit


class Readout:
    """Collects features and logits of given inputs at each checkpoint, in eval mode."""

    def __init__(self, block: nn.Module, head: nn.Linear, *inputs: torch.Tensor):
        self.block, self.head, self.inputs = block, head, inputs
        self.frozen = not any(True for _ in block.parameters())
        self.features: list[list[np.ndarray]] = [[] for _ in inputs]
        self.logits: list[list[np.ndarray]] = [[] for _ in inputs]

    def __call__(self) -> None:
        for x, features, logits in zip(self.inputs, self.features, self.logits, strict=True):
            values = x if isinstance(self.block, nn.Identity) else forward(self.block, x)
            if not (self.frozen and features):  # the features of a frozen trunk are the same at every checkpoint
                features.append(values.numpy(force=True))
            logits.append(forward(self.head, values).numpy(force=True))


class Accuracy:
    """Collects the share of samples that are classified rightly at each checkpoint, in eval mode. x: inputs of the
    trained part, y: int64 labels; nothing is collected where there are none."""

    def __init__(self, block: nn.Module, head: nn.Linear, x: torch.Tensor, y: torch.Tensor):
        self.block, self.head, self.x, self.y = block, head, x, y
        self.shares: list[float] = []

    def __call__(self) -> None:
        if len(self.x):
            logits = forward(nn.Sequential(self.block, self.head), self.x)
            self.shares.append((logits.argmax(1) == self.y).double().mean().item())


def train_and_read(
    block: nn.Module,
    head: nn.Linear,
    x: torch.Tensor,
    y: torch.Tensor,
    others: tuple[torch.Tensor, ...],
    settings: Settings,
    rng: np.random.Generator,
    on_checkpoint: Callable[[], None] = lambda: None,
) -> tuple[Readout, list[float]]:
    """Train ``head(block(x))`` on (x, y); returns the readout of (x, *others) at the kept checkpoints, and the loss of
    each epoch.

    x and others are inputs of the trained part: see :meth:`models.Parts.split`. on_checkpoint: called there as well.
    """
    readout = Readout(block, head, x, *others)

    def checkpoint() -> None:
        readout()
        on_checkpoint()

    losses = fit(block, head, x, y, settings, rng, checkpoint)
    return readout, losses
