"""CIFAR-100N: CIFAR-100 with the labels that people gave."""

from glitchmark.datasets import Pool, dataset
from glitchmark.datasets._cifar_n import LICENCE, LabelFile, with_human_labels
from glitchmark.datasets._torchvision import train_and_test

FILE = LabelFile("CIFAR-100_human.pt", "bd2d80409754d420292d622e15e25248ba21e37d27429efac49c8da723f44394")
NOISE_PERCENT = 40.20  # table 1 of the paper, fine labels


@dataset(
    "cifar100n",
    modality="image",
    n_samples=60000,
    n_classes=100,
    n_test=10000,
    shape=(32, 32, 3),
    human_noise=True,
    source="torchvision.datasets.CIFAR100 and CIFAR-100_human.pt (https://github.com/UCSC-REAL/cifar-10-100n)",
    licence=LICENCE,
    anomaly_source="fashion_mnist",
)
def cifar100n(*, cache: str = "cache") -> Pool:
    """CIFAR-100 with training labels by people, 40 % of them wrong (Wei et al., ICLR 2022)."""
    from torchvision.datasets import CIFAR100

    pool = train_and_test(CIFAR100, cache, "cifar100n", CIFAR100.base_folder)
    return with_human_labels(pool, cache, FILE, "noisy_label", NOISE_PERCENT, "cifar100n")
