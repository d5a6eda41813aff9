"""What a signal reads: the influence of the training samples on one subset of the validation samples."""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from glitchmark.influence.engine import ClassSums, Sums, blocks, class_sums, relabelled_sums
from glitchmark.influence.estimators import Estimator
from glitchmark.influence.factors import Factors


class Influence:
    """Influence of n training samples on m validation samples, as aggregates; the matrix only by name.

    labels: int64 (n,), observed. n_classes: C. validation: bool, the validation samples that count.
    """

    def __init__(
        self,
        labels: np.ndarray,
        n_classes: int,
        validation: np.ndarray,
        sums: Sums,
        self_influence: np.ndarray,
        factors: Callable[[], Factors],
        estimator: Callable[[Factors], Estimator],
    ):
        self.labels, self.n_classes, self.validation = labels, n_classes, validation
        self.self_influence = self_influence
        self._sums, self._factors, self._estimator = sums, factors, estimator

    @classmethod
    def from_factors(
        cls, factors: Factors, estimator: Callable[[Factors], Estimator], validation: np.ndarray | None = None
    ) -> "Influence":
        """Run the engine on factors in memory. validation: bool (m,), all samples if left out."""
        validation = np.ones(factors.n_val, bool) if validation is None else validation
        built = estimator(factors)
        (sums,) = class_sums(built, factors.labels_train, factors.labels_val, factors.n_classes, validation[None])
        return cls(
            factors.labels_train,
            factors.n_classes,
            validation,
            sums,
            built.self_influence(),
            lambda: factors,
            lambda _: built,
        )

    @property
    def n_validation(self) -> int:
        """The number of validation samples that count."""
        return int(self.validation.sum())

    @cached_property
    def factors(self) -> Factors:
        """The factors, read on first use."""
        return self._factors()

    def class_sums(self, labels: np.ndarray | None = None) -> ClassSums:
        """Sign-split sums by class of the validation samples: under the observed labels over all checkpoints, or at the
        last checkpoint with the training samples under other ``labels`` (int64 (n,)).

        The labels of Algorithms 1 and 2 (ncf, pcf) are at hand; others cost a pass over the factors.
        """
        if labels is None:
            return self._sums.observed
        if np.array_equal(labels, self._sums.ncf):
            return self._sums.under_ncf
        if np.array_equal(labels, self._sums.pcf):
            return self._sums.under_pcf
        factors = self.factors
        built = self._estimator(factors)
        return relabelled_sums(built, labels, factors.labels_val, self.n_classes, self.validation)

    @property
    def ncf(self) -> np.ndarray:
        """The class that each sample affects most negatively, int64 (n,)."""
        return self._sums.ncf

    @property
    def pcf(self) -> np.ndarray:
        """The class other than the observed one that each sample affects most positively, int64 (n,)."""
        return self._sums.pcf

    def matrix(self) -> np.ndarray:
        """The whole influence matrix, float32 (n, m'): m' validation samples count. It needs 4 n m' bytes."""
        factors = self.factors
        built = self._estimator(factors)
        parts = [rows.influence[:, self.validation] for _, _, rows in blocks(built, factors.n_train, factors.n_val)]
        return np.concatenate(parts)
