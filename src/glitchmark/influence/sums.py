"""What is kept of an influence matrix: its sign-split sums by class of the validation samples."""

from dataclasses import dataclass

import numpy as np

NO_COUNTERFACTUAL = (
    "the estimator cannot tell what influence a relabelled sample would have, which this signal needs; "
    "use it with another estimator"
)


@dataclass(frozen=True)
class ClassSums:
    """neg, pos: float32 (n, C); neg[i, c] is the sum of min(I(i, j), 0) over the validation samples j of class c, pos
    that of max(I(i, j), 0)."""

    neg: np.ndarray
    pos: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """neg + pos, float32 (n, C): the plain sum over each class."""
        return self.neg + self.pos


@dataclass(frozen=True)
class Sums:
    """What one pass leaves, for S subsets of the validation samples.

    neg, pos: float32 (S, C, n), under the observed labels, all checkpoints (see ClassSums).
    ncf: int64 (S, n), the class that each sample affects most negatively (Myrtakis et al., KDD 2025, Algorithm 1).
    ncf_neg: float32 (S, n), at the last checkpoint and relabelled to ncf, its negative influence on its observed class.
    pcf: int64 (S, n), the class other than the observed one that it affects most positively (Algorithm 2).
    pcf_pos: float32 (S, C, n), at the last checkpoint and relabelled to pcf, its positive influence on each class.
    self_influence: float64 (n,), of each training sample on itself.
    ncf_neg and pcf_pos are None for estimators without counterfactuals, self_influence where it was not asked for. Ties
    go to the lowest class.
    """

    neg: np.ndarray
    pos: np.ndarray
    ncf: np.ndarray
    pcf: np.ndarray
    ncf_neg: np.ndarray | None = None
    pcf_pos: np.ndarray | None = None
    self_influence: np.ndarray | None = None
