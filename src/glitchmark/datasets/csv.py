"""A user's own table in a CSV file."""

import warnings

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._frames import Frame, cannot_open, check_names, content_digest, describe, to_pool
from glitchmark.errors import UserError


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
    test = _open(test_file, label, separator) if test_file else None
    return to_pool(_open(file, label, separator), label, drop=drop, max_categories=max_categories, test=test)


def _open(file: str, label: str, separator: str) -> Frame:
    import pandas as pd
    from pandas.api.types import infer_dtype, is_bool_dtype, is_numeric_dtype

    how = {"sep": separator, "index_col": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more fields than the header
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            header = pd.read_csv(file, **how, header=None, nrows=1, dtype=str, keep_default_na=False)
            names = [str(name) for name in header.iloc[0]]
            check_names(file, names)
            table = pd.read_csv(file, **how)
            # Read in pieces, a column may be numbers in one and text in another.
            mixed = [name for name in table if table[name].dtype == object and "mixed" in infer_dtype(table[name])]
            if mixed:
                table[mixed] = pd.read_csv(file, **how, usecols=mixed, dtype=str)
    except OSError as error:
        raise cannot_open(file, error) from error
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{file}: the file is empty.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: the file is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split()).removesuffix(".")
        raise UserError(f"{file}: the file cannot be read as CSV with the separator '{separator}': {reason}.") from error
    if len(names) == 1:
        raise UserError(f"{file}: there is one column only, '{names[0]}'; is 'separator: {separator!r}' right?")
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise UserError(f"{file}: column {number} has no name; name it in the header (or is it a saved row number?).")
    for name in table.columns:  # half the memory, before the pool takes as much
        if name != label and is_numeric_dtype(table[name]) and not is_bool_dtype(table[name]):
            table[name] = _single(table[name])
    return Frame(file, tuple(names), len(table), lambda columns: table[columns])
