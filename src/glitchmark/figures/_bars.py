"""Grouped bars in the style of the papers: one group a model, one bar a method."""

import itertools

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from glitchmark.evaluation.selection import of_largest_ratio, representative
from glitchmark.figures._style import (
    ALARM,
    COLOURS,
    GLITCHES,
    KINDS,
    LABELS,
    METRICS,
    MODALITIES,
    PAGE,
    SPARE,
    WIDTH,
    empty,
    failures_note,
    fit_labels,
    interval,
    label_of,
    legend_above,
    not_run,
    note_below,
    palette_of,
)

__all__ = [
    "COLOURS", "KINDS", "LABELS", "SPARE", "WIDTH", "failures_note", "grouped_bars", "method_bars", "palette_of",
    "select",
]  # fmt: skip

BESIDE = 10  # bars that can be told apart by their colours; more of them get a line each
ERRORS = {"errorbar": interval, "err_kws": {"linewidth": 0.8, "color": "0.25"}}


def grouped_bars(
    rows: pd.DataFrame,
    hue: str,
    order: list[str],
    ylabel: str,
    missing: str,
    colours: dict[str, str] | None = None,
    cells: pd.DataFrame | None = None,
    x: str = "model",
    panel: str | None = None,
    limits: tuple[float, float] | None = (0, 1.02),
) -> Figure:
    """Mean over data sets and seeds with the bootstrap 95 % interval over seeds, by ``x`` and ``hue``.

    rows: of metrics.parquet, one metric, or of series.parquet. order: the values of hue from left to right; where they
    are more than BESIDE, each gets a line of its own. missing: what to say if there are no rows. cells: the rows whose
    failures are counted in a note, if not those drawn. panel: a column whose values get axes of their own. limits: of
    the values, None for those of the data.
    """
    note = failures_note(rows if cells is None else cells)
    rows = rows.dropna(subset="value")
    order = [value for value in order if value in set(rows[hue])]
    if not order:
        return empty(note or missing)
    rows = rows[rows[hue].isin(order)].rename(columns={x: "group"})
    rows = rows.assign(panel="" if panel is None else rows[panel].map(label_of), group=rows["group"].map(label_of))
    # every seed counts once, whatever the number of data sets
    means = rows.groupby(["panel", "group", hue, "seed"], sort=False)["value"].mean().reset_index()
    palette = palette_of(order) if colours is None else colours
    draw = _beside if len(order) <= BESIDE else _listed
    figure, complete = draw(means, hue, order, ylabel, palette, limits)
    crosses = "" if complete else "×: no value, since it was not run, or failed everywhere"
    note_below(figure, ". ".join(filter(None, (crosses, note))), ALARM if note else "0.35")
    return figure


def _beside(means, hue, order, ylabel, palette, limits) -> tuple[Figure, bool]:
    """Bars beside one another, told apart by a legend. Returns the figure and whether no bar is missing."""
    panels, groups = list(means["panel"].unique()), list(means["group"].unique())
    width = WIDTH if len(panels) * len(groups) * len(order) <= 24 and len(panels) == 1 else PAGE
    figure = Figure(figsize=(width, 2.45), layout="constrained")
    places = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    complete = True
    for axes, name in zip(places, panels, strict=True):
        mine = means[means["panel"] == name]
        sns.barplot(
            mine, x="group", y="value", hue=hue, order=groups, hue_order=order, palette=palette, ax=axes, saturation=1,
            width=min(0.8, 0.2 * len(order)), capsize=0.15, edgecolor="white", linewidth=0.4, legend=False, **ERRORS,
        )  # fmt: skip
        _style(axes, name, "y", limits)
        axes.set(xlabel="", ylabel=ylabel if axes is places[0] else "")
        fit_labels(axes, (width - 0.6) / len(panels) / len(groups))
        slot = min(0.8, 0.2 * len(order)) / len(order)
        for (i, group), (j, value) in itertools.product(enumerate(groups), enumerate(order)):
            if not ((mine["group"] == group) & (mine[hue] == value)).any():
                _mark_missing(axes, i + (j - (len(order) - 1) / 2) * slot, 0, "y")
                complete = False
    legend_above(figure, [Patch(color=palette[value]) for value in order], [label_of(value) for value in order])
    return figure, complete


def _listed(means, hue, order, ylabel, palette, limits) -> tuple[Figure, bool]:
    """A line a bar, named at its left, and a panel a group. Returns the figure and whether no bar is missing."""
    groups = list(means[["panel", "group"]].drop_duplicates().itertuples(index=False))
    columns = min(3, len(groups))
    lines = -(-len(groups) // columns)
    width = WIDTH if columns == 1 else PAGE
    figure = Figure(figsize=(width, lines * (0.45 + 0.13 * len(order))), layout="constrained")
    places = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    names = {value: label_of(value) for value in order}
    complete = True
    for axes, (panel, group) in zip(places, groups, strict=False):
        mine = means[(means["panel"] == panel) & (means["group"] == group)]
        sns.barplot(
            mine, x="value", y=hue, hue=hue, order=order, hue_order=order, palette=palette, ax=axes, saturation=1,
            width=0.75, capsize=0.3, legend=False, **ERRORS,
        )  # fmt: skip
        _style(axes, ", ".join(filter(None, (panel, group))), "x", limits)
        axes.set(xlabel=ylabel, ylabel="")
        axes.set_yticks(range(len(order)), names.values(), fontsize=7)
        for j, value in enumerate(order):
            if value not in set(mine[hue]):
                _mark_missing(axes, 0, j, "x")
                complete = False
    for unused in places[len(groups) :]:
        unused.remove()
    return figure, complete


def _style(axes: Axes, title: str, along: str, limits: tuple[float, float] | None) -> None:
    """The look of an axes with bars. along: the axis of the values, x or y."""
    axes.set_title(title, fontsize=8)
    axes.tick_params(labelsize=8 if along == "y" else 7)
    axes.xaxis.label.set_size(8)
    axes.yaxis.label.set_size(9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=along, linewidth=0.4, color="0.85")
    axes.set_axisbelow(True)
    if limits is not None:
        axes.set(**{f"{along}lim": limits})
    else:
        (axes.axhline if along == "y" else axes.axvline)(0, color="0.35", linewidth=0.6)


def _mark_missing(axes: Axes, x: float, y: float, along: str) -> None:
    # off the axis by a little, whatever its scale
    axes.annotate(
        "×", (x, y), (0, 3) if along == "y" else (3, 0), textcoords="offset points", ha="center", va="center",
        fontsize=6, color="0.35", annotation_clip=False,
    )  # fmt: skip


def select(metrics: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows in which every named column has the value, or one of the values; of several estimators those of the
    first, of several validation ratios those of the method's largest, and those with the least validation noise.

    Rows about one class of samples, or about what was done after detection, are there only where values name them.
    """
    rows = metrics
    for column, value in (values | {name: "" for name in ("class", "action") if name not in values}).items():
        rows = rows[rows[column].isin(value) if isinstance(value, list | tuple) else rows[column] == value]
    rows = representative(rows)
    return of_largest_ratio(rows)


def method_bars(
    metrics: pd.DataFrame,
    methods: tuple[str, ...],
    *,
    glitch: str,
    ratio: float,
    modality: str,
    metric: str = "f1",
    x: str = "model",
    config: str = "config.yaml",
    **values: object,
) -> Figure:
    """Bars of one metric of some methods for one glitch, averaged over what is not ``x``: Figs. 1, 2, 4, 7, 8.

    config: one that has the rows. values: of further columns, as select takes them.
    """
    rows = select(metrics, metric=metric, glitch=glitch, ratio=ratio, modality=modality, method=list(methods), **values)
    where = label_of(values["dataset"]) if "dataset" in values else MODALITIES[modality]
    what = f"{where} with {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}"
    missing = not_run(what, config, metrics)
    return grouped_bars(rows, "method", list(methods), METRICS.get(metric, metric), missing, x=x)
