"""Similarity of features to those of the clean samples."""

from collections.abc import Callable

import numpy as np

from glitchmark.signals import Influence

CHUNK = 1024  # training samples whose similarities are in memory at once


def mean_similarity(
    influence: Influence,
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray],
    class_based: bool,
    per_class: int | None,
) -> np.ndarray:
    """Mean similarity to the clean features at the last checkpoint, float64 (n,): Nguyen-Duc et al., Algorithm 1 with
    features for gradients; or where class_based the smallest class mean, Algorithm 2.

    similarity: float64 (k, d) and (m, d) -> (k, m). per_class: how many clean samples of each class count; null for
    all. Classes without clean samples do not count.
    """
    influence = influence.with_clean_per_class(per_class)
    f = influence.factors
    clean = f.features_val[-1][influence.validation].astype(np.float64)
    classes, group = np.unique(f.labels_val[influence.validation], return_inverse=True)
    if not class_based:
        classes, group = classes[:1], np.zeros_like(group)
    # (m, groups): each group's samples share a weight of 1
    weights = np.eye(len(classes))[group] / np.bincount(group)
    chunks = [f.features_train[-1, i : i + CHUNK].astype(np.float64) for i in range(0, f.n_train, CHUNK)]
    return np.concatenate([(similarity(chunk, clean) @ weights).min(axis=1) for chunk in chunks])
