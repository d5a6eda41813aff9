"""The whole influence matrix of one cell, for small data."""

from glitchmark.influence.view import Influence
from glitchmark.stages._estimator import factors_and_build


def compute(spec, inputs, runtime):
    """arrays: influence float32 (n, m)."""
    return {"influence": Influence.from_factors(*factors_and_build(spec, inputs, runtime)).matrix()}, {}
