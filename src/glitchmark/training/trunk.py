"""The frozen part of a network: images -> features, which the feature store keeps."""

import json
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from glitchmark.errors import CellError
from glitchmark.keys import canonical, fingerprint
from glitchmark.training.devices import pick
from glitchmark.training.inputs import BATCH, image_shape, image_tensor
from glitchmark.training.network import build, count

Images = Callable[[np.ndarray], np.ndarray]


class Trunk:
    """The frozen part that a spec names, built when it is first needed: stored features need none.

    spec: "model", "trained", "weights" (digest or name), "input_size", "precision", "device", and the digest and
    versions of its code. sides: (H, W) of the images before they are resized. weights: the file or the folder.
    """

    def __init__(self, spec: dict, sides: tuple[int, int], weights: str):
        self.spec, self.sides, self.weights = spec, tuple(sides), weights

    def folder(self, threads: int) -> str:
        """Name of the folder that holds its features: a digest of all that they depend on besides the sample."""
        return fingerprint(canonical([self.spec, self.sides, threads, pick(self.spec["device"]).type]))

    def features(self, x: np.ndarray) -> np.ndarray:
        """Of images uint8 (b, H, W) or (b, H, W, 3), b at most BATCH: (b, ...) in the precision to be stored.

        The batch is filled up, since a matrix product's last bits may depend on its size, and a sample's features must
        not depend on which others were missing.
        """
        frozen, device, dtype = self._built()
        filled = np.zeros((BATCH, *x.shape[1:]), x.dtype)
        filled[: len(x)] = x
        images = image_tensor(filled, self.spec["input_size"]).to(device)
        # on a GPU, half precision multiplies several times as fast
        with torch.no_grad(), torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
            values = frozen(images)[: len(x)]
        values = values.to("cpu", dtype)
        if not values.isfinite().all():
            raise CellError(
                f"frozen layers of '{self.spec['model']['name']}' computed NaN or infinite features on the "
                f"{device.type}; with 'feature_precision: half' or on a GPU, try 'single' and 'device: cpu'"
            )
        return values.numpy()

    def batches(self, images: Images, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Features of the samples at some positions, batch by batch: images that are resized fill the memory."""
        for start in range(0, len(positions), BATCH):
            yield self.features(images(positions[start : start + BATCH]))

    def about(self) -> dict:
        """What is kept beside its features: how many parameters are frozen."""
        return {"parameters": count(self._built()[0])}

    def _built(self) -> tuple[nn.Module, torch.device, torch.dtype]:
        """The network's frozen part, where it computes, and the precision of what is stored."""
        return _frozen(canonical(self.spec), self.sides, self.weights)


@lru_cache(maxsize=1)  # the cells of a job share it
def _frozen(spec: str, sides: tuple[int, int], weights: str) -> tuple[nn.Module, torch.device, torch.dtype]:
    spec = json.loads(spec)
    shape = image_shape(sides, spec["input_size"])
    # Seed and classes are those of the head, which no feature depends on: the rest comes from the weights file.
    parts = build(spec["model"], shape, 2, 0, (), weights, spec["weights"])
    device = pick(spec["device"])
    dtype = {"single": torch.float32, "half": torch.float16}[spec["precision"]]
    return parts.split(spec["trained"])[0].eval().to(device), device, dtype
