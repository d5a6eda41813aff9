"""A network with its initial weights, and its head alone."""

import torch
from torch import nn

from glitchmark import registry, seeds
from glitchmark.models import Parts
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
    parts.head.load_state_dict(new_head(parts.head.in_features, n_classes, seed, cell).state_dict())
    parts.network.to(memory_format=torch.channels_last)  # as the images: see inputs.channels_last
    return parts


def new_head(n_features: int, n_classes: int, seed: int, cell: tuple[str, ...]) -> nn.Linear:
    """The head of :func:`build` without what lies below it, which training on stored features does not need."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.integer(seed, "initial head", *cell))
        return nn.Linear(n_features, n_classes)


def count(module: nn.Module) -> int:
    """How many parameters a module has."""
    return sum(p.numel() for p in module.parameters())
