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


def training_ids(inputs) -> np.ndarray:
    """The ids of their features, bytes (n,): of the subset's samples, and of those that a glitch made or changed."""
    own, content = inputs["features"].arrays["train"], inputs["inject"].arrays["content"]
    ids = np.empty(len(content), own.dtype)
    ids[: len(own)] = own  # glitches append samples and keep the others where they are
    if "changed_features" in inputs:
        ids[content >= 0] = inputs["changed_features"].arrays["changed"][content[content >= 0]]
    return ids
