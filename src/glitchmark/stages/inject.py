"""Training data with glitches, as references to pool rows with their truth."""

import numpy as np

from glitchmark import registry, seeds
from glitchmark.glitches import AnomalySource, TrainingData


def compute(spec, inputs, runtime):
    """arrays: id, source, row, true_label, observed_label, glitch, kind: one element a training sample.

    ``id`` is the sample's stable identity, "<source>:<row>"; see glitches.TrainingData for the rest.
    """
    pool, rows = inputs["pool"], inputs["subset"].arrays["train"]
    dataset, n_classes = spec["dataset"], len(pool.info["class_names"])
    data = TrainingData.clean(dataset, np.array(rows), np.array(pool.arrays["y"])[rows], n_classes)
    for position, part in enumerate(spec["parts"]):
        plugin = registry.load("glitch", part["name"])
        rng = seeds.generator(spec["seed"], "glitch", dataset, part["name"], str(position))
        extra = []
        if plugin.info["needs_anomaly_source"]:
            extra = [AnomalySource(spec["anomaly_source"], np.array(inputs["anomaly_pool"].arrays["y"]))]
        data = plugin.function(data, rng, *extra, **part["params"])
    ids = np.char.add(np.char.add(data.source, ":"), data.row.astype(str))
    arrays = {name: getattr(data, name) for name in ("source", "row", "true_label", "observed_label", "glitch", "kind")}
    return {"id": ids, **arrays}, {}
