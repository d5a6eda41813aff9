"""Subsets of the validation samples: validation ratio is an axis of the influence pass, not of training."""

from typing import Any

import numpy as np

from glitchmark import seeds
from glitchmark.stratified import stratified_order


def validation_subset(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """bool (m,): a stratified draw of ``size`` validation samples; all of them if size is m or more."""
    chosen = np.zeros(len(labels), bool)
    chosen[stratified_order(labels, rng)[:size]] = True
    return chosen


def validation_subsets(labels: np.ndarray, n_train: int, spec: dict[str, Any]) -> np.ndarray:
    """bool (S, m): for each ratio, each of its draws (Myrtakis et al., KDD 2025, Fig. 3a).

    labels: of the validation samples, (m,). n_train: training samples of the subset, of which with the validation
    samples the ratios are shares. spec: "validation_ratios", "validation_bootstraps" and what the draws come from.
    Draws with the same number are nested: a smaller ratio's samples are among those of a larger one.
    """
    sizes = [max(1, round(ratio * (n_train + len(labels)))) for ratio in spec["validation_ratios"]]
    draws = [
        ("validation subset", spec["dataset"], *([str(b)] if b else [])) for b in range(spec["validation_bootstraps"])
    ]
    return np.stack(
        [validation_subset(labels, size, seeds.generator(spec["seed"], *draw)) for size in sizes for draw in draws]
    )
