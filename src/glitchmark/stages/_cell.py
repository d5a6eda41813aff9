"""A cell's network and data, ready to be trained: what training and cross-validation share."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from glitchmark.datasets._tables import encode
from glitchmark.errors import Unavailable
from glitchmark.feature_store import opened, read
from glitchmark.stages._samples import training_ids, training_inputs
from glitchmark.training.devices import pick
from glitchmark.training.inputs import channels_last, image_shape, image_tensor
from glitchmark.training.network import build, new_head
from glitchmark.training.sgd import Settings
from glitchmark.training.trunk import Trunk


@dataclass(frozen=True)
class Cell:
    """x_train, x_val, x_test: inputs of the trained part. y_train, y_val, y_test: int64 labels, observed and true ones.
    The test part may be empty. shape: of a network's input.
    feature_ids: of the training and the validation samples, where only the head is trained; else None."""

    spec: dict
    weights: str | None
    shape: tuple[int, ...]
    n_classes: int
    x_train: torch.Tensor
    x_val: torch.Tensor
    x_test: torch.Tensor
    y_train: torch.Tensor
    y_val: torch.Tensor
    y_test: torch.Tensor
    settings: Settings
    feature_ids: tuple[np.ndarray, np.ndarray] | None

    def trainable(self) -> tuple[nn.Module, nn.Linear]:
        """What is trained, with this cell's initial weights: what lies between inputs and head, and the head."""
        cell, device = (self.spec["dataset"], self.spec["model"]["name"]), self.x_train.device
        if self.feature_ids is not None:
            head = new_head(self.x_train.shape[1], self.n_classes, self.spec["seed"], cell)
            return nn.Identity(), head.to(device)
        given = (self.spec["seed"], cell, self.weights, self.spec["weights"])
        parts = build(self.spec["model"], self.shape, self.n_classes, *given)
        return parts.split(self.spec["trained"])[1].to(device), parts.head.to(device)


def prepare(spec, inputs, runtime, *, test: bool = False, samples: np.ndarray | slice = slice(None)) -> Cell:
    """Read a cell's inputs, from the features of the frozen part where there is one. test: whether the untouched test
    part is read as well, which is left empty otherwise. samples: which training samples there are."""
    torch.set_num_threads(runtime["threads"])
    pool = inputs["pool"].arrays
    val, untouched = (np.array(inputs["subset"].arrays[part]) for part in ("val", "test"))
    if not test:
        untouched = untouched[:0]
    sides, size, ids = pool["x"].shape[1:3], spec["input_size"], None
    if "features" in inputs:
        own, positions = inputs["features"].arrays, np.arange(len(inputs["inject"].arrays["row"]))[samples]
        ids = training_ids(inputs)[samples], np.array(own["val"]), np.array(own["test"])[: len(untouched)]
        images = (
            lambda rows: training_inputs(inputs, positions[rows]),
            lambda rows: pool["x"][val[rows]],
            lambda rows: pool["x"][untouched[rows]],
        )
        trunk, name = Trunk(spec["trunk"], sides, runtime["paths"]["weights"]), inputs["features"].info["trunk"]
        if trunk.folder(runtime["threads"]) != name:
            raise Unavailable("the features were computed on another device than this one (cpu, cuda); set 'device'")
        store = opened(runtime["features"], name)
        parts = [
            channels_last(torch.from_numpy(read(store, of, lambda rows, x=x: trunk.batches(x, rows), trunk.about)))
            for of, x in zip(ids, images, strict=True)
            if len(of)
        ]
    elif len(sides) == 2:
        raw = training_inputs(inputs, samples), pool["x"][val], pool["x"][untouched]
        parts = [image_tensor(x, size) for x in raw if len(x)]
    else:
        raw = training_inputs(inputs, samples), pool["x"][val], pool["x"][untouched]
        parts = [torch.from_numpy(x) for x in encode(*raw, categories=inputs["pool"].info["categories"])]
    x_train, x_val = parts[:2]
    x_test = parts[2] if len(untouched) else x_val[:0]
    device = pick(spec["device"])
    return Cell(
        spec=spec,
        weights=runtime["paths"].get("weights"),
        shape=tuple(image_shape(sides, size) if len(sides) == 2 else x_train.shape[1:]),
        n_classes=len(inputs["pool"].info["class_names"]),
        x_train=x_train.to(device),
        x_val=x_val.to(device),
        x_test=x_test.to(device),
        y_train=torch.from_numpy(np.array(inputs["inject"].arrays["observed_label"])[samples]).to(device),
        y_val=torch.from_numpy(pool["y"][val]).to(device),
        y_test=torch.from_numpy(pool["y"][untouched]).to(device),
        settings=Settings(**spec["settings"], checkpoints=spec.get("checkpoints", 1)),
        feature_ids=ids[:2] if spec["trained"] == "head" else None,
    )
