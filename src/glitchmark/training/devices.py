"""Where torch computes."""

import torch

from glitchmark.errors import Unavailable


def pick(device: str) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means here. Raises Unavailable for a GPU that is not there."""
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise Unavailable("config: device: 'cuda' was asked for, and torch finds no GPU here; use 'auto' or 'cpu'.")
    # equal runs must give equal results, in single precision where that is said
    torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32 = True, False
    return torch.device("cuda")
