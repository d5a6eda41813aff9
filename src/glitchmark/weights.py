"""Where a model's weights come from: a file, the package itself, or published ones under their name.

All are known when a run is planned, so that results are keyed by them: files by a digest of their content, published
weights by a name that says which file it means. torchvision numbers the versions of its weights, and the names of
torch hub's files end with the start of their SHA-256. What lies under a name of timm may change, so that planning adds
its SHA-256: of the file in the cache, and where there is none, of the one that the Hugging Face hub would send.
Published files are fetched when a job first needs them.
"""

import re
from collections.abc import Iterable
from hashlib import file_digest
from pathlib import Path

from safetensors import SafetensorError, safe_open

from glitchmark.downloads import fetch, reason
from glitchmark.errors import Unavailable, UserError
from glitchmark.registry import suggestion

EMBEDDED = "embedded"
PRETRAINED = Path(__file__).parent / "pretrained"
TORCHVISION = re.compile(r"torchvision:(?P<entry>\w+_Weights\.(?!DEFAULT$)\w+)")
TIMM = re.compile(r"timm:(?P<name>[a-z0-9_]+\.\w+)(@(?P<revision>[0-9a-f]{40}))?(#(?P<sha256>[0-9a-f]{64}))?")
ADDRESS = re.compile(r"https://[^\s?#]+/(?P<file>[^\s/?#]+-(?P<sha256>[0-9a-f]{8,64})\.(pth|pt|th|safetensors))")
OTHERWISE = (
    "put the file there, set 'cache_dir' to a folder that holds it under weights/, or name a file of your own in "
    "'weights'"
)
HUB_TIMEOUT = 10.0  # seconds


def find(weights: str, model: str, weights_dir: Path, cache_dir: Path, where: str) -> tuple[str, str]:
    """What ``training.weights.load_weights`` takes of a config's ``weights``: a source and a digest.

    model: the name of the model that has them. A file's path and the BLAKE2b of its content; or the folder of published
    weights and a name that says which of them. Raises UserError, naming ``where`` in the config, for weights that
    cannot be, and Unavailable where timm's are neither in that folder nor can be looked up.
    """
    if is_published(weights):
        check_name(weights, where)
        folder = cache_dir / "weights"
        return str(folder), _with_digest(weights, folder, where) if TIMM.fullmatch(weights) else weights
    path = _embedded_file(model, where) if weights == EMBEDDED else weights_dir / weights
    if not path.is_file():
        raise UserError(f"{where}: the weights file '{path}' does not exist; check 'weights' and 'weights_dir'.")
    _check_safetensors(path, where)
    return str(path), _digest(path, "blake2b")


def embedded() -> list[str]:
    """The models that ship with weights, sorted."""
    return sorted(path.stem for path in PRETRAINED.glob("*.safetensors"))


def is_published(weights: str) -> bool:
    """Whether a config's ``weights`` names published ones, rather than a file."""
    return weights.startswith(("torchvision:", "timm:")) or "://" in weights


def check_name(weights: str, where: str) -> None:
    """Raise UserError, naming ``where`` in the config, unless a published name says which file it means."""
    if weights.startswith("torchvision:") and not TORCHVISION.fullmatch(weights):
        raise UserError(
            f"{where}: '{weights}' must be of the form torchvision:ViT_B_16_Weights.IMAGENET1K_V1, with a version "
            "(DEFAULT may change with torchvision)."
        )
    if weights.startswith("timm:") and (not TIMM.fullmatch(weights) or "#" in weights):
        raise UserError(
            f"{where}: '{weights}' must be of the form timm:resnet18.a1_in1k, an architecture and the tag of its "
            "weights, and may end with @ and the 40 hexadecimal digits of a commit of its repository."
        )
    if "://" in weights and not ADDRESS.fullmatch(weights):
        raise UserError(
            f"{where}: '{weights}' must be of the form https://HOST/NAME-DIGEST.pth (or .pt, .th, .safetensors), where "
            "DIGEST is at least the first 8 hexadecimal digits of the file's SHA-256; or put the file into weights_dir."
        )


def published_file(weights: str, folder: str | Path) -> Path:
    """The file of published weights in ``folder``, fetched if it is not there and checked against its digest.

    weights: a name as :func:`find` returns it. Raises UserError for weights that torchvision does not have, and
    Unavailable where they cannot be fetched.
    """
    folder, what = Path(folder).absolute(), f"the weights '{weights.split('#')[0]}'"
    if found := TIMM.fullmatch(weights):
        return fetch(_hub_address(weights), _hub_file(weights, folder), found["sha256"], what, OTHERWISE)
    url = _torchvision_address(weights) if TORCHVISION.fullmatch(weights) else weights
    parts = ADDRESS.fullmatch(url)
    if parts is None:
        raise UserError(f"weights: the address {url} of '{weights}' does not end with the start of a SHA-256 digest.")
    return fetch(url, folder / parts["file"], parts["sha256"], what, OTHERWISE)


def _torchvision_address(weights: str) -> str:
    from torchvision.models import get_model_weights, get_weight, list_models

    name = TORCHVISION.fullmatch(weights)["entry"]
    try:
        return get_weight(name).url
    except (ValueError, KeyError) as error:
        known = [str(entry) for model in list_models() for entry in get_model_weights(model)]
        raise UserError(f"weights: torchvision has no '{name}'{suggestion(name, known)}.") from error


def _hub_address(weights: str) -> str:
    """Of the file of a timm name; the environment variable HF_ENDPOINT names a mirror."""
    from huggingface_hub import hf_hub_url

    parts = TIMM.fullmatch(weights)
    return hf_hub_url(f"timm/{parts['name']}", "model.safetensors", revision=parts["revision"])


def _hub_file(weights: str, folder: Path) -> Path:
    return folder / f"{weights.removeprefix('timm:').split('#')[0]}.safetensors"


def _with_digest(weights: str, folder: Path, where: str) -> str:
    """A timm name followed by # and the SHA-256 of its file, whether this lies in ``folder`` or on the hub alone."""
    path = _hub_file(weights, folder).absolute()
    if not path.is_file():
        return f"{weights}#{_sha256_on_hub(weights, path, where)}"
    _check_safetensors(path, where)
    return f"{weights}#{_digest(path, 'sha256')}"


def _sha256_on_hub(weights: str, path: Path, where: str) -> str:
    """As the hub says in its header; nothing is downloaded."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import EntryNotFoundError, HTTPError, RepositoryNotFoundError, RevisionNotFoundError

    url = _hub_address(weights)
    try:
        etag = get_hf_file_metadata(url, timeout=HUB_TIMEOUT).etag or ""
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        raise UserError(f"{where}: there is no {url}{_suggested(weights, _timm_names())}.") from error
    except (HTTPError, OSError) as error:
        known = _timm_names()
        if TIMM.fullmatch(weights)["name"] not in known:
            raise UserError(
                f"{where}: the installed timm has no '{weights}'{_suggested(weights, known)}; and {url} cannot be "
                f"reached ({reason(error)})."
            ) from error
        raise Unavailable(
            f"{where}: the weights '{weights}': the file {path} does not exist, and {url} cannot be reached "
            f"({reason(error)}); go online, or {OTHERWISE}."
        ) from error
    if not re.fullmatch("[0-9a-f]{64}", etag):
        raise Unavailable(f"{where}: {url} has no SHA-256 (its etag is '{etag}'); {OTHERWISE}.")
    return etag


def _timm_names() -> list[str]:
    from timm import list_pretrained

    return list_pretrained()


def _suggested(weights: str, known: Iterable[str]) -> str:
    return suggestion(weights.split("@")[0], (f"timm:{name}" for name in known))


def _embedded_file(model: str, where: str) -> Path:
    if model not in embedded():
        there = ", ".join(embedded()) or "none in this installation"
        raise UserError(
            f"{where}: no weights are embedded for the model '{model}', only for: {there}; use one of these, a "
            ".safetensors file in 'weights_dir', or published weights."
        )
    return PRETRAINED / f"{model}.safetensors"


def _check_safetensors(path: Path, where: str) -> None:
    """Raise UserError unless a file's header can be read and it is as long as that says."""
    try:
        with safe_open(path, "numpy") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{where}: the weights file '{path}' is no .safetensors file, or is damaged: {error}; replace it."
        ) from error


def _digest(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return file_digest(file, algorithm).hexdigest()
