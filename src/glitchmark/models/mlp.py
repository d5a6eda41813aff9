"""Multilayer perceptron for tables."""

from glitchmark.models import Parts, model


@model("mlp", modality="table", trained=("all",), reference="Gorishniy et al., NeurIPS 2021, section 3.1")
def mlp(shape: tuple[int, ...], n_classes: int, *, n_blocks: int = 2, d_block: int = 64, dropout: float = 0.0) -> Parts:
    """rtdl_revisiting_models' MLP with a new linear head."""
    from rtdl_revisiting_models import MLP
    from torch import nn

    backbone = MLP(d_in=shape[0], d_out=None, n_blocks=n_blocks, d_block=d_block, dropout=dropout)
    head = nn.Linear(d_block, n_classes)
    network = nn.ModuleDict({"backbone": backbone, "head": head})
    return Parts(network=network, stem=nn.Identity(), block=backbone, head=head, head_prefix="head.")
