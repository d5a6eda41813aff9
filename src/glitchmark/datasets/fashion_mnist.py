"""Fashion-MNIST through torchvision."""

from glitchmark.datasets import Pool, dataset
from glitchmark.datasets._torchvision import train_and_test


@dataset(
    "fashion_mnist",
    modality="image",
    n_samples=70000,
    n_classes=10,
    n_test=10000,
    shape=(28, 28),
    source="torchvision.datasets.FashionMNIST (https://github.com/zalandoresearch/fashion-mnist)",
    licence="MIT",
    anomaly_source="mnist",
)
def fashion_mnist(*, cache: str = "cache") -> Pool:
    """70000 pieces of clothing, 28x28 grey (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)."""
    from torchvision.datasets import FashionMNIST

    return train_and_test(FashionMNIST, cache, "fashion_mnist", "FashionMNIST/raw")
