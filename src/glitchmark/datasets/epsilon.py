"""Epsilon, from the PASCAL large scale learning challenge 2008 (OpenML)."""

from glitchmark.datasets import Pool, _openml, dataset


@dataset(
    "epsilon",
    modality="table",
    n_samples=500000,
    n_classes=2,
    shape=(2000,),
    source="https://www.openml.org/d/45575 (PASCAL large scale learning challenge, training and test part)",
    licence="see its page at OpenML",
)
def epsilon(*, cache: str = "cache") -> Pool:
    """500000 rows, 2000 numeric columns, two equal classes; 4 GB in memory."""
    return _openml.load(45575, cache)
