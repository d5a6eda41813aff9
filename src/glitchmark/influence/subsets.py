"""Subsets of the validation samples: validation ratio is an axis of the influence pass, not of training."""

import numpy as np


def stratified_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of the samples in which every prefix has, as nearly as possible, the classes' proportions.

    labels: int (m,). Returns int64 (m,). Prefixes are nested by nature.
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


def validation_subset(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """bool (m,): a stratified draw of ``size`` validation samples; all of them if size is m or more."""
    chosen = np.zeros(len(labels), bool)
    chosen[stratified_order(labels, rng)[:size]] = True
    return chosen
