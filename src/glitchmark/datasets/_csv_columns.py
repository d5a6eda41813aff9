"""The columns of a CSV file, read in pieces: numbers in single precision, text as places in a dictionary."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from glitchmark.datasets._files import cannot_open
from glitchmark.datasets._frames import CELLS, Frame, check_names, check_present, check_texts, contents
from glitchmark.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

# What pandas reads as missing; given to it by column, since a class may well be called so.
MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
LIKE_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*%?")  # to people


@dataclass(frozen=True)
class Form:
    """How a file is written and what its columns are: the parameters of :func:`csv`."""

    label: str
    drop: tuple[str, ...]
    max_categories: int
    separator: str
    decimal: str
    missing: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass
class Column:
    """A column as it is read, piece by piece.

    parts: float32, numbers and truth values, NaN where missing; of text, integers, the place in ``texts``, -1 where
    missing. kinds: what was found in it. texts: the different texts in the order of the file, with their places.
    odd: of text, the first data row, counted from 1, and value that is no number.
    """

    parts: list[np.ndarray] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    texts: dict[str, int] = field(default_factory=dict)
    odd: tuple[int, str] | None = None

    def add(self, values: "pd.Series", decimal: str) -> None:
        """Append a piece of the column, whose index counts the rows of the file."""
        kind = contents(values)
        if kind in ("empty", "boolean", "integer", "floating"):
            self.kinds |= {"number"} if kind in ("integer", "floating") else {kind} - {"empty"}
            with np.errstate(over="ignore"):
                self.parts.append(values.to_numpy(np.float64, na_value=np.nan).astype(np.float32))
            return
        import pandas as pd

        self.kinds.add("text")
        places, found = pd.factorize(values)
        texts = found.tolist()
        known = [self.texts.setdefault(text, len(self.texts)) for text in texts]
        self.parts.append(np.array([*known, -1], np.min_scalar_type(-len(self.texts) - 1))[places])
        if self.odd is None and len(no_number := np.flatnonzero(np.isnan(as_numbers(texts, decimal)))):
            self.odd = int(values.index[np.argmax(places == no_number[0])]) + 1, texts[no_number[0]]

    def codes(self) -> np.ndarray:
        """Of text, integers (N,): the place of each row in ``texts``, -1 where it is missing."""
        absent = (np.full(len(part), -1, np.int8) for part in self.parts)
        return np.concatenate([p if p.dtype.kind == "i" else a for p, a in zip(self.parts, absent, strict=True)])


@dataclass(frozen=True)
class Table:
    """A file that is read: its columns, of which those that are not used are empty, and its number of rows."""

    file: str
    n_rows: int
    columns: dict[str, Column]

    def frame(self, label: str, labels: dict[str, Any]) -> Frame:
        """The table for :func:`to_pool`; labels: what each text of the label column stands for."""
        import pandas as pd

        def values(name: str) -> Any:
            column = self.columns[name]
            if name == label:
                return np.array([*map(labels.get, column.texts), None], object)[column.codes()]
            if column.texts:
                return pd.Categorical.from_codes(column.codes(), list(column.texts))
            return np.concatenate(column.parts)

        return Frame(
            self.file, tuple(self.columns), self.n_rows, lambda names: pd.DataFrame({n: values(n) for n in names})
        )


def as_numbers(texts: list[str], decimal: str) -> np.ndarray:
    """Texts as numbers, float64, NaN for those that are none."""
    import pandas as pd

    marks = str.maketrans({".": "_", decimal: "."})
    plain = pd.Series([text.translate(marks) for text in texts], dtype=object)
    return pd.to_numeric(plain, errors="coerce").to_numpy(np.float64)


def read(file: str, form: Form, like: Table | None = None) -> Table:
    """A file's columns that are not dropped, or else those that another file has.

    Raises UserError if the file cannot be read, or a column not used.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more fields than the header
            return _table(file, form, like)
    except OSError as error:
        raise cannot_open(file, error) from error
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{file}: the file is empty.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: the file is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, BadZipFile) as error:
        reason = " ".join(str(error).split()).removesuffix(".")
        raise UserError(
            f"{file}: the file cannot be read as CSV with the separator '{form.separator}': {reason}."
        ) from error


def _table(file: str, form: Form, like: Table | None) -> Table:
    import pandas as pd

    how: dict[str, Any] = {"sep": form.separator, "index_col": False}
    header = pd.read_csv(file, **how, header=None, nrows=1, dtype=str, keep_default_na=False)
    written = [str(name) for name in header.iloc[0]]
    check_names(file, written)
    if len(written) == 1:
        raise UserError(f"{file}: there is one column only, '{written[0]}'; is 'separator: {form.separator!r}' right?")
    names = list(pd.read_csv(file, **how, nrows=0).columns)
    for number, (name, column) in enumerate(zip(written, names, strict=True), 1):
        if not name.strip() and column not in form.drop:
            raise UserError(
                f"{file}: column {number} has no name (a saved row number?); name it in the header, or drop it "
                f"(drop: ['{column}'])."
            )
    check_present(file, names, label=[form.label])
    if like is None:
        check_present(file, names, drop=form.drop, categories=form.categories)
    used = [name for name in names if name not in form.drop and (like is None or name in like.columns)]
    how |= {
        "decimal": form.decimal,
        "keep_default_na": False,
        "na_values": {name: [*(MISSING if name != form.label else [""]), *form.missing] for name in names},
        "chunksize": max(1, CELLS // 4 // len(names)),
        "low_memory": False,
    }
    columns, n_rows = {name: Column() for name in names}, 0
    as_text = [name for name in used if name in (form.label, *form.categories)]
    for piece in _pieces(file, how | {"dtype": dict.fromkeys(as_text, str)}):
        n_rows += len(piece)
        for name in used:
            _add(file, name, columns[name], piece[name], form)
    # What is a number in one piece and text in another is text, and written as in the file.
    mixed = [name for name in used if len(columns[name].kinds) > 1]
    if mixed:
        columns |= {name: Column(odd=columns[name].odd) for name in mixed}
        for piece in _pieces(file, how | {"usecols": mixed, "dtype": str}):
            for name in mixed:
                _add(file, name, columns[name], piece[name], form)
    for name in used:
        _check_numbers(file, name, columns[name], form)
    return Table(file, n_rows, columns)


def _pieces(file: str, how: dict[str, Any]) -> "Iterator[pd.DataFrame]":
    import pandas as pd

    with pd.read_csv(file, **how) as pieces:
        yield from pieces


def _add(file: str, name: str, column: Column, values: "pd.Series", form: Form) -> None:
    """Append a piece of a column; raises UserError as soon as its texts are too many."""
    column.add(values, form.decimal)
    if name != form.label and len(column.texts) > form.max_categories:
        _check_numbers(file, name, column, form)
        check_texts(file, name, column.texts, form.max_categories, so_far=True)


def _check_numbers(file: str, name: str, column: Column, form: Form) -> None:
    """Raise UserError where text seems to be meant as numbers."""
    if column.odd is None or name in (form.label, *form.categories):
        return
    if 2 * sum(LIKE_NUMBER.fullmatch(text.strip()) is not None for text in column.texts) > len(column.texts):
        row, text = column.odd
        raise UserError(
            f"{file}: the column '{name}' seems to hold numbers, but '{text}' in data row {row} is none; say what is a "
            f"missing value (missing: ['{text}']) or which mark stands before decimals (decimal: ','), drop the column "
            f"(drop: ['{name}']), or say that it holds categories (categories: ['{name}'])."
        )
