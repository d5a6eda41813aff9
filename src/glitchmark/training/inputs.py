"""Arrays of samples -> what a network reads."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BATCH = 64  # samples a forward pass without gradients; constant, so that a sample's features never depend on others


def image_tensor(x: np.ndarray, size: int | None = None) -> torch.Tensor:
    """uint8 (n, H, W) or (n, H, W, 3) -> float32 (n, 3, H, W) in [-1, 1] (mean .5, std .5, as the papers' code does).

    size: resize to (n, 3, size, size), bilinear with antialiasing; None keeps H and W.
    """
    scaled = torch.from_numpy(np.ascontiguousarray(x)).float().div_(127.5).sub_(1)
    scaled = scaled[:, None] if scaled.ndim == 3 else scaled.permute(0, 3, 1, 2)
    if size is not None:
        scaled = F.interpolate(scaled, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return channels_last(scaled.expand(-1, 3, -1, -1))


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """The same values, in the memory order in which convolutions on a CPU are faster; tables are left as they are."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def image_shape(sides: tuple[int, int], size: int | None) -> tuple[int, int, int]:
    """Shape of one image after :func:`image_tensor`."""
    return (3, *sides) if size is None else (3, size, size)


@torch.no_grad()
def forward(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The module's outputs for all rows of ``x``, in eval mode and in batches. Leaves the module in eval mode."""
    module.eval()
    return torch.cat([module(batch) for batch in x.split(BATCH)])
