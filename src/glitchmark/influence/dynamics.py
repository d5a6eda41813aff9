"""Influence checkpoint by checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glitchmark.influence.factors import Factors

if TYPE_CHECKING:
    from glitchmark.influence.engine import Build


@dataclass(frozen=True)
class Dynamics:
    """Influence at each of T checkpoints alone, on all validation samples.

    self_influence: float64 (T, n). neg, pos: float32 (T, n, C), as in ClassSums. n_validation: m.
    """

    self_influence: np.ndarray
    neg: np.ndarray
    pos: np.ndarray
    n_validation: np.int64


def dynamics(build: Build, factors: Factors, threads: int = 1) -> Dynamics:
    """The estimator at each checkpoint alone; of an estimator that sums over checkpoints, these are the terms."""
    from glitchmark.influence.engine import class_sums

    steps = [factors.at(t) for t in range(factors.n_checkpoints)]
    sums = [class_sums(build, step, counterfactual=False, self_influence=True, threads=threads) for step in steps]
    return Dynamics(
        np.stack([s.self_influence for s in sums]),
        np.concatenate([s.neg for s in sums]).transpose(0, 2, 1),
        np.concatenate([s.pos for s in sums]).transpose(0, 2, 1),
        np.int64(factors.n_val),
    )
