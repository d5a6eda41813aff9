"""A cell's factors and estimator, as its spec names them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from glitchmark import registry
from glitchmark.influence.factors import Factors

if TYPE_CHECKING:
    from glitchmark.influence.engine import Build


def factors_and_build(spec, inputs) -> tuple[Factors, Build]:
    """The factors, with the training samples as targets if the estimator is against those, and factors -> estimator."""
    ref = spec["estimator"]
    factors = Factors.from_arrays(inputs["train"].arrays)
    build = partial(registry.load("estimator", ref["name"]).function, **ref["params"])
    return factors.against_training() if ref["against"] == "training" else factors, build
