"""rtdl_revisiting_models' networks (Gorishniy et al., NeurIPS 2021), taken apart before their last layer."""

import torch
from rtdl_revisiting_models import FTTransformer
from torch import nn

from glitchmark.models import Parts


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
