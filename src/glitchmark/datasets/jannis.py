"""Jannis, from the ChaLearn AutoML challenge (OpenML)."""

from glitchmark.datasets import Pool, _openml, dataset


@dataset(
    "jannis",
    modality="table",
    n_samples=83733,
    n_classes=4,
    shape=(54,),
    source="https://www.openml.org/d/41168 (Guyon et al., Analysis of the AutoML Challenge Series 2015-2018, 2019)",
    licence="Public, as OpenML states",
)
def jannis(*, cache: str = "cache") -> Pool:
    """83733 rows, 54 numeric columns, four unequal classes."""
    return _openml.load(41168, cache)
