"""One baseline detector on one cell."""

import numpy as np

from glitchmark import registry, seeds
from glitchmark.datasets._tables import encode
from glitchmark.detectors import Data
from glitchmark.feature_store import MissingFeatures, factor_arrays, opened
from glitchmark.scores import checked
from glitchmark.stages._samples import training_inputs
from glitchmark.stages._scoring import score_arrays
from glitchmark.store import DamagedEntry


def compute(spec, inputs, runtime):
    """arrays: see _scoring.score_arrays; one row.

    inputs: "pool", and "inject", or where a detector reads no labels and the glitch left the inputs alone, "subset".
    Besides "train" for features, or where only the head is trained, "features" and, if a glitch made or changed inputs,
    "changed_features"; "crossval" for probabilities.
    """
    plugin = registry.load("detector", spec["detector"]["name"])
    readers = {
        "inputs": lambda: _inputs(inputs),
        "features": lambda: _features(inputs, runtime["features"]),
        "out_of_sample": lambda: _softmax(inputs["crossval"].arrays["logits"]),
        "labels": lambda: np.array(inputs["inject"].arrays["observed_label"]),
    }
    n_classes = len(inputs["pool"].info["class_names"])
    seed = seeds.integer(spec["seed"], "detector", plugin.name, spec["dataset"])
    data = Data(n_classes, seed, {name: readers[name] for name in plugin.info["reads"]})
    result = plugin.function(data, **spec["detector"]["params"])
    return score_arrays([checked(result, f"detector '{plugin.name}'", _size(inputs), n_classes)]), {}


def _size(inputs) -> int:
    """How many training samples there are."""
    return len(inputs["inject"].arrays["row"] if "inject" in inputs else inputs["subset"].arrays["train"])


def _inputs(inputs) -> np.ndarray:
    """Images as they are, tables as models read them: without missing values, categories or units."""
    pool = inputs["pool"]
    x = training_inputs(inputs) if "inject" in inputs else pool.arrays["x"][inputs["subset"].arrays["train"]]
    return x if x.ndim > 2 else encode(x, categories=pool.info["categories"])[0]


def _features(inputs, folder) -> np.ndarray:
    """Those of the last checkpoint, float32 (n, d), which where only the head is trained are the same for all."""
    if "train" in inputs:
        return np.array(factor_arrays(inputs["train"], folder, ("train",))["features_train"][-1])
    own = _stored(inputs["features"], "train", folder)
    if "changed_features" not in inputs:
        return own
    content = inputs["inject"].arrays["content"]
    x = np.empty((len(content), own.shape[1]), np.float32)
    x[: len(own)] = own  # glitches append samples and keep the others where they are
    if (content >= 0).any():
        x[content >= 0] = _stored(inputs["changed_features"], "changed", folder)[content[content >= 0]]
    return x


def _stored(features, part: str, folder) -> np.ndarray:
    """Rows of the feature store, float32 (k, d). Raises DamagedEntry where some were lost: its stage computes them."""
    store = opened(folder, features.info["trunk"])
    try:
        return store.rows(np.array(features.arrays[part]))
    except MissingFeatures:
        raise DamagedEntry(features.path, f"refers to features in {store.folder} that are damaged or missing") from None


def _softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return p / p.sum(axis=1, keepdims=True)
