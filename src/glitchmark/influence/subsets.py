"""Subsets of the validation samples: validation ratio is an axis of the influence pass, not of training."""

import numpy as np


def stratified_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of the samples in which every prefix has, as nearly as possible, the classes' proportions.

    labels: int (m,). Returns int64 (m,). Prefixes are nested by nature.
    """
    shuffled = rng.permutation(len(labels))
    place = np.empty(len(labels))
    for c in np.unique(labels):
        mine = shuffled[labels[shuffled] == c]
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    return shuffled[np.argsort(place[shuffled], kind="stable")]


def validation_subset(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """bool (m,): a stratified draw of ``size`` validation samples; all of them if size is m or more."""
    chosen = np.zeros(len(labels), bool)
    chosen[stratified_order(labels, rng)[:size]] = True
    return chosen
