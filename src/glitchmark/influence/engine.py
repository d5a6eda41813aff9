"""One pass over the row blocks of an influence matrix that leaves its sign-split class sums behind."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from glitchmark.errors import CellError
from glitchmark.influence.estimators import EVERY, Estimator, Product, Rows, as_matrix
from glitchmark.influence.factors import Factors
from glitchmark.influence.kernels import negative_sums_of_class, split_product_sums, split_sums

BLOCK = 1 << 19  # elements of a block: 2 MB, so that the few that are in use stay in a core's cache

Build = Callable[[Factors], Estimator]


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

    neg, pos: float32 (S, n, C), under the observed labels, all checkpoints (see ClassSums).
    ncf: int64 (S, n), the class that each sample affects most negatively (Myrtakis et al., KDD 2025, Algorithm 1).
    ncf_neg: float32 (S, n), at the last checkpoint and relabelled to ncf, its negative influence on its observed class.
    pcf: int64 (S, n), the class other than the observed one that it affects most positively (Algorithm 2).
    pcf_pos: float32 (S, n, C), at the last checkpoint and relabelled to pcf, its positive influence on each class.
    ncf_neg and pcf_pos are None for estimators without counterfactuals. Ties go to the lowest class.
    """

    neg: np.ndarray
    pos: np.ndarray
    ncf: np.ndarray
    pcf: np.ndarray
    ncf_neg: np.ndarray | None = None
    pcf_pos: np.ndarray | None = None


def class_sums(
    build: Build,
    factors: Factors,
    subsets: np.ndarray | None = None,
    *,
    counterfactual: bool = True,
    threads: int = 1,
) -> Sums:
    """Class sums for several validation subsets, in one pass.

    build: makes the estimator from factors. subsets: bool (S, m); all validation samples if left out. counterfactual:
    whether to compute ncf_neg and pcf_pos as well. threads: of the pass; results do not depend on it, to the bit.
    Raises CellError for a subset without samples.
    """
    subsets = np.ones((1, factors.n_val), bool) if subsets is None else subsets
    targets = _Targets(factors, subsets)
    estimator = build(targets.factors)
    labels, n, classes, s = factors.labels_train, factors.n_train, factors.n_classes, len(subsets)
    neg, pos = (np.empty((s, n, classes), np.float32) for _ in range(2))
    ncf, pcf = (np.empty((s, n), np.int64) for _ in range(2))
    ncf_neg, pcf_pos = np.empty((s, n), np.float32), np.empty((s, n, classes), np.float32)
    own = np.arange(classes)[None, :] == labels[:, None]

    def block(start: int, stop: int, rows: Rows) -> bool:
        at = slice(start, stop)
        neg[:, at], pos[:, at] = targets.split(rows.influence)
        ncf[:, at] = neg[:, at].argmin(axis=2)
        pcf[:, at] = np.where(own[at], -np.inf, pos[:, at]).argmax(axis=2)
        if rows.relabelled is None or not counterfactual:
            return False
        ncf_neg[:, at] = targets.negative_under(rows, ncf[:, at], labels[at])
        pcf_pos[:, at] = targets.positive_under(rows, pcf[:, at])
        return True

    with_counterfactual = all(_each_block(estimator, n, targets.m, block, threads))
    extra = (ncf_neg, pcf_pos) if with_counterfactual else (None, None)
    return Sums(neg, pos, ncf, pcf, *extra)


def relabelled_sums(
    build: Build, factors: Factors, labels: np.ndarray, subset: np.ndarray, threads: int = 1
) -> ClassSums:
    """Class sums at the last checkpoint with the training samples under any other labels, int64 (n,).

    subset: bool (m,), the validation samples that count. Raises CellError if the estimator has no counterfactual.
    """

    targets = _Targets(factors, subset[None])
    neg, pos = (np.empty((factors.n_train, factors.n_classes), np.float32) for _ in range(2))

    def block(start: int, stop: int, rows: Rows) -> None:
        if rows.relabelled is None:
            raise CellError(NO_COUNTERFACTUAL)
        at = slice(start, stop)
        (neg[at],), (pos[at],) = targets.split(rows.relabelled(EVERY, labels[at]))

    _each_block(build(targets.factors), factors.n_train, targets.m, block, threads)
    return ClassSums(neg, pos)


NO_COUNTERFACTUAL = (
    "the estimator cannot tell what influence a relabelled sample would have, which this signal needs; "
    "use it with another estimator"
)


def blocks(estimator: Estimator, n: int, m: int) -> Iterator[tuple[int, int, Rows]]:
    """The influence matrix in row blocks: (start, stop, rows)."""
    for start, stop in _bounds(n, m):
        yield start, stop, estimator.rows(start, stop)


def _bounds(n: int, m: int) -> list[tuple[int, int]]:
    step = min(1024, max(64, BLOCK // m))
    return [(start, min(start + step, n)) for start in range(0, n, step)]


def _each_block(estimator: Estimator, n: int, m: int, work: Callable, threads: int) -> list:
    """work(start, stop, rows) for every block, on several threads. BLAS keeps to one thread a block, so that its
    results are the same for any number of ours."""
    bounds = _bounds(n, m)
    with _blas().limit(limits=1):
        if threads == 1:
            return [work(*bound, estimator.rows(*bound)) for bound in bounds]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda bound: work(*bound, estimator.rows(*bound)), bounds))


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()  # it looks through all loaded libraries, which takes milliseconds


class _Targets:
    """The validation samples that any subset counts, sorted by class, so that a class is a run of columns."""

    def __init__(self, factors: Factors, subsets: np.ndarray):
        if not subsets.any(axis=1).all():
            raise CellError("a validation subset has no samples, so that nothing has any influence on it")
        used = np.flatnonzero(subsets.any(axis=0))
        order = used[np.argsort(factors.labels_val[used], kind="stable")]
        self.factors = factors.with_validation(order)
        self.m, self.n_classes, self.n_subsets = len(order), factors.n_classes, len(subsets)
        self.starts = np.searchsorted(self.factors.labels_val, np.arange(self.n_classes + 1))
        # bool as float32 (S, m_c): which targets of a class each subset counts
        self.members = [subsets[:, order[self.columns(c)]].astype(np.float32) for c in range(self.n_classes)]

    def columns(self, c: int) -> slice:
        """The targets of a class."""
        return slice(self.starts[c], self.starts[c + 1])

    def split(self, influence: np.ndarray | Product) -> tuple[np.ndarray, np.ndarray]:
        """Sums of the negative and of the positive influence by subset and class: two float32 (S, b, C)."""
        if self.n_subsets > 1:
            matrix = as_matrix(influence)
            return self._by_class(np.minimum(matrix, 0)), self._by_class(np.maximum(matrix, 0))
        # one subset counts every target
        if isinstance(influence, Product):
            sums = np.empty((2, 1, len(influence.left), self.n_classes), np.float32)
            split_product_sums(influence.kernel, influence.left @ influence.right, self.starts, *sums[:, 0])
        else:
            sums = np.empty((2, 1, len(influence), self.n_classes), np.float32)
            split_sums(influence, self.starts, *sums[:, 0])
        return tuple(sums)

    def negative_under(self, rows: Rows, labels: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Negative influence on the observed class (b,) under other labels (S, b): float32 (S, b)."""
        found = np.empty(labels.shape, np.float32)
        if self.n_subsets == 1:
            influence = rows.relabelled(EVERY, labels[0])
            if isinstance(influence, Product):
                product = (influence.kernel, influence.left, influence.right)
                negative_sums_of_class(*product, self.starts, observed, found[0])
            else:
                found[0] = self.split(influence)[0][0, np.arange(len(observed)), observed]
            return found
        for c in np.unique(observed):
            mine = np.flatnonzero(observed == c)
            for at, label, chosen in _by_label(labels[:, mine]):
                influence = as_matrix(rows.relabelled(mine[at], label, self.columns(c)))
                sums = self.members[c] @ np.minimum(influence, 0).T
                found[:, mine[at]] = np.where(chosen, sums, found[:, mine[at]])
        return found

    def positive_under(self, rows: Rows, labels: np.ndarray) -> np.ndarray:
        """Positive influence on each class under other labels (S, b): float32 (S, b, C)."""
        if self.n_subsets == 1:
            return self.split(rows.relabelled(EVERY, labels[0]))[1]
        found = np.empty((*labels.shape, self.n_classes), np.float32)
        for at, label, chosen in _by_label(labels):
            sums = self._by_class(np.maximum(as_matrix(rows.relabelled(at, label)), 0))
            s, k = np.nonzero(chosen)
            found[s, at[k]] = sums[s, k]
        return found

    def _by_class(self, part: np.ndarray) -> np.ndarray:
        """Sums of part (k, m) by subset and class, float32 (S, k, C)."""
        sums = np.empty((self.n_classes, self.n_subsets, len(part)), np.float32)
        for c in range(self.n_classes):
            np.matmul(self.members[c], part[:, self.columns(c)].T, out=sums[c])
        return sums.transpose(1, 2, 0)


def _by_label(labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Samples by what they are relabelled to in any subset, (S, k): positions (k',), their label (k',), and bool
    (S, k'), in which subsets. A sample's label may differ by subset, but takes few values: each is computed once."""
    for label in np.unique(labels):
        chosen = labels == label
        at = np.flatnonzero(chosen.any(axis=0))
        yield at, np.full(len(at), label), chosen[:, at]
