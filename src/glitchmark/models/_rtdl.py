"""rtdl_revisiting_models' networks (Gorishniy et al., NeurIPS 2021), taken apart before their last layer."""

import torch
from rtdl_revisiting_models import FTTransformer
from torch import nn

from glitchmark.errors import CellError
from glitchmark.models import Parts
from glitchmark.parameters import positive


class NumericFTTransformer(FTTransformer):
    """An FT-Transformer of numeric columns alone: float32 (n, d), categories one-hot -> (n, d_out)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The library's forward without categorical columns."""
        return super().forward(x, None)


def parts(network: nn.Module, output: nn.Sequential) -> Parts:
    """``network`` in parts: the last layer of its module ``output`` is the head, the layers before it are not."""
    head, output.linear = output.linear, nn.Identity()
    whole = nn.ModuleDict({"backbone": network, "head": head})
    return Parts(network=whole, stem=nn.Identity(), block=network, head=head, head_prefix="head.")


def hidden_units(d_block: int, multiplier: float, name: str) -> int:
    """``multiplier`` times ``d_block`` as the library rounds it, down; CellError unless that is at least 1."""
    units = int(d_block * positive(multiplier, name))
    if not units:
        raise CellError(f"{name}: {multiplier!r} of d_block {d_block} leaves no hidden unit; use at least 1 / d_block")
    return units


def dropout_rate(value: float, name: str) -> float:
    """``value`` if it is a probability that leaves something, else CellError."""
    if not 0 <= value < 1:
        raise CellError(f"{name}: {value!r} must be at least 0 (no dropout) and less than 1")
    return value
