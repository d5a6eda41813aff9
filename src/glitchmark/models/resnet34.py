"""ResNet-34 for images."""

from glitchmark.models import Parts, model


@model("resnet34", modality="image", reference="He et al., CVPR 2016, section 4.1")
def resnet34(shape: tuple[int, ...], n_classes: int) -> Parts:
    """ResNet-34, 21 million parameters (torchvision); its last block is ``layer4.2``.

    shape: (3, H, W) of any size; the published weights were trained at 224. Features: (n, 512), averaged over pixels.
    """
    from torchvision import models

    from glitchmark.models._torchvision_resnet import parts

    return parts(models.resnet34(), n_classes)
