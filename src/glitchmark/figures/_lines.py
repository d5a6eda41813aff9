"""Rows of small panels with lines, in the style of the bars."""

import itertools
import textwrap

import matplotlib

matplotlib.use("Agg")

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glitchmark.figures._bars import WIDTH

HEIGHT = 2.0  # inches


def panels(names: list[str]) -> tuple[Figure, list[Axes]]:
    """A figure with a titled panel a name, two columns of a page wide if there are several."""
    width = WIDTH * min(2.0, max(1.0, 0.65 * len(names)))
    figure = Figure(figsize=(width, HEIGHT), layout="constrained")
    axes = list(figure.subplots(1, len(names), squeeze=False)[0])
    for panel, name in zip(axes, names, strict=True):
        panel.set_title(name, fontsize=8)
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(linewidth=0.4, color="0.85")
        panel.set_axisbelow(True)
    return figure, axes


def empty(message: str) -> Figure:
    """A figure that says what is missing."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, message, ha="center", va="center", wrap=True, fontsize=8)
    return figure


def lines(axes: Axes, rows: pd.DataFrame, hue: str, palette: dict[str, str]) -> None:
    """Mean of value over x with the standard deviation as a band, by ``hue``."""
    order = [name for name in palette if name in set(rows[hue])]
    sns.lineplot(
        rows, x="x", y="value", hue=hue, hue_order=order, palette=palette, errorbar="sd", ax=axes, linewidth=1.2,
        err_kws={"alpha": 0.15, "linewidth": 0}, legend=False,
    )  # fmt: skip


def label(axes: list[Axes], x: str, y: str) -> None:
    """Labels of the axes: below each panel, and left of the first."""
    for panel in axes:
        panel.set_xlabel(x, fontsize=8)
        panel.set_ylabel(y if panel is axes[0] else "", fontsize=8)


def note_failures(figure: Figure, note: str) -> None:
    """Write below the panels which cells failed, if any."""
    if note:
        figure.supxlabel("\n".join(textwrap.wrap(note, 140)), fontsize=6, color="#A00000")


def legend(figure: Figure, palette: dict[str, str], labels: dict[str, str], styles: tuple = ("-",)) -> None:
    """One legend for all panels, above them. styles: of the lines, in turn."""
    handles = [
        matplotlib.lines.Line2D([], [], color=colour, linestyle=style, linewidth=1.5)
        for colour, style in zip(palette.values(), itertools.cycle(styles), strict=False)
    ]
    names = [labels.get(name, name) for name in palette]
    columns = max(1, min(len(names), int(figure.get_figwidth() / (0.5 + 0.072 * max(map(len, names))))))
    height = HEIGHT + 0.17 * -(-len(names) // columns)
    figure.set_size_inches(figure.get_figwidth(), height)
    figure.legend(
        handles, names, loc="outside upper center", ncols=columns, frameon=False, fontsize=8, handlelength=1.2,
        columnspacing=1, handletextpad=0.5,
    )  # fmt: skip
