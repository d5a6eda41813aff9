"""One signal on one cell, for every validation subset that it reads."""

from functools import cache, partial

import numpy as np

from glitchmark import registry, seeds
from glitchmark.influence.dynamics import Dynamics
from glitchmark.influence.sums import Sums
from glitchmark.influence.view import Influence
from glitchmark.scores import checked
from glitchmark.stages._estimator import cell_factors, clean_subsets, factors_and_build
from glitchmark.stages._scoring import score_arrays


def compute(spec, inputs, runtime):
    """arrays: see _scoring.score_arrays; one row a validation subset."""
    plugin = registry.load("signal", spec["signal"]["name"])
    seed = seeds.integer(spec["seed"], "signals", spec["dataset"])  # the same for all, which can so share their draws
    scores = []
    for influence in READERS[plugin.info["reads"]](spec, inputs, runtime, seed):
        result = plugin.function(influence, **spec["signal"]["params"])
        scores.append(checked(result, f"signal '{plugin.name}'", len(influence.labels), influence.n_classes))
    return score_arrays(scores), {}


def _with_influence(spec, inputs, runtime, seed):
    """The stored sums of an estimator; one Influence a validation subset."""
    stored, both = inputs["influence"].arrays, cache(lambda: factors_and_build(spec, inputs, runtime))
    for s, validation in enumerate(stored["validation"]):
        readers = {
            "sums": partial(_sums, stored, s),
            "factors": lambda: both()[0],
            "build": lambda: both()[1],
        }
        if "dynamics" in inputs:
            readers["dynamics"] = lambda: Dynamics(**inputs["dynamics"].arrays)
        yield Influence(stored["labels"], stored["neg"].shape[1], validation, seed, readers)


def _with_factors(spec, inputs, runtime, seed):
    """The factors alone; one Influence a validation subset."""
    factors = cell_factors(inputs, runtime)
    for validation in clean_subsets(spec, inputs):
        yield Influence.from_factors(factors, None, validation, seed)


def _with_training(spec, inputs, runtime, seed):
    """The factors with no validation samples: what they would add is in no key."""
    factors = cell_factors(inputs, runtime)
    yield Influence.from_factors(factors.with_validation(np.zeros(factors.n_val, bool)), None, None, seed)


def _sums(stored, s: int) -> Sums:
    """Those of one validation subset."""
    by_subset = [name for name in ("neg", "pos", "ncf", "pcf", "ncf_neg", "pcf_pos") if name in stored]
    return Sums(**{name: stored[name][s : s + 1] for name in by_subset}, self_influence=stored["self_influence"])


READERS = {
    "influence": _with_influence,
    "dynamics": _with_influence,
    "factors": _with_factors,
    "training": _with_training,
}
