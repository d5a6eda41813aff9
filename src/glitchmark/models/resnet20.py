"""ResNet-20 for small images."""

from glitchmark.models import Parts, model


@model("resnet20", modality="image", reference="He et al., CVPR 2016, section 4.2")
def resnet20(shape: tuple[int, ...], n_classes: int) -> Parts:
    """CIFAR ResNet-20, 0.27 million parameters; its last block is ``layer3.2``."""
    from torch import nn

    from glitchmark.models._cifar_resnet import CifarResNet

    net = CifarResNet(3, n_classes)
    return Parts(
        network=net,
        stem=nn.Sequential(net.conv1, net.bn1, nn.ReLU(), net.layer1, net.layer2, net.layer3[0], net.layer3[1]),
        block=nn.Sequential(net.layer3[2], nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        head=net.fc,
        head_prefix="fc.",
    )
