"""Published weights, named in the config: known when a run is planned, fetched when a job first needs them.

A name says which file it means: torchvision numbers the versions of its weights, and the names of torch hub's files
end with the start of their SHA-256 digest. So results are keyed by the name, and planning a run fetches nothing.
"""

import re
from pathlib import Path

from glitchmark.downloads import fetch
from glitchmark.errors import UserError
from glitchmark.registry import suggestion

PREFIX = "torchvision:"
TORCHVISION = re.compile(r"torchvision:\w+_Weights\.(?!DEFAULT$)\w+")
ADDRESS = re.compile(r"https://[^\s?#]+/(?P<file>[^\s/?#]+-(?P<sha256>[0-9a-f]{8,64})\.(pth|pt|th|safetensors))")


def is_published(weights: str) -> bool:
    """Whether a config's ``weights`` names published ones, rather than a file in weights_dir."""
    return weights.startswith(PREFIX) or "://" in weights


def check_name(weights: str, where: str) -> None:
    """Raise UserError, naming ``where`` in the config, unless a published name says which file it means."""
    if weights.startswith(PREFIX) and not TORCHVISION.fullmatch(weights):
        raise UserError(
            f"{where}: '{weights}' must be of the form torchvision:ViT_B_16_Weights.IMAGENET1K_V1, with a version "
            "(DEFAULT may change with torchvision)."
        )
    if not weights.startswith(PREFIX) and not ADDRESS.fullmatch(weights):
        raise UserError(
            f"{where}: '{weights}' must be of the form https://HOST/NAME-DIGEST.pth (or .pt, .th, .safetensors), where "
            "DIGEST is at least the first 8 hexadecimal digits of the file's SHA-256; or put the file into weights_dir."
        )


def published_file(weights: str, folder: str | Path) -> Path:
    """The file of published weights in ``folder``, fetched if it is not there and checked against its digest.

    Raises UserError for weights that torchvision does not have, and Unavailable where they cannot be fetched.
    """
    url = _torchvision_address(weights) if weights.startswith(PREFIX) else weights
    parts = ADDRESS.fullmatch(url)
    if parts is None:
        raise UserError(f"weights: the address {url} of '{weights}' does not end with the start of a SHA-256 digest.")
    otherwise = (
        "put the file there, set 'cache_dir' to a folder that holds it under weights/, or name a file of your own in "
        "'weights'"
    )
    return fetch(url, Path(folder).absolute() / parts["file"], parts["sha256"], "the model's weights", otherwise)


def _torchvision_address(weights: str) -> str:
    from torchvision.models import get_model_weights, get_weight, list_models

    name = weights.removeprefix(PREFIX)
    try:
        return get_weight(name).url
    except (ValueError, KeyError) as error:
        known = [str(entry) for model in list_models() for entry in get_model_weights(model)]
        raise UserError(f"weights: torchvision has no '{name}'{suggestion(name, known)}.") from error
