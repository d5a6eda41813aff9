"""Tables drawn as figures: rules above, below and under the head, columns as wide as what stands in them."""

import textwrap
from functools import lru_cache

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from glitchmark.figures._style import PAGE, WIDTH, empty

GAP = 0.14  # inches between columns
MARGIN = 0.08  # inches around the table
SIZES = (8, 7.5, 7, 6.5, 6)  # of the font: the one that is wanted, and those that can still be read
HEAD = 12  # characters, what a line of a column's head may take even where its cells are narrower
NARROWEST = 8  # characters that a wrapped column keeps


def not_there(message: str) -> pd.DataFrame:
    """What the function of a table returns where its rows are not there."""
    frame = pd.DataFrame()
    frame.attrs["missing"] = message
    return frame


def drawn(frame: pd.DataFrame, title: str) -> Figure:
    """A table as a figure, at most two columns of a page wide; it grows in height. The index is left out.

    Numbers are aligned at the right, with as many decimals as their column needs. Where the columns do not fit, the
    font shrinks, and then texts are wrapped, the widest first. A frame with attrs["missing"] is drawn as that sentence.
    """
    if "missing" in frame.attrs:
        return empty(frame.attrs["missing"])
    if frame.empty:
        return empty(f"{title}: no rows")
    right = [pd.api.types.is_numeric_dtype(frame[name]) and frame[name].dtype != bool for name in frame]
    cells = [written(frame[name]) if is_number else [str(v) for v in frame[name]] for name, is_number in
             zip(frame, right, strict=True)]  # fmt: skip
    columns = [[_head(str(name), column), *column] for name, column in zip(frame, cells, strict=True)]
    size, columns = _fitted(columns)
    widths = [max(_inches(text, size) for text in column) for column in columns]
    line = 1.3 * size / 72  # inches
    rows = [list(row) for row in zip(*columns, strict=True)]
    heights = [line * (max(text.count("\n") for text in row) + 1) + 0.03 for row in rows]
    width = max(sum(widths) + GAP * (len(widths) - 1) + 2 * MARGIN, 0.6 * WIDTH)
    name = textwrap.wrap(title, int(width / 0.068))
    top = 0.17 * len(name) + 0.08
    height = top + sum(heights) + 0.2
    figure = Figure(figsize=(width, height))

    def write(text: str, x: float, y: float, **how: object) -> None:
        """Each line by its baseline, so that a row's texts are level. y: inches from the top, of the first one."""
        for i, part in enumerate(text.split("\n")):
            figure.text(x / width, 1 - (y + (i + 0.8) * line) / height, part, va="baseline", **how)

    def rule(y: float, thickness: float) -> None:
        at = [1 - y / height] * 2
        figure.add_artist(Line2D([MARGIN / width, 1 - MARGIN / width], at, color="black", linewidth=thickness))

    write("\n".join(name), MARGIN, 0.04, fontsize=8, fontweight="bold")
    rule(top, 1)
    y = top + 0.04
    for i, (row, tall) in enumerate(zip(rows, heights, strict=True)):
        x = MARGIN
        for text, wide, is_number in zip(row, widths, right, strict=True):
            at, ha = (x + wide, "right") if is_number else (x, "left")
            # heads stand on the rule, cells hang from the row's upper edge
            above = tall - line * (text.count("\n") + 1) if i == 0 else 0
            write(text, at, y + above, ha=ha, fontsize=size)
            x += wide + GAP
        y += tall
        if i == 0:
            rule(y + 0.01, 0.5)
            y += 0.04
    rule(y + 0.02, 1)
    return figure


def written(numbers: pd.Series) -> list[str]:
    """A column of numbers as text, all with the same decimals; – where there is none."""
    there = numbers.dropna().astype(float)
    largest = there.abs().max() if len(there) else 0
    decimals = (
        0 if (there == there.round()).all() or largest >= 1000 else 1 if largest >= 100 else 2 if largest >= 10 else 3
    )
    return ["–" if pd.isna(value) else f"{value:,.{decimals}f}" for value in numbers]


def _head(name: str, column: list[str]) -> str:
    """A column's name, wrapped to about the width of what stands below it."""
    return textwrap.fill(name, max(HEAD, *map(len, column)), break_long_words=False)


def _fitted(columns: list[list[str]]) -> tuple[float, list[list[str]]]:
    """The largest font with which the columns fit on a page; for the smallest, texts are wrapped until they do."""
    room = PAGE - 2 * MARGIN - GAP * (len(columns) - 1)
    for size in SIZES:
        widths = [max(_inches(text, size) for text in column) for column in columns]
        if sum(widths) <= room:
            return size, columns
    columns = list(columns)
    while sum(widths) > room:
        widest = widths.index(max(widths))
        letters = max(len(line) for text in columns[widest] for line in text.split("\n"))
        if letters <= NARROWEST:
            raise ValueError(f"a table of {len(columns)} columns does not fit on a page; it needs fewer columns")
        whole = [" ".join(text.split("\n")) for text in columns[widest]]
        columns[widest] = [textwrap.fill(text, max(NARROWEST, int(0.85 * letters))) for text in whole]
        widths[widest] = max(_inches(text, size) for text in columns[widest])
    return size, columns


@lru_cache(maxsize=4096)
def _inches(text: str, size: float) -> float:
    """The width of the widest line of a text."""
    font = FontProperties(size=size)
    return max(text_to_path.get_text_width_height_descent(line, font, False)[0] for line in text.split("\n")) / 72
