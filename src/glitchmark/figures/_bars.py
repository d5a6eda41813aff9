"""Grouped bars in the style of the papers: one group a model, one bar a method."""

import matplotlib

matplotlib.use("Agg")

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

# One colour a method in every figure; Okabe and Ito's and Tol's palettes are safe for colour-blind readers.
COLOURS = {
    "si": "#0072B2", "mi": "#999999", "neg_mi": "#56B4E9", "aai": "#E69F00", "gd_class": "#F0E442",
    "cnci": "#D55E00", "pcid": "#009E73", "cfrank": "#CC79A7", "loss": "#000000",
    "cleanlab": "#882255", "iforest": "#44AA99", "iforest_features": "#117733",
}  # fmt: skip
SPARE = ("#332288", "#88CCEE", "#DDCC77", "#AA4499", "#661100", "#6699CC")
LABELS = {
    "si": "SI", "mi": "MI", "neg_mi": "−MI", "aai": "AAI", "gd_class": "GD-class", "cnci": "CNCI", "pcid": "PCID",
    "cfrank": "CFRank", "loss": "loss", "cleanlab": "CleanLab", "iforest": "iForest",
    "iforest_features": "iForest (features)", "resnet20": "ResNet-20", "mlp": "MLP",
}  # fmt: skip
WIDTH = 3.5  # inches, a column


def grouped_bars(
    rows: pd.DataFrame, hue: str, order: list[str], ylabel: str, missing: str, colours: dict[str, str] | None = None
) -> Figure:
    """Mean over data sets and seeds with the standard deviation over seeds, by model and ``hue``.

    rows: of metrics.parquet, one metric. order: the hue's values from left to right. missing: what to say if there are
    no rows. Failed cells are counted in a note below the axes.
    """
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    order = [value for value in order if value in set(rows[hue])]
    if rows.empty or not order:
        axes.set_axis_off()
        axes.text(0.5, 0.5, missing, ha="center", va="center", wrap=True)
        return figure
    rows = rows[rows[hue].isin(order)]
    # every seed counts once, whatever the number of data sets
    means = rows.dropna(subset="value").groupby(["model", hue, "seed"], sort=False)["value"].mean().reset_index()
    means["model"] = means["model"].map(lambda m: LABELS.get(m, m))
    palette = palette_of(order) if colours is None else colours
    sns.barplot(
        means, x="model", y="value", hue=hue, hue_order=order, palette=palette, errorbar="sd", ax=axes,
        err_kws={"linewidth": 0.8, "color": "0.25"}, capsize=0.15, edgecolor="white", linewidth=0.4,
    )  # fmt: skip
    axes.set(xlabel="", ylabel=ylabel, ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4, color="0.85")
    axes.set_axisbelow(True)
    handles, _ = axes.get_legend_handles_labels()
    axes.get_legend().remove()
    labels = [LABELS.get(value, value) for value in order]
    figure.legend(handles, labels, loc="outside upper center", ncols=min(4, len(order)), frameon=False, fontsize=8)
    note = failures_note(rows)
    if note:
        figure.supxlabel(note, fontsize=6, color="#A00000")
    return figure


def palette_of(methods: list[str]) -> dict[str, str]:
    """A colour for each method: its own, or a spare one for methods that the papers do not have."""
    others = sorted(set(methods) - set(COLOURS))
    return {m: COLOURS.get(m) or SPARE[others.index(m) % len(SPARE)] for m in methods}


def failures_note(rows: pd.DataFrame) -> str:
    """What to write below a figure whose cells did not all succeed; "" if they did."""
    failed = rows[rows["status"].str.startswith("failed")]
    if failed.empty:
        return ""
    names = failed["dataset"] + "/" + failed["model"] + "/" + failed["method"] + " seed " + failed["seed"].astype(str)
    shown = ", ".join(names.iloc[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(failed)} of {len(rows)} cells failed and are left out: {shown}"


def select(metrics: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows in which every named column has the value, or one of the values, and whose validation ratio is the
    largest of the run."""
    rows = metrics[metrics["validation_ratio"] == metrics["validation_ratio"].max()]
    for column, value in values.items():
        rows = rows[rows[column].isin(value if isinstance(value, list | tuple) else [value])]
    return rows
