"""Where torch computes."""

import torch

from glitchmark.errors import UserError


def pick(device: str) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means here. Raises UserError for a GPU that is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("config: device: 'cuda' was asked for, and torch finds no GPU here; use 'auto' or 'cpu'.")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
