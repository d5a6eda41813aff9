"""The frozen part of a network: images -> features, which the feature store keeps."""

import json
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from glitchmark.keys import canonical
from glitchmark.training.devices import pick
from glitchmark.training.inputs import BATCH, image_shape, image_tensor
from glitchmark.training.network import build, count

Images = Callable[[np.ndarray], np.ndarray]


class Trunk:
    """The frozen part that a spec names, built when it is first needed: stored features need none.

    spec: "model", "trained", "weights" (digest or name), "input_size", "precision", "device". sides: (H, W) of the
    images before they are resized.
    """

    def __init__(self, spec: dict, sides: tuple[int, int], weights: str):
        self.spec, self.sides, self.weights = spec, tuple(sides), weights

    def features(self, x: np.ndarray) -> np.ndarray:
        """Of images uint8 (b, H, W) or (b, H, W, 3), b at most BATCH: (b, ...) in the precision to be stored.

        The batch is filled up, since a matrix product's last bits may depend on its size, and a sample's features must
        not depend on which others were missing.
        """
        frozen, device, dtype = _frozen(canonical(self.spec), self.sides, self.weights)
        filled = np.zeros((BATCH, *x.shape[1:]), x.dtype)
        filled[: len(x)] = x
        images = image_tensor(filled, self.spec["input_size"]).to(device)
        # on a GPU, half precision multiplies several times as fast
        with torch.no_grad(), torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
            values = frozen(images)[: len(x)]
        return values.to("cpu", dtype).numpy()

    def batches(self, images: Images, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Features of the samples at some positions, batch by batch: images that are resized fill the memory."""
        for start in range(0, len(positions), BATCH):
            yield self.features(images(positions[start : start + BATCH]))

    @property
    def n_parameters(self) -> int:
        """How many parameters are frozen."""
        return count(_frozen(canonical(self.spec), self.sides, self.weights)[0])


@lru_cache(maxsize=1)  # the cells of a job share it
def _frozen(spec: str, sides: tuple[int, int], weights: str) -> tuple[nn.Module, torch.device, torch.dtype]:
    spec = json.loads(spec)
    shape = image_shape(sides, spec["input_size"])
    # Seed and classes are those of the head, which no feature depends on: the rest comes from the weights file.
    parts = build(spec["model"], shape, 2, 0, (), weights, spec["weights"])
    device = pick(spec["device"])
    dtype = {"single": torch.float32, "half": torch.float16}[spec["precision"]]
    return parts.split(spec["trained"])[0].eval().to(device), device, dtype
