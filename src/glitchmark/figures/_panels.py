"""Grids of panels, dot plots and curves, in the style of all figures."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glitchmark.figures._style import PAGE, WIDTH, interval

# Okabe and Ito's colours, for what is no method
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#777777"
CLASSES = (BLUE, "#E69F00", GREEN, PURPLE, SKY, ORANGE, "#F0E442", "#000000")


class Mark(NamedTuple):
    """How a series of a dot plot is drawn."""

    label: str
    colour: str
    marker: str


def grid(titles: Sequence[str], *, columns: int = 4, height: float = 1.6) -> tuple[Figure, list[Axes]]:
    """A titled panel for each of ``titles``, at most ``columns`` beside one another. height: of a panel, inches."""
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    width = min(PAGE, WIDTH * max(1.0, 0.65 * columns))
    wide = int(18 * width / columns)
    titles = ["\n".join(textwrap.fill(line, wide) for line in title.split("\n")) for title in titles]
    lines = max(title.count("\n") for title in titles)
    figure = Figure(figsize=(width, 0.2 + rows * (height + 0.25 + 0.13 * lines)), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in places[len(titles) :]:
        unused.remove()
    for axes, title in zip(places, titles, strict=False):
        axes.set_title(title, fontsize=8)
        plain(axes)
    return figure, list(places[: len(titles)])


def plain(axes: Axes) -> None:
    """The axes in the style of all figures."""
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(linewidth=0.4, color="0.85")
    axes.set_axisbelow(True)


def label(axes: Sequence[Axes], x: str, y: str) -> None:
    """Labels of the axes of a grid: below its lowest panels and left of its first ones."""
    for panel in axes:
        place = panel.get_subplotspec()
        below = place.get_gridspec().ncols + place.num1
        if below >= len(axes):
            panel.set_xlabel(x, fontsize=8)
        if place.is_first_col():
            panel.set_ylabel(y, fontsize=8)


def curves(axes: Axes, rows: pd.DataFrame, hue: str, palette: dict[str, str]) -> None:
    """Means over seeds with their 95 % interval as a band. rows: columns x, value and ``hue``, a row a seed."""
    for name, colour in palette.items():
        points = rows[rows[hue] == name].groupby("x")["value"]
        means = points.mean()
        low, high = np.array([interval(values) for _, values in points]).reshape(-1, 2).T
        marker = "o" if len(means) <= 10 else None
        axes.plot(means.index, means, color=colour, linewidth=1.2, marker=marker, markersize=3)
        axes.fill_between(means.index, low, high, color=colour, alpha=0.15, linewidth=0)


def dot_figure(order: Sequence[str], marks: int, titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Panels beside one another for dot plots with the rows ``order``, whose labels are left of the first."""
    width = WIDTH if len(titles) == 1 else PAGE
    height = 0.85 + max(0.5, len(order) * (0.07 + 0.045 * marks))
    figure = Figure(figsize=(width, height), layout="constrained")
    places = list(figure.subplots(1, len(titles), sharey=True, squeeze=False)[0])
    for axes, title in zip(places, titles, strict=True):
        axes.set_title(title, fontsize=8)
        plain(axes)
    return figure, places


def dots(axes: Axes, table: pd.DataFrame, order: Sequence[str], marks: dict[str, Mark]) -> None:
    """A row for each of ``order``, from the top, and in it a point with its interval for each mark.

    table: columns name, mark, mean, low and high.
    """
    step = 0.7 / len(marks)
    for i, (key, mark) in enumerate(marks.items()):
        mine = table[table["mark"] == key].set_index("name").reindex(order)
        y = np.arange(len(order)) + (i - (len(marks) - 1) / 2) * step
        axes.errorbar(
            mine["mean"], y, xerr=[mine["mean"] - mine["low"], mine["high"] - mine["mean"]], fmt=mark.marker,
            color=mark.colour, markersize=3, elinewidth=0.8, markeredgewidth=0.8,
        )  # fmt: skip
    if len(marks) > 1:  # rows are told apart by stripes
        for row in range(1, len(order), 2):
            axes.axhspan(row - 0.5, row + 0.5, color="0.95", linewidth=0, zorder=0)
        axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(order)), order)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def line_handles(palette: dict[str, str]) -> list[Line2D]:
    """A line for the legend in each of the palette's colours."""
    return [Line2D([], [], color=colour, linewidth=1.5) for colour in palette.values()]


def mark_handles(marks: dict[str, Mark]) -> list[Line2D]:
    """A point for the legend for each mark."""
    return [Line2D([], [], color=m.colour, marker=m.marker, linestyle="", markersize=4) for m in marks.values()]
