"""Any image model of timm."""

import re

from glitchmark.errors import CellError
from glitchmark.models import Parts, model
from glitchmark.registry import suggestion


def check_form(architecture: str) -> None:
    """Raise CellError for what is no name of an architecture."""
    if not re.fullmatch(r"[a-z0-9_]+", str(architecture)) or not isinstance(architecture, str):
        raise CellError(
            f"architecture: {architecture!r} must be a name of timm.list_models(), such as resnet50, without the tag "
            "of its weights"
        )


@model(
    "timm",
    modality="image",
    trained=("head", "all"),
    reference="Wightman, PyTorch Image Models, 2019",
    check=check_form,
)
def timm(shape: tuple[int, ...], n_classes: int, *, architecture: str) -> Parts:
    """A network of timm by its name, such as resnet50 or vit_small_patch16_224, with a new linear head.

    shape: (3, H, W). Features: (n, d), what timm's network returns without classes. Raises CellError for an
    architecture that timm does not have or that returns no such features, and for images that it cannot read.
    """
    import torch
    from timm import create_model
    from timm.layers import to_2tuple
    from timm.models import get_pretrained_cfg

    from glitchmark.models._timm import parts

    check_architecture(architecture)
    height, width = shape[1:]
    published = get_pretrained_cfg(architecture)
    sized = {"img_size": shape[1:]} if published.fixed_input_size else {}
    try:
        network = create_model(architecture, pretrained=False, num_classes=0, **sized)
        with torch.no_grad():
            features = network.eval()(torch.zeros(1, *shape))
    except Exception as error:  # each of timm's networks has its own
        raise CellError(
            f"timm's {architecture} cannot read images of {height} x {width} ({' '.join(str(error).split())}); set "
            f"'input_size' of the model, to {published.input_size[-1]} for published weights"
        ) from error
    if features.ndim != 2:
        raise CellError(
            f"timm's {architecture} returns features of shape {tuple(features.shape)} for one image; use an "
            "architecture that returns one vector"
        )
    patch = to_2tuple(getattr(getattr(network, "patch_embed", None), "patch_size", 1))
    if height % patch[0] or width % patch[1]:  # not all networks refuse: some leave out the rest of the image
        raise CellError(
            f"timm's {architecture} reads images in patches of {patch[0]} x {patch[1]}, and these are {height} x "
            f"{width}; set 'input_size' of the model, to {published.input_size[-1]} for published weights"
        )
    classifier = published.classifier  # two names where a network was distilled
    return parts(network, n_classes, f"{classifier if isinstance(classifier, str) else classifier[0]}.")


def check_architecture(architecture: str) -> None:
    """Raise CellError for an architecture that timm does not have."""
    from timm import list_models

    known = list_models()
    if architecture not in known:
        raise CellError(
            f"architecture: timm has no '{architecture}'{suggestion(str(architecture).split('.')[0], known)}; give a "
            "name of timm.list_models(), without the tag of its weights"
        )
