"""Grouped bars in the style of the papers: one group a model, one bar a method."""

import textwrap
from hashlib import blake2b

import matplotlib

matplotlib.use("Agg")

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from glitchmark.evaluation.selection import representative

# One colour a method in every figure; Okabe and Ito's and Tol's palettes are safe for colour-blind readers.
COLOURS = {
    "si": "#0072B2", "mi": "#999999", "neg_mi": "#56B4E9", "aai": "#E69F00", "gd_class": "#F0E442",
    "cnci": "#D55E00", "pcid": "#009E73", "cfrank": "#CC79A7", "loss": "#000000",
    "cleanlab": "#882255", "iforest": "#44AA99", "iforest_features": "#117733",
}  # fmt: skip
SPARE = ("#332288", "#88CCEE", "#DDCC77", "#AA4499", "#661100", "#6699CC", "#4477AA", "#CCBB44", "#EE3377", "#BBBBBB")
LABELS = {
    "si": "SI", "mi": "MI", "neg_mi": "−MI", "aai": "AAI", "gd_class": "GD-class", "cnci": "CNCI", "pcid": "PCID",
    "cfrank": "CFRank", "loss": "loss", "cleanlab": "CleanLab", "iforest": "iForest",
    "iforest_features": "iForest (features)", "resnet20": "ResNet-20", "mlp": "MLP",
    "vit_cifar": "small ViT", "convnext_cifar": "small ConvNeXt", "resnet": "ResNet",
    "ft_transformer": "FT-Transformer",
}  # fmt: skip
KINDS = {"clean": "#0072B2", "mislabeled": "#D55E00", "anomalous": "#009E73"}
WIDTH = 3.5  # inches, a column
# columns that tell the cells of a figure apart
CELL = (
    "dataset", "model", "estimator", "glitch", "ratio", "validation_ratio", "validation_noise", "subset", "seed",
    "method", "variant", "metric", "status",
)  # fmt: skip


def grouped_bars(
    rows: pd.DataFrame,
    hue: str,
    order: list[str],
    ylabel: str,
    missing: str,
    colours: dict[str, str] | None = None,
    cells: pd.DataFrame | None = None,
    x: str = "model",
) -> Figure:
    """Mean over data sets and seeds with the standard deviation over seeds, by ``x`` and ``hue``.

    rows: of metrics.parquet, one metric, or of series.parquet. order: the values of hue from left to right. missing:
    what to say if there are no rows. cells: the rows whose failures are counted in a note, if not those drawn.
    """
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    note = failures_note(rows if cells is None else cells)
    rows = rows.dropna(subset="value")
    order = [value for value in order if value in set(rows[hue])]
    if not order:
        axes.set_axis_off()
        axes.text(0.5, 0.5, note or missing, ha="center", va="center", wrap=True, fontsize=8)
        return figure
    rows = rows[rows[hue].isin(order)]
    # every seed counts once, whatever the number of data sets
    means = rows.groupby([x, hue, "seed"], sort=False)["value"].mean().reset_index()
    means[x] = means[x].map(lambda name: LABELS.get(name, name))
    palette = palette_of(order) if colours is None else colours
    sns.barplot(
        means, x=x, y="value", hue=hue, hue_order=order, palette=palette, errorbar="sd", ax=axes, saturation=1,
        width=min(0.8, 0.2 * len(order)),
        err_kws={"linewidth": 0.8, "color": "0.25"}, capsize=0.15, edgecolor="white", linewidth=0.4,
    )  # fmt: skip
    axes.set(xlabel="", ylabel=ylabel, ylim=(0, 1.02))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4, color="0.85")
    axes.set_axisbelow(True)
    handles, _ = axes.get_legend_handles_labels()
    axes.get_legend().remove()
    labels = [LABELS.get(value, value) for value in order]
    columns = max(1, min(4, len(order), int(WIDTH / (0.42 + 0.072 * max(map(len, labels))))))
    height = 2.6 + 0.17 * max(0, -(-len(order) // columns) - 2)
    if note:
        lines = textwrap.wrap(note, 80)
        figure.supxlabel("\n".join(lines), fontsize=6, color="#A00000")
        height += 0.1 * len(lines)
    figure.set_size_inches(WIDTH, height)
    figure.legend(
        handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=8, handlelength=1.2,
        columnspacing=1, handletextpad=0.5,
    )  # fmt: skip
    return figure


def palette_of(methods: list[str]) -> dict[str, str]:
    """A colour for each method: its own, or for methods that the papers do not have one that its name picks; two that
    pick the same get different ones while there are some."""
    palette = {m: COLOURS[m] for m in methods if m in COLOURS}
    for method in methods:
        if method not in COLOURS:
            start = blake2b(method.encode(), digest_size=8).digest()[0] % len(SPARE)
            turned = SPARE[start:] + SPARE[:start]
            palette[method] = next((colour for colour in turned if colour not in palette.values()), turned[0])
    return {m: palette[m] for m in methods}


def failures_note(rows: pd.DataFrame) -> str:
    """What to write below a figure whose cells did not all succeed; "" if they did."""
    # a series has many rows a cell
    rows = rows.drop_duplicates([column for column in CELL if column in rows])
    failed = rows[rows["status"].str.startswith("failed")]
    if failed.empty:
        return ""
    what = failed["method"].where(failed["method"] != "", failed["estimator"])
    names = failed["dataset"] + "/" + failed["model"] + "/" + what + " seed " + failed["seed"].astype(str)
    shown = ", ".join(names.iloc[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(failed)} of {len(rows)} cells failed and are left out: {shown}"


def select(metrics: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows in which every named column has the value, or one of the values; of several estimators those of the
    first, of several validation ratios those of the method's largest, and those with the least validation noise."""
    rows = representative(metrics)
    for column, value in values.items():
        rows = rows[rows[column].isin(value if isinstance(value, list | tuple) else [value])]
    return rows[rows["validation_ratio"] == rows.groupby("method")["validation_ratio"].transform("max")]
