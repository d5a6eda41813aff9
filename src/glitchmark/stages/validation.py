"""Observed labels of the validation samples where these are noisy as well."""

import numpy as np

from glitchmark import seeds
from glitchmark.glitches import TrainingData
from glitchmark.glitches.class_dependent import class_dependent


def compute(spec, inputs, runtime):
    """arrays: labels int64 (m,); class-dependent noise, as in Myrtakis et al., KDD 2025, section 6.1.3."""
    pool, rows = inputs["pool"], np.array(inputs["subset"].arrays["val"])
    labels, n_classes = np.array(pool.arrays["y"])[rows], len(pool.info["class_names"])
    clean = TrainingData.clean(spec["dataset"], rows, labels, n_classes, lambda wanted: pool.arrays["x"][wanted])
    rng = seeds.generator(spec["seed"], "validation noise", spec["dataset"])
    return {"labels": class_dependent(clean, rng, ratio=spec["validation_noise"]).observed_label}, {}
