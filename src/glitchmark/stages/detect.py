"""One baseline detector on one cell."""

import numpy as np

from glitchmark import registry, seeds
from glitchmark.detectors import Data
from glitchmark.scores import checked
from glitchmark.stages._samples import training_inputs
from glitchmark.stages._scoring import score_arrays


def compute(spec, inputs, runtime):
    """arrays: see _scoring.score_arrays; one row."""
    plugin = registry.load("detector", spec["detector"]["name"])
    readers = {
        "inputs": lambda: training_inputs(spec, inputs),
        "features": lambda: np.array(inputs["train"].arrays["features_train"][-1]),
        "out_of_sample": lambda: _softmax(inputs["crossval"].arrays["logits"]),
    }
    labels = np.array(inputs["inject"].arrays["observed_label"])
    n_classes = len(inputs["pool"].info["class_names"])
    seed = seeds.integer(spec["seed"], "detector", plugin.name, spec["dataset"])
    data = Data(labels, n_classes, seed, {name: readers[name] for name in plugin.info["reads"]})
    result = plugin.function(data, **spec["detector"]["params"])
    return score_arrays([checked(result, f"detector '{plugin.name}'", len(labels), n_classes)]), {}


def _softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return p / p.sum(axis=1, keepdims=True)
