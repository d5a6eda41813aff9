"""DataFrames as tables of the page: every cell a text, and where it is a number also what to sort it by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

MISSING = "–"
SMALL = 1000


class Cell(NamedTuple):
    """order: what a number is sorted by, "" for a missing one; None: the text itself. style: a class of its own."""

    text: str
    order: str | None = None
    style: str = ""


class Table(NamedTuple):
    """id: unique in the page. numeric: by column. notes: sentences below it."""

    id: str
    caption: str
    headings: list[str]
    numeric: list[bool]
    rows: list[list[Cell]]
    notes: tuple[str, ...] = ()


def table(
    frame: pd.DataFrame,
    id: str,
    caption: str,
    *,
    formats: Mapping[str, str] | None = None,
    styles: Mapping[str, Mapping[str, str]] | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    """A frame's columns in their order. formats: of numbers, by column; one that suits them where there is none.
    styles: class of a cell by column and value."""
    numeric = [pd.api.types.is_numeric_dtype(dtype) and not _is_flag(dtype) for dtype in frame.dtypes]
    columns = [
        _numbers(frame[name], (formats or {}).get(name))
        if is_number
        else _texts(frame[name], (styles or {}).get(name, {}))
        for name, is_number in zip(frame.columns, numeric, strict=True)
    ]
    rows = [list(cells) for cells in zip(*columns, strict=True)]
    return Table(id, caption, [str(name).replace("_", " ") for name in frame.columns], numeric, rows, notes)


def read_csv(path: Path, texts: tuple[str, ...] = ()) -> pd.DataFrame:
    """A CSV as this package writes them: only an empty field is missing, since a class may be called "NA" or "None".
    A file without any column gives an empty frame. texts: columns that are no numbers, even where they look so."""
    if not path.read_text().strip():
        return pd.DataFrame()
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""])


def _is_flag(dtype: Any) -> bool:
    return pd.api.types.is_bool_dtype(dtype)


def _format(numbers: pd.Series) -> str:
    """Whole numbers as such, small ones with four digits, so that they line up."""
    known = numbers.dropna()
    if (known == known.round()).all():
        return ".0f"
    return "#.4g" if known.abs().max() < SMALL else ".1f"


def _numbers(numbers: pd.Series, form: str | None) -> list[Cell]:
    form = _format(numbers) if form is None else form
    return [Cell(MISSING, "") if pd.isna(value) else Cell(format(value, form), repr(value)) for value in numbers]


def _texts(values: pd.Series, styles: Mapping[str, str]) -> list[Cell]:
    texts = ["" if pd.isna(value) else str(value) for value in values]
    return [Cell(text, style=styles.get(text, "")) for text in texts]
