"""Fine-tuning: plain stochastic gradient descent, as TracIn's derivation assumes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from glitchmark.errors import CellError


@dataclass(frozen=True)
class Settings:
    """epochs, batch_size: counts. learning_rate: constant. checkpoints: at most so many are kept."""

    epochs: int
    learning_rate: float
    batch_size: int
    checkpoints: int


def checkpoint_epochs(epochs: int, checkpoints: int) -> list[int]:
    """The epochs (1-based) whose checkpoints are kept: evenly spaced, the last always in."""
    kept = min(epochs, checkpoints)
    return sorted({round(epochs * (i + 1) / kept) for i in range(kept)})


def fit(
    block: nn.Module,
    head: nn.Linear,
    x: torch.Tensor,
    y: torch.Tensor,
    settings: Settings,
    rng: np.random.Generator,
    on_checkpoint: Callable[[], None] = lambda: None,
) -> list[float]:
    """Train ``head(block(x))`` on the cross-entropy with ``y``; no momentum, no weight decay.

    x: (n, ...) inputs of ``block``. y: int64 (n,). rng: draws the order of the samples in each epoch.
    on_checkpoint: called after each epoch that is kept.
    Returns the mean loss of each epoch. Raises CellError when the loss is not finite.
    """
    parameters = [*block.parameters(), *head.parameters()]
    kept = checkpoint_epochs(settings.epochs, settings.checkpoints)
    losses = []
    # what a network draws itself (dropout) comes from the cell's own stream too, without moving the order of samples
    (own,) = rng.bit_generator.seed_seq.spawn(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(own.generate_state(1)[0]))
        for epoch in range(1, settings.epochs + 1):
            block.train()
            total, seen = 0.0, 0
            for rows in torch.from_numpy(rng.permutation(len(x))).split(settings.batch_size):
                if len(rows) == 1 and settings.batch_size > 1:
                    continue  # batch norm cannot train on a single left-over sample
                loss = F.cross_entropy(head(block(x[rows])), y[rows])
                # The two lines that plain SGD is: importing torch.optim takes longer than some cells' training.
                with torch.no_grad():
                    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                        parameter.sub_(gradient, alpha=settings.learning_rate)
                total, seen = total + loss.item() * len(rows), seen + len(rows)
            losses.append(total / seen)
            if not np.isfinite(total):
                raise CellError(
                    f"training diverged: the loss is {total} in epoch {epoch} with learning rate "
                    f"{settings.learning_rate:g}; use a smaller learning_rate for this data set and model"
                )
            if epoch in kept:
                on_checkpoint()
    return losses
