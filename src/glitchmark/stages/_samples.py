"""Fetching the samples that a cell refers to."""

import numpy as np

from glitchmark.datasets._images import fit_images


def training_inputs(spec, inputs) -> np.ndarray:
    """The raw inputs of a cell's training samples, (n, ...), anomalies fitted to the data set's shape."""
    pool, data = inputs["pool"].arrays["x"], inputs["inject"].arrays
    own = data["source"] == spec["dataset"]
    x = np.empty((len(own), *pool.shape[1:]), pool.dtype)
    x[own] = pool[data["row"][own]]
    if not own.all():
        x[~own] = foreign_inputs(spec, inputs)
    return x


def foreign_inputs(spec, inputs) -> np.ndarray:
    """The anomalies among a cell's training samples, in order, fitted to the data set's shape."""
    data = inputs["inject"].arrays
    rows = data["row"][data["source"] != spec["dataset"]]
    return fit_images(inputs["anomaly_pool"].arrays["x"][rows], inputs["pool"].arrays["x"].shape[1:])
