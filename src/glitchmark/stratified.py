"""Stratified draws: of a subset from a pool, of validation from a subset, of fewer validation samples."""

import numpy as np


def stratified_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of the samples in which every prefix has each class within one sample of its share.

    labels: int (m,). Returns int64 (m,). A draw of k samples is the first k; draws are nested by nature.
    """
    shuffled = rng.permutation(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    mixed = rng.permutation(len(classes))  # so that ties favour no class
    classes, counts = classes[mixed], counts[mixed]
    waiting = [iter(shuffled[labels[shuffled] == c]) for c in classes]
    taken, order = np.zeros(len(classes), np.int64), np.empty(len(labels), np.int64)
    for size in range(1, len(labels) + 1):
        # of the classes that are below their share of this size, the one whose next sample is due first
        due = np.where(taken * len(labels) < size * counts, (taken + 1) / counts, np.inf)
        c = due.argmin()
        order[size - 1] = next(waiting[c])
        taken[c] += 1
    return order
