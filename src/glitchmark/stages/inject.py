"""Training data with glitches: references to pool rows with their truth, and the inputs that glitches made."""

import numpy as np

from glitchmark import registry, seeds
from glitchmark.datasets._images import fit_images
from glitchmark.errors import CellError
from glitchmark.glitches import ANOMALOUS, AnomalySource, TrainingData

STORED = ("source", "row", "true_label", "observed_label", "glitch", "kind", "content", "changed")


def compute(spec, inputs, runtime):
    """arrays: id and those of STORED: one element a training sample, but for ``changed``, which may be missing.

    ``id`` is the sample's stable identity, "<source>:<row>"; see glitches.TrainingData for the rest.
    """
    data = clean = _clean(spec, inputs)
    for position, part in enumerate(spec["parts"]):
        plugin = registry.load("glitch", part["name"])
        rng = seeds.generator(spec["seed"], "glitch", spec["dataset"], part["name"], str(position))
        extra = [_anomalies(spec, inputs)] if plugin.info["needs_anomaly_source"] else []
        before, data = data, plugin.function(data, rng, *extra, **part["params"])
        if plugin.info["kind"] != ANOMALOUS and data.changed is not before.changed:
            raise CellError(f"glitch '{plugin.name}' changes inputs, so it must be declared with kind='{ANOMALOUS}'")
    ids = np.char.add(np.char.add(data.source, ":"), data.row.astype(str))
    _check(data, clean, ids)
    arrays = {"id": ids} | {name: getattr(data, name) for name in STORED}
    return {name: values for name, values in arrays.items() if values is not None}, {}


def _clean(spec, inputs) -> TrainingData:
    pool, rows = inputs["pool"], np.array(inputs["subset"].arrays["train"])
    annotated = pool.arrays.get("annotated")
    return TrainingData.clean(
        spec["dataset"],
        rows,
        np.array(pool.arrays["y"])[rows],
        len(pool.info["class_names"]),
        lambda wanted: np.asarray(pool.arrays["x"][wanted]),
        categories=tuple(pool.info["categories"]),
        annotated=None if annotated is None else np.array(annotated)[rows],
    )


def _anomalies(spec, inputs) -> AnomalySource:
    arrays, shape = inputs["anomaly_pool"].arrays, inputs["pool"].arrays["x"].shape[1:]
    labels = np.array(arrays["y"])
    usable = ~np.array(arrays["is_test"]) if "is_test" in arrays else np.ones(len(labels), bool)
    return AnomalySource(spec["anomaly_source"], labels, lambda rows: fit_images(arrays["x"][rows], shape), usable)


def _check(data: TrainingData, clean: TrainingData, ids: np.ndarray) -> None:
    """Stored features are found by position: glitches may change and append samples, but not reorder them."""
    n = clean.n_original
    kept = len(data.row) >= n and (data.source[:n] == clean.source).all() and (data.row[:n] == clean.row).all()
    if not kept or (data.content[n:] < 0).any() or len(np.unique(ids)) < len(ids):
        raise CellError("a glitch must keep the training samples in order, and append others with ids of their own")
