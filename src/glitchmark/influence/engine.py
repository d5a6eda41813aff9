"""One pass over the row blocks of an influence matrix that leaves its sign-split class sums behind."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from glitchmark.errors import CellError
from glitchmark.influence.estimators import EVERY, Estimator, Product, Rows, as_matrix
from glitchmark.influence.factors import Factors
from glitchmark.influence.kernels import (
    counterfactual_classes,
    keep_label,
    mark_labels,
    negative_sums_of_class,
    split_product_sums,
    split_sums,
)
from glitchmark.influence.sums import NO_COUNTERFACTUAL, ClassSums, Sums

BLOCK = 1 << 20  # elements of a block, 4 MB; smaller ones slow down the matrix products
EVEN = 4

Build = Callable[[Factors], Estimator]


def class_sums(
    build: Build,
    factors: Factors,
    subsets: np.ndarray | None = None,
    *,
    counterfactual: bool = True,
    self_influence: bool = False,
    threads: int = 1,
) -> Sums:
    """Class sums for several validation subsets, in one pass.

    build: makes the estimator from factors. subsets: bool (S, m); all validation samples if left out. counterfactual,
    self_influence: whether to compute ncf_neg and pcf_pos, and the influence of samples on themselves. threads: of the
    pass; results do not depend on it, to the bit. Raises CellError for a subset without samples.
    """
    subsets = np.ones((1, factors.n_val), bool) if subsets is None else subsets
    targets = _Targets(factors, subsets)
    labels, n, classes, s = factors.labels_train, factors.n_train, factors.n_classes, len(subsets)
    neg, pos = (np.empty((s, classes, n), np.float32) for _ in range(2))
    ncf, pcf = (np.empty((s, n), np.int64) for _ in range(2))
    ncf_neg, pcf_pos = np.empty((s, n), np.float32), np.empty((s, classes, n), np.float32)

    def block(start: int, stop: int, rows: Rows) -> bool:
        at = slice(start, stop)
        neg[..., at], pos[..., at] = targets.split(rows.influence)
        counterfactual_classes(neg[..., at], pos[..., at], labels[at], ncf[:, at], pcf[:, at])
        if rows.relabelled is None or not counterfactual:
            return False
        ncf_neg[:, at] = targets.negative_under(rows, ncf[:, at], labels[at])
        pcf_pos[..., at] = targets.positive_under(rows, pcf[:, at])
        return True

    # one thread of BLAS for each of ours: its results are then the same for any number of ours
    with threadpool_limits(1):
        estimator = build(targets.factors)
        with_counterfactual = all(_each_block(estimator, n, targets.m, block, threads))
        own = estimator.self_influence() if self_influence else None
    return Sums(neg, pos, ncf, pcf, *((ncf_neg, pcf_pos) if with_counterfactual else (None, None)), own)


def relabelled_sums(
    build: Build, factors: Factors, labels: np.ndarray, subset: np.ndarray, threads: int = 1
) -> ClassSums:
    """Class sums at the last checkpoint with the training samples under any other labels, int64 (n,).

    subset: bool (m,), the validation samples that count. Raises CellError if the estimator has no counterfactual.
    """
    targets = _Targets(factors, subset[None])
    neg, pos = (np.empty((factors.n_classes, factors.n_train), np.float32) for _ in range(2))

    def block(start: int, stop: int, rows: Rows) -> None:
        if rows.relabelled is None:
            raise CellError(NO_COUNTERFACTUAL)
        at = slice(start, stop)
        (neg[:, at],), (pos[:, at],) = targets.split(rows.relabelled(EVERY, labels[at]))

    with threadpool_limits(1):
        _each_block(build(targets.factors), factors.n_train, targets.m, block, threads)
    return ClassSums(neg.T, pos.T)


def blocks(estimator: Estimator, n: int, m: int) -> Iterator[tuple[int, int, Rows]]:
    """The influence matrix in row blocks: (start, stop, rows)."""
    for start, stop in _bounds(n, m, getattr(estimator, "width", 1)):
        yield start, stop, estimator.rows(start, stop)


def _bounds(n: int, m: int, width: int) -> list[tuple[int, int]]:
    """Rows of each block: equal parts, a multiple of EVEN, so that threads end together. width: see Estimator."""
    step = max(16, min(1024, max(256, BLOCK // m)) // width)
    parts = min(n, EVEN * -(-n // (EVEN * step)))
    edges = [n * i // parts for i in range(parts + 1)]
    return list(pairwise(edges))


def _each_block(estimator: Estimator, n: int, m: int, work: Callable, threads: int) -> list:
    """work(start, stop, rows) for every block, on several threads."""
    bounds = _bounds(n, m, getattr(estimator, "width", 1))
    if threads == 1:
        return [work(*bound, estimator.rows(*bound)) for bound in bounds]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda bound: work(*bound, estimator.rows(*bound)), bounds))


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
        """Sums of the negative and of the positive influence by subset and class: two float32 (S, C, b)."""
        if self.n_subsets > 1:
            matrix = as_matrix(influence)
            parts = np.minimum(matrix, 0), np.maximum(matrix, 0)
            return tuple(self._by_class(part).transpose(1, 0, 2) for part in parts)
        # one subset counts every target
        if isinstance(influence, Product):
            sums = np.empty((2, 1, self.n_classes, len(influence.left)), np.float32)
            weights = influence.left @ influence.right
            split_product_sums(influence.kernel, influence.offset, weights, self.starts, *sums[:, 0])
        else:
            sums = np.empty((2, 1, self.n_classes, len(influence)), np.float32)
            split_sums(influence, self.starts, *sums[:, 0])
        return tuple(sums)

    def negative_under(self, rows: Rows, labels: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Negative influence on the observed class (b,) under other labels (S, b): float32 (S, b)."""
        found = np.empty(labels.shape, np.float32)
        if self.n_subsets == 1:
            influence = rows.relabelled(EVERY, labels[0])
            if isinstance(influence, Product):
                product = (influence.kernel, influence.offset, influence.left, influence.right)
                negative_sums_of_class(*product, self.starts, observed, found[0])
            else:
                found[0] = self.split(influence)[0][0, observed, np.arange(len(observed))]
            return found
        occurs = self._occurs(labels)
        for c in np.unique(observed):
            for label in range(self.n_classes):
                at = np.flatnonzero(occurs[label] & (observed == c))
                if len(at):
                    influence = as_matrix(rows.relabelled(at, np.full(len(at), label), self.columns(c)))
                    sums = self.members[c] @ np.minimum(influence, 0).T
                    keep_label(sums[None], labels, label, at, found[:, None])
        return found

    def positive_under(self, rows: Rows, labels: np.ndarray) -> np.ndarray:
        """Positive influence on each class under other labels (S, b): float32 (S, C, b)."""
        if self.n_subsets == 1:
            return self.split(rows.relabelled(EVERY, labels[0]))[1]
        found = np.empty((len(labels), self.n_classes, labels.shape[1]), np.float32)
        for label, occurs in enumerate(self._occurs(labels)):
            at = np.flatnonzero(occurs)
            if len(at):
                influence = as_matrix(rows.relabelled(at, np.full(len(at), label)))
                keep_label(self._by_class(np.maximum(influence, 0)), labels, label, at, found)
        return found

    def _by_class(self, part: np.ndarray) -> np.ndarray:
        """Sums of part (k, m) by class and subset, float32 (C, S, k)."""
        sums = np.empty((self.n_classes, self.n_subsets, len(part)), np.float32)
        for c in range(self.n_classes):
            np.matmul(self.members[c], part[:, self.columns(c)].T, out=sums[c])
        return sums

    def _occurs(self, labels: np.ndarray) -> np.ndarray:
        """Which samples are relabelled to a class in any subset, bool (C, b), from labels (S, b). A sample's label may
        differ by subset, but takes few values: what each leads to is computed once."""
        occurs = np.zeros((self.n_classes, labels.shape[1]), bool)
        mark_labels(labels, occurs)
        return occurs
