"""What the frozen part of a network computes: of a subset, and of the inputs that a glitch made.

The features themselves lie in the feature store, which computes those that no cell has needed before.
"""

import numpy as np
import torch

from glitchmark.feature_store import content_ids, fill, opened
from glitchmark.training.trunk import Trunk


def compute(spec, inputs, runtime):
    """arrays: ids of features (see feature_store.content_ids): train, val, test (of a subset), or changed (of the
    inputs that a glitch made). info: "trunk", the folder of the feature store that holds them, and how many parameters
    are frozen.
    """
    torch.set_num_threads(runtime["threads"])
    pool = inputs["pool"].arrays["x"]
    sides = pool.shape[1:3]
    if "inject" in inputs:
        images = {"changed": np.array(inputs["inject"].arrays.get("changed", pool[:0]))}  # it may have made none
    else:
        images = {part: pool[inputs["subset"].arrays[part]] for part in ("train", "val", "test")}
    trunk = Trunk(spec["trunk"], sides, runtime["paths"]["weights"])
    name = trunk.folder(runtime["threads"])
    store = opened(runtime["features"], name)
    ids = {part: content_ids(x) for part, x in images.items()}
    for part, x in images.items():
        fill(store, ids[part], lambda positions, x=x: trunk.batches(x.__getitem__, positions), trunk.about)
    return ids, {"trunk": name, "parameters": {"frozen": store.about().get("parameters", 0)}}
