"""CIFAR-10 through torchvision."""

from glitchmark.datasets import Pool, dataset
from glitchmark.datasets._torchvision import train_and_test


@dataset(
    "cifar10",
    modality="image",
    n_samples=60000,
    n_classes=10,
    n_test=10000,
    shape=(32, 32, 3),
    source="torchvision.datasets.CIFAR10 (https://www.cs.toronto.edu/~kriz/cifar.html)",
    licence="none stated; cite Krizhevsky 2009",
    anomaly_source="fashion_mnist",
)
def cifar10(*, cache: str = "cache") -> Pool:
    """60000 photographs of animals and vehicles, 32x32 colour (Krizhevsky 2009)."""
    from torchvision.datasets import CIFAR10

    return train_and_test(CIFAR10, cache, "cifar10", CIFAR10.base_folder)
