"""One baseline detector on one cell."""

import numpy as np

from glitchmark import registry, seeds
from glitchmark.datasets._tables import encode
from glitchmark.detectors import Data
from glitchmark.feature_store import factor_arrays
from glitchmark.scores import checked
from glitchmark.stages._samples import training_inputs
from glitchmark.stages._scoring import score_arrays


def compute(spec, inputs, runtime):
    """arrays: see _scoring.score_arrays; one row."""
    plugin = registry.load("detector", spec["detector"]["name"])
    readers = {
        "inputs": lambda: _inputs(inputs),
        "features": lambda: np.array(
            factor_arrays(inputs["train"], runtime["features"], ("train",))["features_train"][-1]
        ),
        "out_of_sample": lambda: _softmax(inputs["crossval"].arrays["logits"]),
    }
    labels = np.array(inputs["inject"].arrays["observed_label"])
    n_classes = len(inputs["pool"].info["class_names"])
    seed = seeds.integer(spec["seed"], "detector", plugin.name, spec["dataset"])
    data = Data(labels, n_classes, seed, {name: readers[name] for name in plugin.info["reads"]})
    result = plugin.function(data, **spec["detector"]["params"])
    return score_arrays([checked(result, f"detector '{plugin.name}'", len(labels), n_classes)]), {}


def _inputs(inputs) -> np.ndarray:
    """Images as they are, tables as models read them: without missing values, categories or units."""
    x = training_inputs(inputs)
    return x if x.ndim > 2 else encode(x, categories=inputs["pool"].info["categories"])[0]


def _softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return p / p.sum(axis=1, keepdims=True)
