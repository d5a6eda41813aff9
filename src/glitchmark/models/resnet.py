"""Residual network for tables."""

from glitchmark.models import Parts, model
from glitchmark.parameters import at_least_one


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

    The paper gives no default sizes: it tunes them for each data set.
    shape: (d,). Features: (n, d_block), after the last batch normalisation and activation.
    d_hidden_multiplier: hidden units of a block, times d_block. dropout1, dropout2: of the hidden units and of the
    residual branch. Raises CellError for values that a network cannot have.
    """
    from rtdl_revisiting_models import ResNet

    from glitchmark.models._rtdl import dropout_rate, hidden_units, parts

    network = ResNet(
        d_in=shape[0],
        d_out=n_classes,
        n_blocks=at_least_one(n_blocks, "n_blocks"),
        d_block=at_least_one(d_block, "d_block"),
        d_hidden=hidden_units(d_block, d_hidden_multiplier, "d_hidden_multiplier"),
        d_hidden_multiplier=None,
        dropout1=dropout_rate(dropout1, "dropout1"),
        dropout2=dropout_rate(dropout2, "dropout2"),
    )
    return parts(network, network.output)
