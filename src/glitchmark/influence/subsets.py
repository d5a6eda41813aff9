"""Subsets of the validation samples: validation ratio is an axis of the influence pass, not of training."""

import numpy as np

from glitchmark.stratified import stratified_order


def validation_subset(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """bool (m,): a stratified draw of ``size`` validation samples; all of them if size is m or more."""
    chosen = np.zeros(len(labels), bool)
    chosen[stratified_order(labels, rng)[:size]] = True
    return chosen
