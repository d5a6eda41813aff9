"""Pretrained weights from safetensors files."""

from hashlib import blake2b
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from glitchmark.errors import UserError
from glitchmark.models import Parts


def load_weights(parts: Parts, file: str | Path, digest: str = "") -> None:
    """Fill the network, its head excepted, from a safetensors file.

    digest: BLAKE2b of the file as it was planned with; unchecked if empty. Raises UserError that names the first layer
    which is missing, unknown or of another shape.
    """
    if digest and blake2b(Path(file).read_bytes()).hexdigest() != digest:
        raise UserError(f"the weights file '{file}' was changed since this run was planned; run again.")
    try:
        given = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"the weights file '{file}' cannot be read: {error}; it must be a .safetensors file."
        ) from error
    wanted = parts.network.state_dict()
    loaded = {}
    for name, tensor in wanted.items():
        if name.startswith(parts.head_prefix):
            loaded[name] = tensor
        elif name in given and given[name].shape == tensor.shape:
            loaded[name] = given[name].to(tensor.dtype)
        elif name in given or not name.endswith("num_batches_tracked"):
            found = tuple(given[name].shape) if name in given else "missing"
            raise UserError(
                f"{file}: layer '{name}' should be {tuple(tensor.shape)}, but it is {found}; is it this model's?"
            )
        else:
            loaded[name] = tensor  # batch norm's counter of batches: files may leave it out, and nothing here reads it
    parts.network.load_state_dict(loaded)
