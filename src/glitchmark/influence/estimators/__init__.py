"""Influence estimators: one module each, from factors to row blocks of the influence matrix.

A positive value means that training on sample i lowers the loss of sample j (a proponent), for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from glitchmark.registry import plugin


@dataclass(frozen=True)
class Rows:
    """Some rows of the influence matrix.

    influence: float32 (b, m), under the observed labels.
    relabelled: function of int64 labels (b,) -> float32 (b, m), the influence at the last checkpoint if the
    training samples had these labels.
    """

    influence: np.ndarray
    relabelled: Callable[[np.ndarray], np.ndarray]


class Estimator(Protocol):
    """What an estimator class offers, once built as ``Estimator(factors, **parameters)``."""

    def rows(self, start: int, stop: int) -> Rows:
        """Rows start..stop of the influence matrix."""
        ...

    def self_influence(self) -> np.ndarray:
        """Influence of each training sample on itself, float64 (n,)."""
        ...


def estimator(name: str, *, reference: str) -> Callable[[type], type]:
    """Mark a class as an influence estimator (see :class:`Estimator`)."""
    return plugin("estimator", name, reference=reference)
