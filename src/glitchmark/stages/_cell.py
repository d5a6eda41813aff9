"""A cell's network and data, ready to be trained: what training and cross-validation share."""

from dataclasses import dataclass

import numpy as np
import torch

from glitchmark.datasets._tables import encode
from glitchmark.models import Parts
from glitchmark.stages._samples import training_features, training_inputs
from glitchmark.training.classifier import build
from glitchmark.training.inputs import channels_last, image_shape, image_tensor
from glitchmark.training.sgd import Settings


@dataclass(frozen=True)
class Cell:
    """x_train, x_val: inputs of the trained part. y_train, y_val: observed labels, int64."""

    spec: dict
    weights: str | None
    shape: tuple[int, ...]
    n_classes: int
    x_train: torch.Tensor
    x_val: torch.Tensor
    y_train: torch.Tensor
    y_val: torch.Tensor
    settings: Settings

    def network(self) -> Parts:
        """A fresh network with this cell's initial weights."""
        cell, digest = (self.spec["dataset"], self.spec["model"]["name"]), self.spec["weights"]
        return build(self.spec["model"], self.shape, self.n_classes, self.spec["seed"], cell, self.weights, digest)


def prepare(spec, inputs, runtime) -> Cell:
    """Read a cell's inputs, from the features of the frozen part where there is one."""
    torch.set_num_threads(runtime["threads"])
    pool, val = inputs["pool"].arrays, inputs["subset"].arrays["val"]
    sides, size = pool["x"].shape[1:3], spec["input_size"]
    if "features" in inputs:
        read = training_features(inputs), np.array(inputs["features"].arrays["val"])
        x_train, x_val = (channels_last(torch.from_numpy(x)) for x in read)
    elif len(sides) == 2:
        x_train, x_val = (image_tensor(x, size) for x in (training_inputs(inputs), pool["x"][val]))
    else:
        encoded = encode(training_inputs(inputs), pool["x"][val], categories=inputs["pool"].info["categories"])
        x_train, x_val = (torch.from_numpy(x) for x in encoded)
    shape = image_shape(sides, size) if len(sides) == 2 else x_train.shape[1:]
    return Cell(
        spec=spec,
        weights=runtime["paths"].get("weights"),
        shape=tuple(shape),
        n_classes=len(inputs["pool"].info["class_names"]),
        x_train=x_train,
        x_val=x_val,
        y_train=torch.from_numpy(np.array(inputs["inject"].arrays["observed_label"])),
        y_val=torch.from_numpy(pool["y"][val]),
        settings=Settings(**spec["settings"], checkpoints=spec.get("checkpoints", 1)),
    )
