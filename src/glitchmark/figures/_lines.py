"""Small panels with lines, in the style of the bars."""

import itertools

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glitchmark.figures._style import PAGE, WIDTH, empty, interval, legend_above
from glitchmark.figures._style import note_below as note_failures

__all__ = ["dashes_of", "empty", "label", "legend", "lines", "note_failures", "panels", "style"]

HEIGHT = 1.9  # inches, a panel
BESIDE = 4  # panels
DASHES = ((), (4, 1.5), (1, 1), (4, 1, 1, 1))  # points on and off


def panels(names: list[str]) -> tuple[Figure, list[Axes]]:
    """A figure with a titled panel a name, two columns of a page wide if there are several."""
    columns = min(BESIDE, len(names))
    lines = -(-len(names) // columns)
    width = min(PAGE, WIDTH * max(1.0, 0.65 * columns))
    figure = Figure(figsize=(width, HEIGHT * lines), layout="constrained")
    places = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in places[len(names) :]:
        unused.remove()
    axes = list(places[: len(names)])
    for panel, name in zip(axes, names, strict=True):
        panel.set_title(name, fontsize=8)
        style(panel)
    return figure, axes


def style(axes: Axes) -> None:
    """The look of a panel."""
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(linewidth=0.4, color="0.85")
    axes.set_axisbelow(True)


def lines(axes: Axes, rows: pd.DataFrame, hue: str, palette: dict[str, str], x: str = "x", **options: object) -> None:
    """Mean of value over x with its bootstrap 95 % interval as a band, by ``hue``. rows: one a seed, x and hue.

    options: of seaborn.lineplot.
    """
    order = [name for name in palette if name in set(rows[hue])]
    sns.lineplot(
        rows, x=x, y="value", hue=hue, hue_order=order, palette={name: palette[name] for name in order},
        errorbar=interval, ax=axes, linewidth=1.2, err_kws={"alpha": 0.15, "linewidth": 0}, legend=False, **options,
    )  # fmt: skip


def dashes_of(palette: dict[str, str]) -> dict[str, tuple[float, ...]]:
    """Dashes that tell lines of one colour apart: solid for the first of them."""
    colours = list(palette.values())
    return {name: DASHES[colours[:i].count(colours[i]) % len(DASHES)] for i, name in enumerate(palette)}


def label(axes: list[Axes], x: str, y: str) -> None:
    """Labels of the axes: below each panel, and left of the first of each line."""
    for i, panel in enumerate(axes):
        panel.set_xlabel(x, fontsize=8)
        panel.set_ylabel("" if i % BESIDE else y, fontsize=8)


def legend(figure: Figure, palette: dict[str, str], labels: dict[str, str], styles: tuple = ("-",)) -> None:
    """One legend for all panels, above them. styles: of the lines, in turn."""
    handles = [
        Line2D([], [], color=colour, linestyle=style, linewidth=1.5)
        for colour, style in zip(palette.values(), itertools.cycle(styles), strict=False)
    ]
    legend_above(figure, handles, [labels.get(name, name) for name in palette])
