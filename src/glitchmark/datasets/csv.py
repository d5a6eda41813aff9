"""A user's own table in a CSV file."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._frames import CELLS, Frame, cannot_open, check_names, content_digest, describe, to_pool
from glitchmark.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def inspect_csv(*, file: str, test_file: str = "", **more) -> Description:
    """Check the file by reading it as the run will; raises UserError with the reason if it cannot be used."""
    return describe(csv(file=file, test_file=test_file, **more), content_digest(file, test_file))


@dataset(
    "csv",
    modality="table",
    source="a local CSV file with a header and a label column",
    licence="the file's own",
    files=("file", "test_file"),
    inspect=inspect_csv,
)
def csv(
    *,
    file: str,
    label: str,
    test_file: str = "",
    drop: tuple = (),
    max_categories: int = 100,
    separator: str = ",",
) -> Pool:
    """Your own CSV file: numbers, text and missing values in named columns, one of them the label.

    label: the column with the classes. test_file: a second file with the same columns, the test split. drop: columns
    to leave out, such as identifiers. max_categories: a text column with more different values is refused.
    separator: one character. Values that pandas reads as missing (empty, NA, NaN, null, ...) are.
    """
    if len(separator) != 1:
        raise UserError(f"'separator: {separator!r}' must be one character.")
    label, drop = str(label), tuple(map(str, drop))  # a config reads 2024 as a number
    test = _open(test_file, label, drop, separator) if test_file else None
    return to_pool(_open(file, label, drop, separator), label, drop=drop, max_categories=max_categories, test=test)


def _open(file: str, label: str, drop: Sequence[str], separator: str) -> Frame:
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more fields than the header
            columns = _columns(file, label, drop, separator)
    except OSError as error:
        raise cannot_open(file, error) from error
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{file}: the file is empty.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: the file is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split()).removesuffix(".")
        raise UserError(
            f"{file}: the file cannot be read as CSV with the separator '{separator}': {reason}."
        ) from error

    def read(names: list[str]) -> pd.DataFrame:
        return pd.DataFrame({name: pd.concat(columns[name], ignore_index=True) for name in names})

    n_rows = sum(len(piece) for piece in next(iter(columns.values())))
    return Frame(file, tuple(columns), n_rows, read)


def _columns(file: str, label: str, drop: Sequence[str], separator: str) -> "dict[str, list[pd.Series]]":
    """The columns in pieces of some rows; numbers that are no labels in single precision."""
    import pandas as pd

    how = {"sep": separator, "index_col": False}
    header = pd.read_csv(file, **how, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = [str(name) for name in header.iloc[0]]
    check_names(file, names)
    if len(names) == 1:
        raise UserError(f"{file}: there is one column only, '{names[0]}'; is 'separator: {separator!r}' right?")
    how |= {"chunksize": max(1, CELLS // len(names)), "low_memory": False}
    columns: dict[str, list[pd.Series]] = {}
    with pd.read_csv(file, **how) as pieces:
        for piece in pieces:
            for name in piece:
                is_number = _kind(piece[name]) == "number" and name != label
                with np.errstate(over="ignore"):
                    values = piece[name].astype(np.float32) if is_number else piece[name]
                columns.setdefault(name, []).append(values)
    for number, (name, column) in enumerate(zip(names, columns, strict=False), 1):
        if not name.strip() and column not in drop:
            raise UserError(
                f"{file}: column {number} has no name (a saved row number?); name it in the header, or drop it "
                f"(drop: ['{column}'])."
            )
    # What is a number in one piece and text in another is text, and written as in the file.
    mixed = [name for name, parts in columns.items() if len({_kind(p) for p in parts if p.notna().any()}) > 1]
    if mixed:
        with pd.read_csv(file, **how, usecols=mixed, dtype=str) as pieces:
            found = list(pieces)
        columns |= {name: [piece[name] for piece in found] for name in mixed}
    return columns or {name: [pd.Series()] for name in names}


def _kind(values: "pd.Series") -> str:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype, is_object_dtype

    if is_bool_dtype(values) or is_object_dtype(values):  # object: truth values of which some are missing
        return "truth"
    return "number" if is_numeric_dtype(values) else "text"
