"""Pretrained weights from files: safetensors, or torch's own format, of which tensors alone are read."""

from hashlib import file_digest
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from glitchmark.errors import Unavailable, UserError
from glitchmark.models import Parts
from glitchmark.weights import is_published, published_file


def load_weights(parts: Parts, source: str | Path, digest: str = "") -> None:
    """Fill the network, its head excepted.

    source: a .safetensors file, and digest its BLAKE2b as it was when the run was planned, unchecked if empty. Or for
    published weights, source is the folder that keeps them, and digest their name (see :mod:`glitchmark.weights`).
    The file may hold a training's "state_dict" and names that DataParallel prefixed with "module."; what it holds
    besides, such as a head of another name, is left out.
    Raises UserError that names the first layer which is missing or of another shape.
    """
    if is_published(digest):
        file = published_file(digest, source)
    else:
        file = Path(source)
        _check_unchanged(file, digest)
    given = {k: v for k, v in read_weights(file).items() if not k.startswith(parts.head_prefix)}
    try:
        # the library's loading also knows the names that layers had in older versions (ViT's linear_1, linear_2)
        missing, _ = parts.network.load_state_dict(given, strict=False)
    except RuntimeError as error:
        first = str(error).split("\n\t")[1]
        raise UserError(f"the weights file '{file}' does not fit this model: {first}") from error
    missing = [name for name in missing if not name.startswith(parts.head_prefix)]
    if missing:
        raise UserError(f"the weights file '{file}' does not fit this model: it lacks the layer '{missing[0]}'.")


def _check_unchanged(file: Path, digest: str) -> None:
    if not digest:
        return
    try:
        with open(file, "rb") as opened:
            found = file_digest(opened, "blake2b").hexdigest()
    except OSError as error:
        raise Unavailable(f"the weights file '{file}' cannot be read: {error.strerror or error}.") from error
    if found != digest:
        raise Unavailable(f"the weights file '{file}' was changed since this run was planned; run again.")


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """Name -> tensor. Nothing that a file of torch's format holds is executed (``weights_only``)."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        given = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, UnpicklingError, EOFError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise UserError(f"the weights file '{file}' cannot be read as {file.suffix}: {reason}") from error
    given = given.get("state_dict", given) if isinstance(given, dict) else None
    if not given or not all(isinstance(tensor, torch.Tensor) for tensor in given.values()):
        raise UserError(f"the weights file '{file}' must hold names and tensors, as state_dict() gives them.")
    given = dict(given)
    consume_prefix_in_state_dict_if_present(given, "module.")
    return given
