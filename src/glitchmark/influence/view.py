"""What a signal reads of a cell: influence as aggregates, the factors, and the matrix if it is asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from glitchmark import seeds
from glitchmark.errors import CellError
from glitchmark.influence.dynamics import Dynamics, dynamics
from glitchmark.influence.factors import Factors
from glitchmark.influence.sums import NO_COUNTERFACTUAL, ClassSums, Sums
from glitchmark.parameters import at_least_one

if TYPE_CHECKING:
    from glitchmark.influence.engine import Build

# The engine is imported where a matrix is computed: most signals read stored sums, and numba takes a while to import.


class Influence:
    """Influence of n training samples on those validation samples that count.

    labels: int64 (n,), observed. n_classes: C. validation: bool, which validation samples count. seed: an integer for
    whatever a signal draws. readers: how to fetch what the signal declared that it reads: "sums" of one
    subset, "factors", "build" (factors -> estimator) and "dynamics".
    """

    def __init__(
        self,
        labels: np.ndarray,
        n_classes: int,
        validation: np.ndarray,
        seed: int,
        readers: Mapping[str, Callable[[], Any]],
    ):
        self.labels, self.n_classes, self.validation, self.seed = labels, n_classes, validation, seed
        self._readers = readers

    @classmethod
    def from_factors(
        cls, factors: Factors, build: Build | None = None, validation: np.ndarray | None = None, seed: int = 0
    ) -> Influence:
        """From factors in memory; nothing is computed before it is read.

        build: the estimator's class, or any function factors -> estimator; without it, only the factors can be read.
        validation: bool (m,), all samples if left out.
        """
        validation = np.ones(factors.n_val, bool) if validation is None else validation
        readers: dict[str, Callable[[], Any]] = {"factors": lambda: factors}
        if build is not None:
            from glitchmark.influence.engine import class_sums

            readers |= {
                "build": lambda: build,
                "sums": lambda: class_sums(build, factors, validation[None], self_influence=True),
                "dynamics": lambda: dynamics(build, factors),
            }
        return cls(factors.labels_train, factors.n_classes, validation, seed, readers)

    @property
    def n_validation(self) -> int:
        """The number of validation samples that count."""
        return int(self.validation.sum())

    @cached_property
    def factors(self) -> Factors:
        """The factors, with all validation samples: ``validation`` says which count."""
        return self._read("factors")

    @cached_property
    def dynamics(self) -> Dynamics:
        """Influence checkpoint by checkpoint."""
        return self._read("dynamics")

    @property
    def self_influence(self) -> np.ndarray:
        """Influence of each training sample on itself, float64 (n,)."""
        return self._sums.self_influence

    def class_sums(self, labels: np.ndarray | None = None) -> ClassSums:
        """Sign-split sums by class of the validation samples: under the observed labels over all checkpoints, or at the
        last checkpoint with the training samples under other ``labels`` (int64 (n,)), which costs a pass over the
        factors."""
        if labels is None:
            return ClassSums(self._sums.neg[0].T, self._sums.pos[0].T)
        from glitchmark.influence.engine import relabelled_sums

        return relabelled_sums(self._read("build"), self.factors, labels, self.validation)

    @property
    def ncf(self) -> np.ndarray:
        """The class that each sample affects most negatively, int64 (n,)."""
        return self._sums.ncf[0]

    @property
    def ncf_neg(self) -> np.ndarray:
        """Negative influence on the observed class at the last checkpoint, had the sample the label ncf: (n,)."""
        return _counterfactual(self._sums.ncf_neg)

    @property
    def pcf(self) -> np.ndarray:
        """The class other than the observed one that each sample affects most positively, int64 (n,)."""
        return self._sums.pcf[0]

    @property
    def pcf_pos(self) -> np.ndarray:
        """Positive influence on each class at the last checkpoint, had the sample the label pcf: (n, C)."""
        return _counterfactual(self._sums.pcf_pos).T

    def matrix(self) -> np.ndarray:
        """The whole influence matrix, float32 (n, m'): m' validation samples count. It needs 8 n m' bytes."""
        from threadpoolctl import threadpool_limits

        from glitchmark.influence.engine import blocks

        factors = self.factors.with_validation(self.validation)
        with threadpool_limits(1):  # as in the engine
            built = self._read("build")(factors)
            return np.concatenate([rows.matrix() for _, _, rows in blocks(built, factors.n_train, factors.n_val)])

    def with_clean_per_class(self, per_class: int | None) -> Influence:
        """The same with at most so many validation samples of each class, drawn by the seed; None for all."""
        if per_class is None:
            return self
        at_least_one(per_class, "per_class")
        labels = self.factors.labels_val
        order = seeds.generator(self.seed, "clean per class").permutation(np.flatnonzero(self.validation))
        chosen = np.zeros_like(self.validation)
        for c in range(self.n_classes):
            chosen[order[labels[order] == c][:per_class]] = True
        build = self._readers["build"]() if "build" in self._readers else None
        return Influence.from_factors(self.factors, build, chosen, self.seed)

    @cached_property
    def _sums(self) -> Sums:
        return self._read("sums")

    def _read(self, name: str) -> Any:
        if name not in self._readers:
            needed = "dynamics" if name == "dynamics" else "influence"
            raise CellError(f'the signal reads {needed}, but declares less; add reads="{needed}" to its decorator')
        return self._readers[name]()


def _counterfactual(values: np.ndarray | None) -> np.ndarray:
    if values is None:
        raise CellError(NO_COUNTERFACTUAL)
    return values[0]
