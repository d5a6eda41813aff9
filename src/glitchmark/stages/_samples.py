"""Fetching the samples that a cell refers to."""

import numpy as np


def training_inputs(inputs, samples: np.ndarray | slice = slice(None)) -> np.ndarray:
    """The raw inputs of a cell's training samples, or of some of them, (n, ...), as glitches left them."""
    pool, data = inputs["pool"].arrays["x"], inputs["inject"].arrays
    content, row = data["content"][samples], data["row"][samples]
    own = content < 0
    x = np.empty((len(own), *pool.shape[1:]), pool.dtype)
    x[own] = pool[row[own]]
    if not own.all():
        x[~own] = data["changed"][content[~own]]
    return x


def training_features(inputs) -> np.ndarray:
    """What the frozen part computes from them, (n, ...): from the subset's samples, and from those that a glitch made
    or changed."""
    own, content = inputs["features"].arrays["train"], inputs["inject"].arrays["content"]
    if "changed_features" not in inputs:
        return np.array(own)
    x = np.empty((len(content), *own.shape[1:]), own.dtype)
    x[: len(own)] = own  # glitches append samples and keep the others where they are
    x[content >= 0] = inputs["changed_features"].arrays["changed"][content[content >= 0]]
    return x
