"""Any data set of openml.org."""

from glitchmark.datasets import Pool, _openml, dataset


@dataset(
    "openml",
    modality="table",
    source="https://www.openml.org/d/<id>, through the openml package",
    licence="see the data set's page",
)
def openml(*, id: int, target: str = "", drop: tuple = (), max_categories: int = 100, cache: str = "cache") -> Pool:
    """Any OpenML data set with classes, by its id.

    target: the column with the labels; OpenML's default target if empty. drop: columns to leave out, besides those that
    OpenML declares as row numbers or to be ignored. max_categories: a text column with more values is refused. cache:
    the folder that keeps downloads.
    """
    return _openml.load(id, cache, target=target, drop=drop, max_categories=max_categories)
