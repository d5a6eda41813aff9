"""The inner loops of the influence pass, compiled: NumPy would read each block of the matrix several times more.

Target samples are sorted by class, so that class c is the columns starts[c] : starts[c + 1].
"""

import numpy as np
from numba import njit

# Sums may be reassociated, which lets them be vectorised; the inputs are finite (Factors checks that).
FAST = {"reassoc", "contract", "nsz", "nnan", "ninf", "arcp"}
ZERO = np.float32(0)


@njit(nogil=True, cache=True)
def below_maximum(logits, shifted):
    """shifted = logits minus the largest of each row; float32 (k, C)."""
    for i in range(len(logits)):
        largest = logits[i, 0]
        for c in range(1, logits.shape[1]):
            largest = max(largest, logits[i, c])
        for c in range(logits.shape[1]):
            shifted[i, c] = logits[i, c] - largest


@njit(nogil=True, cache=True)
def normalise_residuals(p, labels):
    """Unnormalised probabilities p (k, C) to softmax - onehot, in place; the labels (n,) repeat if k is larger."""
    for i in range(len(p)):
        label = labels[i % len(labels)]
        others = ZERO
        for c in range(p.shape[1]):
            if c != label:
                others += p[i, c]
        total = others + p[i, label]
        for c in range(p.shape[1]):
            p[i, c] /= total
        p[i, label] = -others / total


@njit(nogil=True, fastmath=FAST, cache=True)
def split_sums(matrix, starts, neg, pos):
    """neg, pos (C, b): sums of the negative and of the positive elements of matrix (b, m) by class; all float32."""
    for i in range(len(matrix)):
        for c in range(len(starts) - 1):
            row = matrix[i, starts[c] : starts[c + 1]]
            low, high = ZERO, ZERO
            for j in range(len(row)):
                low += min(row[j], ZERO)
                high += max(row[j], ZERO)
            neg[c, i], pos[c, i] = low, high


@njit(nogil=True, fastmath=FAST, cache=True)
def split_product_sums(kernel, offset, weights, starts, neg, pos):
    """As split_sums, of (kernel + offset) * weights, elementwise (b, m), which is not written out."""
    for i in range(len(kernel)):
        for c in range(len(starts) - 1):
            left, right = kernel[i, starts[c] : starts[c + 1]], weights[i, starts[c] : starts[c + 1]]
            low, high = ZERO, ZERO
            for j in range(len(left)):
                value = (left[j] + offset) * right[j]
                low += min(value, ZERO)
                high += max(value, ZERO)
            neg[c, i], pos[c, i] = low, high


@njit(nogil=True, fastmath=FAST, cache=True)
def negative_sums_of_class(kernel, offset, left, right, starts, classes, neg):
    """neg (b,): sums of the negative elements of (kernel + offset) * (left @ right) over the targets of a class a row.

    kernel (b, m), left (b, r), right (r, m): float32. classes: int64 (b,).
    """
    room = np.empty(kernel.shape[1], np.float32)
    for i in range(len(kernel)):
        start, stop = starts[classes[i]], starts[classes[i] + 1]
        weights = room[: stop - start]
        weights[:] = 0
        for r in range(len(right)):
            row, factor = right[r, start:stop], left[i, r]
            for j in range(len(weights)):
                weights[j] += factor * row[j]
        similarities, low = kernel[i, start:stop], ZERO
        for j in range(len(weights)):
            low += min((similarities[j] + offset) * weights[j], ZERO)
        neg[i] = low


@njit(nogil=True, fastmath=FAST, cache=True)
def add_product(kernel, offset, weights, total):
    """total += (kernel + offset) * weights, elementwise; float32 (b, m)."""
    for i in range(len(total)):
        for j in range(total.shape[1]):
            total[i, j] += (kernel[i, j] + offset) * weights[i, j]


@njit(nogil=True, fastmath=FAST, cache=True)
def counterfactual_classes(neg, pos, observed, ncf, pcf):
    """ncf (S, b): the class of the smallest neg (S, C, b); pcf (S, b): that of the largest pos, of those other than
    observed (b,). Ties go to the lowest class. (Myrtakis et al., KDD 2025, Algorithms 1 and 2.)"""
    n = neg.shape[2]
    for s in range(len(neg)):
        # contiguous and without branches, which lets the loop over samples be vectorised
        negative, positive = np.ascontiguousarray(neg[s]), np.ascontiguousarray(pos[s])
        # neg is never positive and pos never negative, so that the first class always counts
        lowest, highest = np.full(n, np.float32(1)), np.full(n, np.float32(-1))
        low, high = np.zeros(n, np.int32), np.zeros(n, np.int32)
        for c in range(neg.shape[1]):
            for i in range(n):
                lower = negative[c, i] < lowest[i]
                lowest[i] = negative[c, i] if lower else lowest[i]
                low[i] = c if lower else low[i]
                higher = (positive[c, i] > highest[i]) & (c != observed[i])
                highest[i] = positive[c, i] if higher else highest[i]
                high[i] = c if higher else high[i]
        ncf[s], pcf[s] = low, high


@njit(nogil=True, cache=True)
def keep_label(values, labels, label, at, found):
    """found[s, c, at[k]] = values[c, s, k] where labels[s, at[k]] is the label; values (C, S, k), found (S, C, b)."""
    for s in range(len(labels)):
        for k in range(len(at)):
            if labels[s, at[k]] == label:
                for c in range(len(values)):
                    found[s, c, at[k]] = values[c, s, k]


@njit(nogil=True, cache=True)
def mark_labels(labels, occurs):
    """Set occurs[c, i] where a sample i has the label c in any subset; labels (S, b), occurs bool (C, b)."""
    for s in range(len(labels)):
        for i in range(labels.shape[1]):
            occurs[labels[s, i], i] = True
