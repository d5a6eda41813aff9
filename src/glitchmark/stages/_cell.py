"""A cell's network and data, ready to be trained: what training and cross-validation share."""

from dataclasses import dataclass

import numpy as np
import torch

from glitchmark.models import Parts
from glitchmark.stages._samples import training_inputs
from glitchmark.training.classifier import build
from glitchmark.training.inputs import channels_last, image_shape, image_tensor, standardise
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
    shape = image_shape(sides, size) if len(sides) == 2 else sides
    if "features" in inputs:
        x_train, x_val = _stored_features(inputs)
    elif len(sides) == 2:
        x_train, x_val = (image_tensor(x, size) for x in (training_inputs(spec, inputs), pool["x"][val]))
    else:
        x_train, x_val = standardise(training_inputs(spec, inputs), pool["x"][val])
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


def _stored_features(inputs) -> tuple[torch.Tensor, torch.Tensor]:
    """The frozen part's features: glitches append anomalies to the subset's samples and leave their order alone."""
    own = inputs["features"].arrays
    train = [own["train"]]
    if "foreign_features" in inputs:
        train.append(inputs["foreign_features"].arrays["foreign"])
    return tuple(channels_last(torch.from_numpy(x)) for x in (np.concatenate(train), np.array(own["val"])))
