"""What torchvision's VisionTransformer computes before its head (Dosovitskiy et al., ICLR 2021, section 3.1)."""

import torch
from torch import nn
from torchvision.models import VisionTransformer


class Trunk(nn.Module):
    """Images (n, 3, S, S) -> class tokens after the last normalisation (n, d); the parameters are those of ``net``."""

    def __init__(self, net: VisionTransformer):
        super().__init__()
        self.conv_proj, self.class_token, self.encoder = net.conv_proj, net.class_token, net.encoder
        self._patches = net._process_input  # a method, so that the head is not among this module's parameters

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """torchvision's forward without its last step."""
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), self._patches(x)], dim=1)
        return self.encoder(tokens)[:, 0]
