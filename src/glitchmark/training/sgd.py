"""Fine-tuning by stochastic gradients; plain SGD unless the settings say otherwise, as TracIn's derivation assumes."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from glitchmark.errors import CellError
from glitchmark.training.optimizers import update_rule
from glitchmark.training.settings import Settings, checkpoint_epochs, learning_rate


def fit(
    block: nn.Module,
    head: nn.Linear,
    x: torch.Tensor,
    y: torch.Tensor,
    settings: Settings,
    rng: np.random.Generator,
    on_checkpoint: Callable[[], None] = lambda: None,
) -> list[float]:
    """Train ``head(block(x))`` on the cross-entropy with ``y``.

    x: (n, ...) inputs of ``block``. y: int64 (n,). Both lie where the modules do, on any device.
    rng: draws the order of the samples in each epoch.
    on_checkpoint: called after each epoch that is kept.
    Returns the mean loss of each epoch. Raises CellError when the loss or a weight is not finite.
    """
    parameters = [p for p in (*block.parameters(), *head.parameters()) if p.requires_grad]
    update = update_rule(parameters, settings)
    kept = checkpoint_epochs(settings.epochs, settings.checkpoints)
    losses = []
    # what a network draws itself (dropout) comes from the cell's own stream too, without moving the order of samples
    (own,) = rng.bit_generator.seed_seq.spawn(1)
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(int(own.generate_state(1)[0]))
        for epoch in range(1, settings.epochs + 1):
            rate = learning_rate(settings, epoch)
            block.train()
            total, seen = 0.0, 0
            for rows in torch.from_numpy(rng.permutation(len(x))).to(x.device).split(settings.batch_size):
                if len(rows) == 1 and settings.batch_size > 1:
                    continue  # batch norm cannot train on a single left-over sample
                for parameter in parameters:
                    parameter.grad = None
                loss = F.cross_entropy(head(block(x[rows])), y[rows])
                value = loss.item()
                if not math.isfinite(value):
                    raise _diverged(f"the loss is {value}", epoch, rate)
                loss.backward()
                if settings.gradient_clip:
                    nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
                update(rate)
                total, seen = total + value * len(rows), seen + len(rows)
            # the last step's weights are seen by no loss of this epoch
            if not all(parameter.isfinite().all() for parameter in parameters):
                raise _diverged("a weight is no longer finite", epoch, rate)
            losses.append(total / seen)
            if epoch in kept:
                on_checkpoint()
    return losses


def _diverged(what: str, epoch: int, rate: float) -> CellError:
    return CellError(
        f"training diverged: {what} in epoch {epoch} with learning rate {rate:g}; use a smaller learning_rate, or "
        "gradient_clip, for this data set and model"
    )
