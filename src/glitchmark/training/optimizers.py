"""What a step does with the gradients."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from glitchmark.training.settings import Settings


def update_rule(parameters: Sequence[nn.Parameter], settings: Settings) -> Callable[[float], None]:
    """The function that changes ``parameters`` in place, given a learning rate, along what their ``.grad`` holds."""
    if settings.optimizer == "sgd" and not settings.momentum and not settings.weight_decay:
        # Making any optimizer of torch.optim imports torch's compiler, which takes longer than some cells' training.
        return partial(_plain_sgd, parameters)
    if settings.optimizer == "sgd":
        optimizer = torch.optim.SGD(parameters, lr=0.0, momentum=settings.momentum, weight_decay=settings.weight_decay)
    else:
        optimizer = torch.optim.AdamW(parameters, lr=0.0, weight_decay=settings.weight_decay)

    def update(rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()

    return update


@torch.no_grad()
def _plain_sgd(parameters: Sequence[nn.Parameter], rate: float) -> None:
    for parameter in parameters:
        if parameter.grad is not None:  # a part of a network that its outputs do not depend on
            parameter.sub_(parameter.grad, alpha=rate)
