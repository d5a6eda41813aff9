"""From named columns to a Pool: the rules that CSV, Parquet and OpenML tables share."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glitchmark.datasets import Description, Pool
from glitchmark.datasets._files import cannot_open, described
from glitchmark.errors import UserError
from glitchmark.registry import suggestion

if TYPE_CHECKING:
    import pandas as pd

CELLS = 1 << 20  # values that are read at once, 8 MB in double precision
NUMBERS = ("boolean", "integer", "integer-na", "floating", "mixed-integer-float", "decimal", "empty")
TEXT = ("string", "categorical", "mixed-integer")
DATES = ("datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period")
DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ T].*)?")


@dataclass(frozen=True)
class Frame:
    """A table that is read a few columns at a time.

    where: what messages call it. names: its columns. n_rows: without the header. read: some names -> a pandas
    DataFrame that has these columns.
    """

    where: str
    names: tuple[str, ...]
    n_rows: int
    read: Callable[[list[str]], "pd.DataFrame"]


def parquet_frame(file: str, where: str = "") -> Frame:
    """A Parquet file; its pandas index, if it has one, is left out. Raises UserError if it cannot be read."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    where = where or file
    try:
        opened = ParquetFile(file, pre_buffer=False)
        schema = opened.schema_arrow
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0].removesuffix(".")
        raise UserError(f"{where}: the file cannot be read as Parquet: {reason}.") from error
    except OSError as error:
        raise cannot_open(file, error) from error
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    names = tuple(name for name in schema.names if name not in index)

    def read(columns: list[str]) -> "pd.DataFrame":
        try:
            table = opened.read(columns=columns, use_threads=False)
            return table.select(columns).to_pandas(ignore_metadata=True, use_threads=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            reason = str(error).splitlines()[0].removesuffix(".")
            raise UserError(f"{where}: the columns {_listed(columns)} cannot be read: {reason}.") from error

    return Frame(where, names, opened.metadata.num_rows, read)


def to_pool(
    frame: Frame, label: str, *, drop: Sequence[str] = (), max_categories: int = 100, test: Frame | None = None
) -> Pool:
    """The samples of one table, or of one and its test split.

    Numbers and truth values become numbers, also where they are declared as the categories 0 and 1; text and
    categories become codes in sorted order; missing values NaN. Classes are sorted: by value if all are whole numbers,
    else by name. Beyond x it needs the memory of a few columns.

    label: the column with the labels. drop: columns to leave out. max_categories: a text column that has more is
    taken for an identifier. Raises UserError that names the column, and the row, which cannot be used.
    """
    frames = [frame] if test is None else [frame, test]
    features = feature_names(frames, label, drop)
    y, class_names = to_labels(frames, label)
    x = np.empty((len(y), len(features)), np.float32)
    categories: list[int] = []
    batch = max(1, CELLS // len(y))
    for start in range(0, len(features), batch):
        names = features[start : start + batch]
        parts = [f.read(names) for f in frames]
        block = np.empty((len(names), len(y)), np.float32)
        for row, name in zip(block, names, strict=True):
            row[:], size = _column([part[name] for part in parts], frames, name, max_categories)
            categories.append(size)
        x[:, start : start + len(names)] = block.T
    return Pool(
        x,
        y,
        class_names,
        is_test=None if test is None else np.arange(len(y)) >= frame.n_rows,
        categories=tuple(categories) if any(categories) else (),
    )


def describe(pool: Pool, digest: str = "") -> Description:
    """What a pool is, in the words that the plan needs."""
    test = np.zeros(len(pool.y), bool) if pool.is_test is None else pool.is_test
    return described(pool.y, pool.class_names, test, pool.x.shape[1:], digest)


def feature_names(frames: list[Frame], label: str, drop: Sequence[str]) -> list[str]:
    """The columns that are neither labels nor dropped, in the first table's order; raises as :func:`to_pool` does."""
    for frame in frames:
        check_names(frame.where, frame.names)
        if frame.n_rows == 0:
            raise UserError(f"{frame.where}: there are no rows.")
        check_present(frame.where, frame.names, label=[label], drop=drop if frame is frames[0] else ())
    if label in drop:
        raise UserError(f"{frames[0].where}: the column '{label}' is the label and stands in 'drop' as well.")
    features = [name for name in frames[0].names if name != label and name not in drop]
    if not features:
        raise UserError(f"{frames[0].where}: no column is left beside the label '{label}'.")
    for frame in frames[1:]:
        missing = [name for name in features if name not in frame.names]
        if missing:
            raise UserError(f"{frame.where}: there is no column '{missing[0]}', which {frames[0].where} has.")
    return features


def check_names(where: str, names: Sequence[str]) -> None:
    """Raise UserError where two columns have the same name."""
    twice = [name for name in names if list(names).count(name) > 1] if len(set(names)) < len(names) else []
    if twice:
        raise UserError(f"{where}: there are several columns '{twice[0]}'; give each its own name.")


def check_present(where: str, names: Sequence[str], **wanted: Sequence[str]) -> None:
    """Raise UserError where a column that a parameter names is not among ``names``; wanted: by parameter."""
    for key, columns in wanted.items():
        for name in columns:
            if name not in names:
                raise UserError(
                    f"{where}: there is no column '{name}' ('{key}'){suggestion(name, names)}; "
                    f"there are: {_listed(names)}."
                )


def check_texts(where: str, name: str, texts: Collection[str], max_categories: int, so_far: bool = False) -> None:
    """Raise UserError where the distinct values of a text column are dates, or too many for categories.

    so_far: there may be more of them.
    """
    if texts and all(DATE.fullmatch(text) for text in texts):
        raise UserError(f"{where}: the column '{name}' holds dates; drop it (drop: ['{name}']).")
    if len(texts) > max_categories:
        raise UserError(
            f"{where}: the text column '{name}' has {'at least ' if so_far else ''}{len(texts)} different values, more "
            f"than 'max_categories: {max_categories}'; is it an identifier? Drop it (drop: ['{name}']) or raise that "
            "limit."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _place(frames: list[Frame], row: int) -> str:
    """Where a row of the joined tables lies, counted from 1, without the header."""
    for frame in frames:
        if row < frame.n_rows:
            break
        row -= frame.n_rows
    return f"{frame.where}: data row {row + 1}"


def contents(values: "pd.Series") -> str:
    """What a column holds: "empty" if nothing, or else what pandas calls it, such as "integer" or "string"."""
    from pandas.api.types import infer_dtype

    return "empty" if values.isna().all() else infer_dtype(values, skipna=True)


def _joined(parts: list["pd.Series"], frames: list[Frame], name: str) -> tuple["pd.Series", str]:
    """The column of all tables and what it holds; they must agree on that."""
    import pandas as pd

    kinds = [contents(part) for part in parts]
    for kind, frame in zip(kinds, frames, strict=True):
        if kind in DATES:
            raise UserError(f"{frame.where}: the column '{name}' holds dates; drop it (drop: ['{name}']).")
        if kind not in NUMBERS + TEXT:
            raise UserError(f"{frame.where}: the column '{name}' holds {kind} values; drop it (drop: ['{name}']).")
    known = {kind in NUMBERS for kind in kinds if kind != "empty"}
    if len(known) > 1:
        of = [f"{'numbers' if kind in NUMBERS else 'text'} in {f.where}" for kind, f in zip(kinds, frames, strict=True)]
        raise UserError(f"the column '{name}' holds {' and '.join(of)}; both must hold the same.")
    kind = next((kind for kind in kinds if kind != "empty"), "empty")
    return (parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)), kind


def _named(values: "pd.Series", kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values as sorted text, and for each row its place among them, -1 where it is missing."""
    import pandas as pd

    codes, found = pd.factorize(values)
    whole = kind in NUMBERS and kind != "boolean"
    names = np.array([str(int(value)) if whole else str(value) for value in found], dtype=str)
    distinct = np.unique(names)
    if all(re.fullmatch(r"[+-]?\d+", name) for name in distinct):
        distinct = np.array(sorted(distinct.tolist(), key=int), dtype=str)
    place = {name: i for i, name in enumerate(distinct.tolist())}
    rank = np.array([*(place[name] for name in names.tolist()), -1], dtype=np.int64)
    return distinct, rank[codes]


def to_labels(frames: list[Frame], label: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels, int64 (N,), and the names of the classes."""
    values, kind = _joined([frame.read([label])[label] for frame in frames], frames, label)
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise UserError(f"{_place(frames, missing[0])} has no label (column '{label}'); add it or remove the row.")
    if kind not in ("boolean", *TEXT):
        numbers = values.to_numpy(np.float64)
        odd = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)))
        if len(odd):
            raise UserError(
                f"{_place(frames, odd[0])} has the label {values.iloc[odd[0]]}, so the column '{label}' looks "
                "continuous; labels must be classes: text or whole numbers."
            )
    names, y = _named(values, kind)
    if len(names) < 2:
        raise UserError(f"{frames[0].where}: all rows have the label '{names[0]}'; at least two classes are needed.")
    return y, tuple(names.tolist())


def _column(parts: list["pd.Series"], frames: list[Frame], name: str, max_categories: int) -> tuple[np.ndarray, int]:
    """A column's numbers or codes, and how many categories it has, 0 for numbers."""
    values, kind = _joined(parts, frames, name)
    if kind == "empty":
        return np.full(len(values), np.nan, np.float32), 0
    if kind in NUMBERS:
        with np.errstate(over="ignore"):
            numbers = values.to_numpy(np.float64, na_value=np.nan).astype(np.float32)
        infinite = np.flatnonzero(np.isinf(numbers))
        if len(infinite):
            raise UserError(
                f"{_place(frames, infinite[0])} has {values.iloc[infinite[0]]} in the column '{name}'; infinite values "
                "and numbers beyond single precision are not allowed."
            )
        return numbers, 0
    names, codes = _named(values, kind)
    texts = names.tolist()
    check_texts(frames[0].where, name, texts, max_categories)
    is_truth = [text.lower() for text in texts] in (["0", "1"], ["false", "true"])
    return np.where(codes < 0, np.nan, codes).astype(np.float32), 0 if is_truth else len(texts)
