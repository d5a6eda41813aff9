"""Residual network for tables."""

from glitchmark.models import Parts, model


@model("resnet", modality="table", trained=("all",), reference="Gorishniy et al., NeurIPS 2021, section 3.2")
def resnet(
    shape: tuple[int, ...],
    n_classes: int,
    *,
    n_blocks: int = 2,
    d_block: int = 192,
    d_hidden_multiplier: float = 2.0,
    dropout1: float = 0.15,
    dropout2: float = 0.0,
) -> Parts:
    """rtdl_revisiting_models' ResNet; the defaults are those of the library's README.

    shape: (d,). Features: (n, d_block), after the last batch normalisation and activation.
    dropout1, dropout2: of the hidden units and of the residual branch.
    """
    from rtdl_revisiting_models import ResNet

    from glitchmark.models._rtdl import parts

    network = ResNet(
        d_in=shape[0],
        d_out=n_classes,
        n_blocks=n_blocks,
        d_block=d_block,
        d_hidden_multiplier=d_hidden_multiplier,
        dropout1=dropout1,
        dropout2=dropout2,
    )
    return parts(network, network.output)
