"""A small ConvNeXt for small images."""

from glitchmark.errors import CellError
from glitchmark.models import Parts, model


@model("convnext_cifar", modality="image", trained=("head", "all"), reference="Liu et al., CVPR 2022")
def convnext_cifar(shape: tuple[int, ...], n_classes: int) -> Parts:
    """ConvNeXt with 1.1 million parameters and patches of 2 pixels (timm).

    Stages of 2, 2, 4 and 2 blocks, 24 to 192 channels, the first at the patches' resolution. shape: (3, H, W), each at
    least 16; the embedded weights were trained at 32. Features: (n, 192), after the last normalisation.
    Raises CellError for smaller images.
    """
    from timm.models.convnext import ConvNeXt
    from torch import nn

    from glitchmark.models._timm import parts

    height, width = shape[1:]
    if min(height, width) < 16:
        raise CellError(
            f"convnext_cifar halves images four times, and these are {height} x {width}; set 'input_size' of the model "
            "to at least 16, to 32 for the embedded weights"
        )
    network = ConvNeXt(patch_size=2, depths=(2, 2, 4, 2), dims=(24, 48, 96, 192), num_classes=0)
    # after patches of 2, timm halves once more before the first stage, which would leave one position of 32 x 32 pixels
    network.stages[0].downsample = nn.Identity()
    return parts(network, n_classes, "head.fc.")
