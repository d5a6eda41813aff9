"""MNIST through torchvision."""

from glitchmark.datasets import Pool, dataset
from glitchmark.datasets._torchvision import train_and_test


@dataset(
    "mnist",
    modality="image",
    n_samples=70000,
    n_classes=10,
    n_test=10000,
    shape=(28, 28),
    source="torchvision.datasets.MNIST (http://yann.lecun.com/exdb/mnist/)",
    licence="CC BY-SA 3.0",
    anomaly_source="fashion_mnist",
)
def mnist(*, cache: str = "cache") -> Pool:
    """70000 handwritten digits, 28x28 grey (LeCun, Cortes and Burges)."""
    from torchvision.datasets import MNIST

    return train_and_test(MNIST, cache, "mnist", "MNIST/raw")
