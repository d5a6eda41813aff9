"""CIFAR-10N: CIFAR-10 with the labels that people gave."""

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._cifar_n import LICENCE, LabelFile, with_human_labels
from glitchmark.datasets._torchvision import train_and_test
from glitchmark.errors import UserError
from glitchmark.registry import suggestion

FILE = LabelFile("CIFAR-10_human.pt", "873e69c39cb9b5e97fb6bae2d60bb59b38a5cbc31d2b868f7903dcb2b9dd2310")
# name -> key in the file, per cent of wrong labels (table 1 of the paper)
LABELS = {
    "aggregate": ("aggre_label", 9.03),
    "random1": ("random_label1", 17.23),
    "random2": ("random_label2", 18.12),
    "random3": ("random_label3", 17.64),
    "worst": ("worse_label", 40.21),
}


def inspect_cifar10n(*, labels: str = "aggregate", cache: str = "cache") -> Description:
    """Raises UserError for labels that there are not."""
    if labels not in LABELS:
        raise UserError(f"labels: there are no '{labels}' labels{suggestion(labels, LABELS)}; use {', '.join(LABELS)}.")
    return Description("image", 60000, 10, 10000, (32, 32, 3), human_noise=True)


@dataset(
    "cifar10n",
    modality="image",
    n_samples=60000,
    n_classes=10,
    n_test=10000,
    shape=(32, 32, 3),
    human_noise=True,
    source="torchvision.datasets.CIFAR10 and CIFAR-10_human.pt (https://github.com/UCSC-REAL/cifar-10-100n)",
    licence=LICENCE,
    anomaly_source="fashion_mnist",
    inspect=inspect_cifar10n,
)
def cifar10n(*, labels: str = "aggregate", cache: str = "cache") -> Pool:
    """CIFAR-10 with training labels by people, 9 to 40 % of them wrong (Wei et al., ICLR 2022).

    labels: aggregate (majority of three people, 9.03 % wrong), random1, random2, random3 (one of them: 17.23, 18.12,
    17.64 %) or worst (a wrong one wherever there is one, 40.21 %).
    """
    from torchvision.datasets import CIFAR10

    key, noise_percent = LABELS[labels]
    pool = train_and_test(CIFAR10, cache, "cifar10n", CIFAR10.base_folder)
    return with_human_labels(pool, cache, FILE, key, noise_percent, "cifar10n")
