"""Forest cover types from cartographic variables (UCI, OpenML)."""

from glitchmark.datasets import Pool, _openml, dataset


@dataset(
    "forest_cover",
    modality="table",
    n_samples=581012,
    n_classes=7,
    shape=(54,),
    source="https://www.openml.org/d/1596 (Blackard and Dean, UCI Covertype)",
    licence="Public, as OpenML states; UCI: CC BY 4.0",
)
def forest_cover(*, cache: str = "cache") -> Pool:
    """581012 patches of forest, 10 numeric and 44 binary columns, seven cover types."""
    return _openml.load(1596, cache)
