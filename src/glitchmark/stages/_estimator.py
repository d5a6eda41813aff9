"""A cell's factors and estimator, as its spec and inputs name them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from glitchmark import registry
from glitchmark.feature_store import factor_arrays
from glitchmark.influence.factors import Factors
from glitchmark.influence.subsets import validation_subsets

if TYPE_CHECKING:
    from glitchmark.influence.engine import Build


def cell_factors(inputs, runtime) -> Factors:
    """The factors, with the observed labels of the validation samples where those are noisy."""
    arrays = factor_arrays(inputs["train"], runtime["features"])
    if "validation" in inputs:
        arrays = {**arrays, "labels_val": inputs["validation"].arrays["labels"]}
    return Factors.from_arrays(arrays)


def clean_subsets(spec, inputs) -> np.ndarray:
    """bool (S, m): the validation subsets, which noise in the validation labels does not move."""
    return validation_subsets(inputs["train"].arrays["labels_val"], spec)


def factors_and_build(spec, inputs, runtime) -> tuple[Factors, Build]:
    """The factors, with the training samples as targets if the estimator is against those, and factors -> estimator."""
    ref = spec["estimator"]
    factors = cell_factors(inputs, runtime)
    build = partial(registry.load("estimator", ref["name"]).function, **ref["params"])
    return factors.against_training() if ref["against"] == "training" else factors, build
