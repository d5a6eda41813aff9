"""torchvision's residual networks, taken apart before their last block."""

from torch import nn
from torchvision.models import ResNet

from glitchmark.models import Parts


def parts(net: ResNet, n_classes: int) -> Parts:
    """``net`` with a new linear head; its last block is ``layer4[-1]`` and the pooling after it."""
    net.fc = head = nn.Linear(net.fc.in_features, n_classes)
    *before, last = net.layer4
    return Parts(
        network=net,
        stem=nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3, *before),
        block=nn.Sequential(last, net.avgpool, nn.Flatten()),
        head=head,
        head_prefix="fc.",
    )
