"""Training data with glitches, as references to pool rows with their truth."""

import numpy as np

from glitchmark import registry, seeds
from glitchmark.errors import CellError
from glitchmark.glitches import AnomalySource, TrainingData


def compute(spec, inputs, runtime):
    """arrays: id, source, row, true_label, observed_label, glitch, kind: one element a training sample.

    ``id`` is the sample's stable identity, "<source>:<row>"; see glitches.TrainingData for the rest.
    """
    pool, rows = inputs["pool"], inputs["subset"].arrays["train"]
    dataset, n_classes = spec["dataset"], len(pool.info["class_names"])
    data = TrainingData.clean(dataset, np.array(rows), np.array(pool.arrays["y"])[rows], n_classes)
    clean = data
    for position, part in enumerate(spec["parts"]):
        plugin = registry.load("glitch", part["name"])
        rng = seeds.generator(spec["seed"], "glitch", dataset, part["name"], str(position))
        extra = []
        if plugin.info["needs_anomaly_source"]:
            extra = [AnomalySource(spec["anomaly_source"], np.array(inputs["anomaly_pool"].arrays["y"]))]
        data = plugin.function(data, rng, *extra, **part["params"])
    _check_order(data, clean, spec.get("anomaly_source"))
    ids = np.char.add(np.char.add(data.source, ":"), data.row.astype(str))
    arrays = {name: getattr(data, name) for name in ("source", "row", "true_label", "observed_label", "glitch", "kind")}
    return {"id": ids, **arrays}, {}


def _check_order(data: TrainingData, clean: TrainingData, anomaly_source: str | None) -> None:
    """Stored features are found by position: glitches may relabel and append, but not reorder."""
    n = clean.n_original
    kept = len(data.row) >= n and (data.source[:n] == clean.source).all() and (data.row[:n] == clean.row).all()
    if not kept or (data.source[n:] != (anomaly_source or "")).any():
        raise CellError("a glitch must keep the training samples in their order and append those of its anomaly source")
