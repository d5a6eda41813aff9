"""Small networks for points in the plane, trained as all others are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from glitchmark import seeds

if TYPE_CHECKING:
    from torch import nn

    from glitchmark.training.settings import Settings


def trained(
    build: Callable[[], tuple[nn.Module, nn.Linear]], x: np.ndarray, labels: np.ndarray, settings: Settings, seed: int
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A network that learned labels int64 (n,) of points (n, 2): points (k, 2) -> features (k, d), logits (k, C).

    build: makes what lies below the last layer, and the last layer; initial weights and batches depend on the seed
    alone, on one thread.
    """
    import torch

    from glitchmark.training.inputs import forward
    from glitchmark.training.sgd import fit

    torch.set_num_threads(1)  # layers of this size gain nothing from more
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.integer(seed, "toy", "initial weights"))
        block, head = build()
    rng = seeds.generator(seed, "toy", "batches")
    fit(block, head, torch.from_numpy(x.astype(np.float32)), torch.from_numpy(labels), settings, rng)

    def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = forward(block, torch.from_numpy(x.astype(np.float32)))
        return features.numpy(), forward(head, features).numpy()

    return model
