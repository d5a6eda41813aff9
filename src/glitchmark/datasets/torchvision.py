"""Any classification set of torchvision, by the name of its class."""

from typing import Any

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._torchvision import by_sample
from glitchmark.errors import UserError
from glitchmark.registry import suggestion

# Named here, since importing torchvision takes seconds and planning none. Not in torchvision.datasets alone: sets for
# detection, segmentation, video, stereo, captions and so on have no class labels.
CLASSES = (
    "CIFAR10", "CIFAR100", "CLEVRClassification", "Caltech101", "Caltech256", "Country211", "DTD", "EMNIST", "EuroSAT",
    "FER2013", "FGVCAircraft", "FashionMNIST", "Flowers102", "Food101", "GTSRB", "INaturalist", "ImageNet",
    "Imagenette", "KMNIST", "LFWPeople", "MNIST", "Omniglot", "OxfordIIITPet", "PCAM", "Places365", "QMNIST",
    "RenderedSST2", "SEMEION", "STL10", "SUN397", "SVHN", "StanfordCars", "USPS",
)  # fmt: skip
OURS = ("root", "train", "download", "transform", "target_transform", "transforms", "loader")


def inspect_torchvision(
    *, dataset: str, options: dict[str, Any] | None = None, size: int = 0, cache: str = "cache"
) -> Description:
    """All that is known before the download. Raises UserError for an unknown class, options or size."""
    if dataset not in CLASSES:
        raise UserError(
            f"dataset: torchvision has no classification set '{dataset}'{suggestion(dataset, CLASSES)}; "
            f"there are: {', '.join(CLASSES)}."
        )
    if not isinstance(options, dict | None) or not all(isinstance(key, str) for key in options or ()):
        raise UserError(f"options: {options!r} must be a mapping of the class' keywords, such as {{split: letters}}.")
    for key in options or ():
        if key in OURS:
            raise UserError(f"options.{key}: glitchmark sets '{key}' itself; leave it out.")
    if size < 0:
        raise UserError(f"size: {size} must be a number of pixels, or 0 for images that are all of one size.")
    return Description("image")


@dataset(
    "torchvision",
    modality="image",
    source="torchvision.datasets (https://docs.pytorch.org/vision/stable/datasets.html)",
    licence="the data set's own",
    inspect=inspect_torchvision,
)
def torchvision(*, dataset: str, options: dict[str, Any] | None = None, size: int = 0, cache: str = "cache") -> Pool:
    """Any classification set of torchvision, e.g. {loader: torchvision, dataset: EMNIST, options: {split: letters}}.

    dataset: the class in torchvision.datasets. options: keywords of the class; a ``split`` for a class that divides its
    samples by it (not EMNIST, which has ``train`` for that) takes that part alone, without a test split.
    size: for images that differ in size: the shorter side is resized to it, then the centre cropped.
    """
    from torchvision import datasets

    return by_sample(getattr(datasets, dataset), cache, options or {}, size)
