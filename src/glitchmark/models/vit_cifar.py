"""A small Vision Transformer for small images."""

from glitchmark.errors import CellError
from glitchmark.models import Parts, model


@model("vit_cifar", modality="image", trained=("head", "all"), reference="Dosovitskiy et al., ICLR 2021")
def vit_cifar(shape: tuple[int, ...], n_classes: int) -> Parts:
    """Vision Transformer with 1.1 million parameters, patches of 4 pixels and a convolutional stem (timm).

    Five blocks of width 128 with four heads. Three 3x3 convolutions make the patches' tokens instead of one 4x4 (Xiao
    et al., Early convolutions help transformers see better, NeurIPS 2021), since it learns from few images.
    shape: (3, S, S), S a multiple of 4; the embedded weights want 32. Features: (n, 128), the mean of the tokens after
    normalisation. Raises CellError for other shapes.
    """
    from functools import partial

    from timm.layers import HybridEmbed
    from timm.models.vision_transformer import VisionTransformer
    from timm.models.vision_transformer_hybrid import ConvStem

    from glitchmark.models._timm import parts

    height, width = shape[1:]
    if height != width or height % 4:
        raise CellError(
            f"vit_cifar reads square images whose side is a multiple of 4, and these are {height} x {width}; set "
            "'input_size' of the model, to 32 for the embedded weights"
        )
    stem = ConvStem(channels=(32, 64, 128), stride=(2, 2, 1))
    network = VisionTransformer(
        img_size=height,
        patch_size=1,  # of the stem's output
        embed_dim=128,
        depth=5,
        num_heads=4,
        class_token=False,
        global_pool="avg",
        num_classes=0,
        embed_layer=partial(HybridEmbed, backbone=stem, proj=False),
    )
    return parts(network, n_classes, "head.")
