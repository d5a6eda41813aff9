"""Influence cancellation: how much of what a signal adds up has gone from the sum, since signs differ."""

import numpy as np

from glitchmark.influence.dynamics import Dynamics
from glitchmark.signals._series import series


def cancellation_index(parts: np.ndarray, axis: int) -> np.ndarray:
    """1 - |sum| / (sum of absolute values) along an axis, float64: 0 where nothing cancels, 1 where everything does.

    It is 0 where all parts are zero. Parts of one sign may be added up beforehand.
    """
    net, gross = np.abs(parts.sum(axis=axis, dtype=np.float64)), np.abs(parts).sum(axis=axis, dtype=np.float64)
    return 1 - np.divide(net, gross, out=np.ones_like(net), where=gross > 0)


def sign_split_index(neg: np.ndarray, pos: np.ndarray, of: str) -> np.ndarray:
    """The index of the terms behind sign-split class sums neg, pos (n, C): float64 (n,).

    of: "mi" for all classes, "gd_class" for the class with the smallest sum.
    """
    signed = np.stack([neg, pos])
    if of == "mi":
        return cancellation_index(signed.sum(axis=2, dtype=np.float64), axis=0)
    return cancellation_index(signed[:, np.arange(len(neg)), worst_class(neg + pos)], axis=0)


def worst_class(total: np.ndarray) -> np.ndarray:
    """The class that gd_class picks: int64 (n,), from class sums (n, C)."""
    return total.argmin(axis=1)


def cancellation_by_signal(dynamics: Dynamics) -> dict[str, np.ndarray]:
    """Signal -> index of its terms over validation samples and checkpoints, float64 (n,), for si, mi, aai, gd_class.

    aai adds up absolute values, and si is never negative under gradient products: their index is 0.
    """
    neg, pos = (part.sum(axis=0, dtype=np.float64) for part in (dynamics.neg, dynamics.pos))
    return {
        "si": cancellation_index(series(dynamics, "si"), axis=0),
        "mi": sign_split_index(neg, pos, "mi"),
        "aai": cancellation_index(series(dynamics, "aai"), axis=0),
        "gd_class": sign_split_index(neg, pos, "gd_class"),
    }
