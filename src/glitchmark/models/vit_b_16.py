"""Vision Transformer for images."""

from glitchmark.errors import CellError
from glitchmark.models import Parts, model


@model("vit_b_16", modality="image", trained=("head", "all"), reference="Dosovitskiy et al., ICLR 2021")
def vit_b_16(shape: tuple[int, ...], n_classes: int) -> Parts:
    """ViT-B/16, 86 million parameters (torchvision), with a new linear head on the class token.

    shape: (3, S, S), S a multiple of 16; the published weights want 224. Features: (n, 768).
    Raises CellError for other shapes.
    """
    from torch import nn
    from torchvision import models

    from glitchmark.models._vit import Trunk

    height, width = shape[1:]
    if height != width or height % 16:
        raise CellError(
            f"vit_b_16 reads square images whose side is a multiple of 16, and these are {height} x {width}; set "
            "'input_size' of the model, to 224 for published weights"
        )
    net = models.vit_b_16(image_size=height)
    net.heads.head = head = nn.Linear(net.hidden_dim, n_classes)
    return Parts(network=net, stem=nn.Identity(), block=Trunk(net), head=head, head_prefix="heads.")
