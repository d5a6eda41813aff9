"""timm's networks, taken apart before their last layer."""

from torch import nn

from glitchmark.models import Parts


def parts(network: nn.Module, n_classes: int, head_prefix: str) -> Parts:
    """``network``, built with ``num_classes=0`` so that it returns features (n, d), below a new linear head.

    head_prefix: of the names that the head has in files of the whole network's weights; it is of no layer here.
    """
    head = nn.Linear(network.head_hidden_size, n_classes)
    return Parts(network=network, stem=nn.Identity(), block=network, head=head, head_prefix=head_prefix)
