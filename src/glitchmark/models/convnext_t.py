"""ConvNeXt for images."""

from glitchmark.errors import CellError
from glitchmark.models import Parts, model


@model("convnext_t", modality="image", trained=("head", "all"), reference="Liu et al., CVPR 2022")
def convnext_t(shape: tuple[int, ...], n_classes: int) -> Parts:
    """ConvNeXt-T, 28 million parameters (torchvision), with a new linear head after the last normalisation.

    shape: (3, H, W), each at least 32; the published weights were trained at 224. Features: (n, 768).
    Raises CellError for smaller images.
    """
    from torch import nn
    from torchvision import models

    height, width = shape[1:]
    if min(height, width) < 32:
        raise CellError(
            f"convnext_t halves images five times, and these are {height} x {width}; set 'input_size' of the model to "
            "at least 32, to 224 for published weights"
        )
    net = models.convnext_tiny()
    norm, flatten, last = net.classifier
    net.classifier[2] = head = nn.Linear(last.in_features, n_classes)
    trunk = nn.Sequential(net.features, net.avgpool, norm, flatten)
    return Parts(network=net, stem=nn.Identity(), block=trunk, head=head, head_prefix="classifier.2.")
