"""The inner loops of the influence pass, compiled: NumPy would read each block of the matrix several times more.

Target samples are sorted by class, so that class c is the columns starts[c] : starts[c + 1].
"""

import numpy as np
from numba import njit

# Sums may be reassociated, which lets them be vectorised; the inputs are finite (Factors checks that).
FAST = {"reassoc", "contract", "nsz", "nnan", "ninf", "arcp"}
ZERO = np.float32(0)


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
def split_product_sums(kernel, weights, starts, neg, pos):
    """As split_sums, of the elementwise product of kernel and weights (b, m), which is not written out."""
    for i in range(len(kernel)):
        for c in range(len(starts) - 1):
            left, right = kernel[i, starts[c] : starts[c + 1]], weights[i, starts[c] : starts[c + 1]]
            low, high = ZERO, ZERO
            for j in range(len(left)):
                value = left[j] * right[j]
                low += min(value, ZERO)
                high += max(value, ZERO)
            neg[c, i], pos[c, i] = low, high


@njit(nogil=True, fastmath=FAST, cache=True)
def negative_sums_of_class(kernel, left, right, starts, classes, neg):
    """neg (b,): sums of the negative elements of kernel * (left @ right) over the targets of one class a row.

    kernel (b, m), left (b, r), right (r, m): float32. classes: int64 (b,).
    """
    for i in range(len(kernel)):
        start, stop = starts[classes[i]], starts[classes[i] + 1]
        weights = np.zeros(stop - start, np.float32)
        for r in range(len(right)):
            row, factor = right[r, start:stop], left[i, r]
            for j in range(len(weights)):
                weights[j] += factor * row[j]
        similarities, low = kernel[i, start:stop], ZERO
        for j in range(len(weights)):
            low += min(similarities[j] * weights[j], ZERO)
        neg[i] = low


@njit(nogil=True, fastmath=FAST, cache=True)
def add_product(kernel, weights, total):
    """total += kernel * weights, elementwise; float32 (b, m)."""
    for i in range(len(total)):
        for j in range(total.shape[1]):
            total[i, j] += kernel[i, j] * weights[i, j]


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
        for c in range(len(values)):
            for k in range(len(at)):
                if labels[s, at[k]] == label:
                    found[s, c, at[k]] = values[c, s, k]
