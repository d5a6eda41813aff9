"""Class sums of one cell's influence, for every validation subset, in one pass."""

import numpy as np

from glitchmark.influence.engine import class_sums
from glitchmark.stages._estimator import clean_subsets, factors_and_build


def compute(spec, inputs, runtime):
    """arrays: validation bool (S, m), labels (n,), and those of sums.Sums."""
    factors, build = factors_and_build(spec, inputs, runtime)
    if spec["estimator"]["against"] == "training":
        validation = np.ones((1, factors.n_val), bool)
    else:
        validation = clean_subsets(spec, inputs)
    sums = class_sums(build, factors, validation, self_influence=True, threads=runtime["threads"])
    arrays = {name: values for name, values in vars(sums).items() if values is not None}
    return {"validation": validation, "labels": factors.labels_train, **arrays}, {}
