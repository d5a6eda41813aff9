"""A user's own table in a Parquet file."""

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._files import content_digest
from glitchmark.datasets._frames import describe, parquet_frame, to_pool


def inspect_parquet(*, file: str, test_file: str = "", **more) -> Description:
    """Check the file by reading it as the run will; raises UserError with the reason if it cannot be used."""
    return describe(parquet(file=file, test_file=test_file, **more), content_digest(file, test_file))


@dataset(
    "parquet",
    modality="table",
    source="a local Parquet file with a label column",
    licence="the file's own",
    files=("file", "test_file"),
    inspect=inspect_parquet,
)
def parquet(*, file: str, label: str, test_file: str = "", drop: tuple = (), max_categories: int = 100) -> Pool:
    """Your own Parquet file: numbers, text, categories and missing values in columns, one of them the label.

    label: the column with the classes. test_file: a second file with the same columns, the test split. drop: columns
    to leave out, such as identifiers. max_categories: a text column with more different values is refused.
    """
    label, drop = str(label), tuple(map(str, drop))  # a config reads 2024 as a number
    test = parquet_frame(test_file) if test_file else None
    return to_pool(parquet_frame(file), label, drop=drop, max_categories=max_categories, test=test)
