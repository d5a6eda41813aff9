"""Published weights, named in the config: known when a run is planned, fetched when a job first needs them.

A name says which file it means: torchvision numbers the versions of its weights, and the names of torch hub's files
end with the start of their SHA-256 digest. So results are keyed by the name, and planning a run fetches nothing.
"""

import re
import sys
from hashlib import file_digest
from http.client import HTTPException
from pathlib import Path

from glitchmark.datasets._download import alone, reason, with_retries
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

    Raises UserError for weights that torchvision does not have, and as :func:`fetch` does.
    """
    url = _torchvision_address(weights) if weights.startswith(PREFIX) else weights
    parts = ADDRESS.fullmatch(url)
    if parts is None:
        raise UserError(f"weights: the address {url} of '{weights}' does not end with the start of a SHA-256 digest.")
    file = Path(folder).absolute() / parts["file"]
    fetch(url, file, parts["sha256"])
    return file


def fetch(url: str, file: Path, sha256: str) -> None:
    """Download ``file`` from ``url`` unless it is there; with retries, and a progress bar on a terminal.

    sha256: the first hexadecimal digits of its digest. Jobs that want it at once wait for the one that fetches it.
    Raises UserError where it cannot be fetched, or where what is there has another digest.
    """
    if not file.is_file():
        _download(url, file, sha256)
    with open(file, "rb") as opened:
        found = file_digest(opened, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise UserError(
            f"the weights file '{file}' is damaged or another one: its SHA-256 digest starts with "
            f"{found[: len(sha256)]}, and that of {url} with {sha256}; remove it, so that it is fetched again."
        )


def _download(url: str, file: Path, sha256: str) -> None:
    from torch.hub import download_url_to_file

    def download() -> None:  # into a temporary file, which takes its place once its digest is right
        if not file.is_file():
            download_url_to_file(url, str(file), sha256, progress=sys.stderr.isatty())

    try:
        with alone(file.parent):
            with_retries(download)
    except (OSError, HTTPException, RuntimeError) as error:
        raise UserError(
            f"the weights {url} are not at '{file}' and cannot be fetched ({reason(error)}); go online, put the file "
            "there, set 'cache_dir' to a folder that holds it under weights/, or name a file of your own in 'weights'."
        ) from error


def _torchvision_address(weights: str) -> str:
    from torchvision.models import get_model_weights, get_weight, list_models

    name = weights.removeprefix(PREFIX)
    try:
        return get_weight(name).url
    except (ValueError, KeyError) as error:
        known = [str(entry) for model in list_models() for entry in get_model_weights(model)]
        raise UserError(f"weights: torchvision has no '{name}'{suggestion(name, known)}.") from error
