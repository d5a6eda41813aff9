"""Subsets of the validation samples: validation ratio is an axis of the influence pass, not of training."""

from typing import Any

import numpy as np

from glitchmark import seeds
from glitchmark.stratified import stratified_order


def validation_subsets(labels: np.ndarray, spec: dict[str, Any]) -> np.ndarray:
    """bool (S, m): for each ratio, each of its draws (Myrtakis et al., KDD 2025, Fig. 3a).

    labels: of the validation samples, (m,). spec: "validation", the share of the subset that these are; the shares
    "validation_ratios"; "validation_bootstraps" and what the draws come from.
    Draws with the same number are nested: a smaller ratio's samples are among those of a larger one.
    """
    sizes = [max(1, round(ratio / spec["validation"] * len(labels))) for ratio in spec["validation_ratios"]]
    draws = [
        ("validation subset", spec["dataset"], *([str(b)] if b else [])) for b in range(spec["validation_bootstraps"])
    ]
    orders = [stratified_order(labels, seeds.generator(spec["seed"], *draw)) for draw in draws]
    subsets = np.zeros((len(sizes), len(draws), len(labels)), bool)
    for by_draw, size in zip(subsets, sizes, strict=True):
        for subset, order in zip(by_draw, orders, strict=True):
            subset[order[:size]] = True
    return subsets.reshape(-1, len(labels))
