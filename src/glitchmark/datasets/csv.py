"""A user's own table in a CSV file."""

import re
from typing import Any

import numpy as np

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._csv_columns import Form, as_numbers, read
from glitchmark.datasets._files import content_digest
from glitchmark.datasets._frames import describe, to_pool
from glitchmark.errors import UserError

WHOLE = re.compile(r"-?(0|[1-9]\d*)(\.0*)?")


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
    decimal: str = ".",
    missing: tuple = (),
    categories: tuple = (),
) -> Pool:
    """Your own CSV file: numbers, text and missing values in named columns, one of them the label.

    label: the column with the classes. test_file: a second file with the same columns, the test split. drop: columns
    to leave out, such as identifiers. max_categories: a text column with more different values is refused.
    separator, decimal: one character each. missing: texts that mean a missing value, besides those that pandas reads so
    (empty, NA, NaN, None, null, ...). categories: columns that hold categories although they look like numbers;
    any other text column of which most different values look like numbers is refused.

    A label is missing only if its cell is empty or stands in ``missing``, so that classes may be called NA or None.
    If all labels are whole numbers in their usual form, 1 and 1.0 are one class; or else labels are text, 01 and 1 two.
    """
    for key, value in {"separator": separator, "decimal": decimal}.items():
        if len(value) != 1 or value in "\r\n":
            raise UserError(f"'{key}: {value!r}' must be one character, and no end of line.")
    if separator == decimal:
        raise UserError(f"'decimal: {decimal!r}' must be another character than 'separator'.")
    # a config reads 2024 as a number
    drop, missing, categories = (tuple(map(str, names)) for names in (drop, missing, categories))
    form = Form(str(label), drop, max_categories, separator, decimal, missing, categories)
    tables = [read(file, form)]
    if test_file:
        tables.append(read(test_file, form, tables[0]))
    labels = _labels([text for table in tables for text in table.columns[form.label].texts], decimal)
    frame, *test = [table.frame(form.label, labels) for table in tables]
    return to_pool(frame, form.label, drop=drop, max_categories=max_categories, test=test[0] if test else None)


def _labels(texts: list[str], decimal: str) -> dict[str, Any]:
    """What each text of a label column stands for: a whole number as usual, any other number, or itself."""
    plain = [text if decimal == "." or "." in text else text.replace(decimal, ".") for text in texts]
    if all(WHOLE.fullmatch(text) for text in plain):
        return {text: str(int(number.split(".")[0])) for text, number in zip(texts, plain, strict=True)}
    values = as_numbers(texts, decimal)
    if not np.isnan(values).any() and (np.isinf(values) | (values != np.floor(values))).any():
        return dict(zip(texts, values.tolist(), strict=True))  # refused by to_labels, which says where
    return {text: text for text in texts}
