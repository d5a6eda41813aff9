"""Influence estimators: one module each, from factors to row blocks of the influence matrix.

A positive value means that training on sample i lowers the loss of target sample j (a proponent), for all of them.
Targets are the validation samples of the factors, or the training samples themselves (Factors.against_training).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from glitchmark.registry import plugin

EVERY = slice(None)


@dataclass(frozen=True)
class Product:
    """Some rows of an influence matrix, (kernel + offset) * (left @ right), not written out.

    kernel: float32 (b, m). offset: float32. left (b, r), right (r, m): float32. For gradients that factorise, the
    kernel holds inner products of features, the offset is the bias's share, left and right are residuals.
    """

    kernel: np.ndarray
    offset: np.float32
    left: np.ndarray
    right: np.ndarray

    def matrix(self) -> np.ndarray:
        """float32 (b, m)."""
        weights = self.left @ self.right
        return np.multiply(self.kernel + self.offset, weights, out=weights)


@dataclass(frozen=True)
class Rows:
    """Some rows of the influence matrix.

    influence: (b, m) under the observed labels, as an array or as a Product.
    relabelled: function of positions among these rows (int (k,), or EVERY), labels (int64 (k,)) and a run of targets
    (all if left out) -> (k, m'), the influence at the last checkpoint if those training samples had these labels; None
    where an estimator has no such counterfactual.
    """

    influence: np.ndarray | Product
    relabelled: Callable[..., np.ndarray | Product] | None

    def matrix(self) -> np.ndarray:
        """The influence as an array, float32 (b, m)."""
        return as_matrix(self.influence)


def as_matrix(influence: np.ndarray | Product) -> np.ndarray:
    """The influence as an array, float32 (b, m)."""
    return influence.matrix() if isinstance(influence, Product) else influence


class Estimator(Protocol):
    """What an estimator class offers, once built as ``Estimator(factors, **parameters)``.

    An attribute ``width`` may say how many numbers it keeps for each element of a block, which is made smaller then.
    """

    def rows(self, start: int, stop: int) -> Rows:
        """Rows start..stop of the influence matrix; several threads may ask for different rows at once."""
        ...

    def self_influence(self) -> np.ndarray:
        """Influence of each training sample on itself, float64 (n,)."""
        ...


def estimator(name: str, *, reference: str) -> Callable[[type], type]:
    """Mark a class as an influence estimator (see :class:`Estimator`)."""
    return plugin("estimator", name, reference=reference)
