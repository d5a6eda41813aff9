"""Do the gradients of clean samples agree within a class, and not across classes? One cell's answer."""

from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from glitchmark.errors import CellError
from glitchmark.feature_store import factor_arrays
from glitchmark.influence.engine import blocks
from glitchmark.influence.estimators.grad_dot import GradDot
from glitchmark.influence.factors import Factors

BINS = 61  # odd, so that products of nearly zero lie in one bin
OUTSIDE = 100  # one in so many products may lie beyond the histogram's range


def compute(spec, inputs, runtime):
    """arrays: edges (BINS + 1,), and the shares of the products in each bin, (BINS,): same, of pairs of one class, and
    cross, of the others. info: for both, the share that is "positive", the mean "magnitude" and the number of "pairs".

    The products are <g_i, g_j> of the last layer's gradients at the last checkpoint, of the clean validation samples
    i < j (Nguyen-Duc et al., ACL 2023, section 3.1). The range is symmetric and holds 99 % of them; the others count in
    the outermost bins. Raises CellError where either kind of pair does not occur.
    """
    arrays = factor_arrays(inputs["train"], runtime["features"], ("val",))
    features, logits, labels = arrays["features_val"][-1:], arrays["logits_val"][-1:], arrays["labels_val"]
    clean = Factors(features, features, logits, logits, labels, labels, np.ones(1), 1)
    limit = _limit(clean)
    edges = np.linspace(-limit, limit, BINS + 1)
    counts, positive, magnitude = np.zeros((2, BINS)), np.zeros(2), np.zeros(2)
    for products, cross in _products(clean):
        for kind, members in enumerate((products[~cross], products[cross])):
            counts[kind] += np.histogram(members.clip(-limit, limit), BINS, (-limit, limit))[0]
            positive[kind] += np.count_nonzero(members > 0)
            magnitude[kind] += np.abs(members).sum(dtype=np.float64)
    pairs = counts.sum(axis=1)
    if not pairs.all():
        raise CellError("the validation samples have no two of one class, or of two classes; use a larger 'validation'")
    info = {
        name: {"positive": positive[k] / pairs[k], "magnitude": magnitude[k] / pairs[k], "pairs": int(pairs[k])}
        for k, name in enumerate(("same", "cross"))
    }
    return {"edges": edges, "same": counts[0] / pairs[0], "cross": counts[1] / pairs[1]}, info


def _limit(clean: Factors) -> float:
    """The magnitude that one in OUTSIDE products reaches; that of the largest where it is zero, and 1 where all are."""
    m = clean.n_val
    count = max(1, m * (m - 1) // 2 // OUTSIDE)
    largest = np.zeros(1)
    for products, _ in _products(clean):
        there = np.concatenate([largest, np.abs(products)])
        largest = np.partition(there, -count)[-count:] if len(there) > count else there
    return float(largest.min() or largest.max() or 1)


def _products(clean: Factors) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """<g_i, g_j> of all pairs i < j, float32 (k,) a block, and which are of two classes, bool (k,)."""
    m, labels = clean.n_val, clean.labels_val
    with threadpool_limits(1):  # results must not depend on how many cores there are
        for start, stop, rows in blocks(GradDot(clean), m, m):
            later = np.arange(m) > np.arange(start, stop)[:, None]
            yield rows.matrix()[later], (labels[start:stop, None] != labels)[later]
