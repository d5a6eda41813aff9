"""Class sums of one cell's influence, for every validation ratio, in one pass."""

import numpy as np

from glitchmark import registry, seeds
from glitchmark.influence.engine import class_sums
from glitchmark.influence.factors import Factors
from glitchmark.influence.subsets import validation_subset


def compute(spec, inputs, runtime):
    """arrays: validation bool (S, m), self_influence (n,), labels (n,), and per subset the sums of engine.Sums."""
    factors = Factors.from_arrays(inputs["train"].arrays)
    estimator = registry.load("estimator", spec["estimator"]["name"]).function(factors, **spec["estimator"]["params"])
    whole = len(inputs["subset"].arrays["train"]) + factors.n_val
    validation = np.stack(
        [
            validation_subset(
                factors.labels_val,
                max(1, round(ratio * whole)),
                seeds.generator(spec["seed"], "validation subset", spec["dataset"]),
            )
            for ratio in spec["validation_ratios"]
        ]
    )
    sums = class_sums(estimator, factors.labels_train, factors.labels_val, factors.n_classes, validation)
    arrays = {
        "validation": validation,
        "labels": factors.labels_train,
        "self_influence": estimator.self_influence(),
        "ncf": np.stack([s.ncf for s in sums]),
        "pcf": np.stack([s.pcf for s in sums]),
    }
    for name in ("observed", "under_ncf", "under_pcf"):
        for sign in ("neg", "pos"):
            arrays[f"{name}_{sign}"] = np.stack([getattr(getattr(s, name), sign) for s in sums])
    return arrays, {}
