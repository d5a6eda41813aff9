"""Toy problems of the papers: one module each, from a seed to what was measured on data that it makes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from glitchmark.registry import plugin


class Toy(NamedTuple):
    """metrics: (method, class, metric, value) each. series: (method, class, series, x, values) each, x and values (k,).
    ratio: share of the training samples whose label was flipped. Method and class may be ""."""

    metrics: list[tuple[str, str, str, float]]
    series: list[tuple[str, str, str, np.ndarray, np.ndarray]]
    ratio: float


def toy(name: str, *, reference: str) -> Callable[[Callable], Callable]:
    """Mark a function ``(seed, **parameters) -> Toy`` as a toy problem."""
    return plugin("toy", name, reference=reference)
