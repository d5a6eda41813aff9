"""What the frozen part of a network computes: once for a subset, and once for the inputs that a glitch made."""

import numpy as np
import torch

from glitchmark.training.classifier import build
from glitchmark.training.inputs import BATCH, forward, image_shape, image_tensor


def compute(spec, inputs, runtime):
    """arrays: train, val (of a subset), or changed (of the inputs that a glitch made): float32 (n, ...)."""
    torch.set_num_threads(runtime["threads"])
    pool = inputs["pool"].arrays["x"]
    if "inject" in inputs:
        images = {"changed": np.array(inputs["inject"].arrays["changed"])}
    else:
        images = {part: pool[inputs["subset"].arrays[part]] for part in ("train", "val")}
    shape, size = image_shape(pool.shape[1:3], spec["input_size"]), spec["input_size"]
    n_classes = len(inputs["pool"].info["class_names"])
    # The seed draws the head alone, which no feature depends on: the rest comes from the weights file.
    parts = build(spec["model"], shape, n_classes, 0, (), runtime["paths"]["weights"], spec["weights"])
    frozen, _ = parts.split(spec["trained"])
    return {name: _features(frozen, x, size) for name, x in images.items()}, {}


def _features(frozen: torch.nn.Module, x: np.ndarray, size: int | None) -> np.ndarray:
    """Batch by batch, since images that are resized for a large model fill the memory."""
    batches = (image_tensor(x[start : start + BATCH], size) for start in range(0, len(x), BATCH))
    return torch.cat([forward(frozen, batch) for batch in batches]).numpy()
