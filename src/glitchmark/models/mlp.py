"""Multilayer perceptron for tables."""

from glitchmark.models import Parts, model
from glitchmark.parameters import at_least_one


@model("mlp", modality="table", trained=("all",), reference="Gorishniy et al., NeurIPS 2021, section 3.1")
def mlp(
    shape: tuple[int, ...], n_classes: int, *, n_blocks: int = 2, d_block: int = 384, dropout: float = 0.1
) -> Parts:
    """rtdl_revisiting_models' MLP; the defaults are those of the library's README.

    The paper gives no default sizes: it tunes them for each data set.
    shape: (d,). Features: (n, d_block), after the last block's activation. n_blocks, d_block: layers and their width.
    dropout: of each layer's units. Raises CellError for values that a network cannot have.
    """
    from rtdl_revisiting_models import MLP
    from torch import nn

    from glitchmark.models._rtdl import dropout_rate

    backbone = MLP(
        d_in=shape[0],
        d_out=None,
        n_blocks=at_least_one(n_blocks, "n_blocks"),
        d_block=at_least_one(d_block, "d_block"),
        dropout=dropout_rate(dropout, "dropout"),
    )
    head = nn.Linear(d_block, n_classes)
    network = nn.ModuleDict({"backbone": backbone, "head": head})
    return Parts(network=network, stem=nn.Identity(), block=backbone, head=head, head_prefix="head.")
