"""Influence of one cell at each checkpoint alone."""

from glitchmark.influence.dynamics import dynamics
from glitchmark.stages._estimator import factors_and_build


def compute(spec, inputs, runtime):
    """arrays: those of dynamics.Dynamics. info: the epoch of each checkpoint."""
    factors, build = factors_and_build(spec, inputs, runtime)
    found = vars(dynamics(build, factors, runtime["threads"]))
    return found, {"epochs": inputs["train"].info["curves"]["epochs"]}
