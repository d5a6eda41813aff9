"""How a network is trained: the numbers that a config sets, and what follows from them alone. Without torch."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """epochs, batch_size: counts. learning_rate: of the first epoch. checkpoints: at most so many are kept.

    optimizer: sgd or adamw. momentum: of sgd, in [0, 1). weight_decay: of all trained parameters; adamw's is decoupled.
    schedule: constant, step or cosine; a step takes step_epochs and multiplies the learning rate by step_factor.
    gradient_clip: the largest norm that a batch's gradient keeps, over all trained parameters; 0 for no limit.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    checkpoints: int
    optimizer: str = "sgd"
    momentum: float = 0
    weight_decay: float = 0
    schedule: str = "constant"
    step_epochs: int = 10
    step_factor: float = 0.1
    gradient_clip: float = 0


def learning_rate(settings: Settings, epoch: int) -> float:
    """The learning rate of an epoch (1-based); constant within it, so that a checkpoint has one.

    cosine: Loshchilov and Hutter, ICLR 2017, equation 5, without restarts: half a cosine, from the first epoch's
    learning rate towards 0.
    """
    rate, done = settings.learning_rate, epoch - 1
    if settings.schedule == "step":
        return rate * settings.step_factor ** (done // settings.step_epochs)
    if settings.schedule == "cosine":
        return rate / 2 * (1 + math.cos(math.pi * done / settings.epochs))
    return rate


def checkpoint_epochs(epochs: int, checkpoints: int) -> list[int]:
    """The epochs (1-based) whose checkpoints are kept: evenly spaced, the last always in."""
    kept = min(epochs, checkpoints)
    return sorted({round(epochs * (i + 1) / kept) for i in range(kept)})
