"""What all figures share: sizes, colours, names, intervals and notes."""

import textwrap
from hashlib import blake2b

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glitchmark.evaluation.statistics import bootstrap_interval

matplotlib.use("Agg")

WIDTH = 3.5  # inches, a column
PAGE = 7.16  # inches, two columns
ALARM = "#A00000"
# One colour a method in every figure; Okabe and Ito's and Tol's palettes are safe for colour-blind readers.
COLOURS = {
    "si": "#0072B2", "mi": "#999999", "neg_mi": "#56B4E9", "aai": "#E69F00", "gd_class": "#F0E442",
    "cnci": "#D55E00", "pcid": "#009E73", "cfrank": "#CC79A7", "loss": "#000000",
    "cleanlab": "#882255", "iforest": "#44AA99", "iforest_features": "#117733", "deep_svdd": "#332288",
    "dif": "#88CCEE", "cblof": "#DDCC77", "model_based": "#AA4499",
}  # fmt: skip
SPARE = ("#661100", "#6699CC", "#4477AA", "#CCBB44", "#EE3377", "#BBBBBB", "#228833", "#AA3377", "#EE8866", "#777711")
LABELS = {
    "si": "SI", "mi": "MI", "neg_mi": "−MI", "aai": "AAI", "gd_class": "GD-class", "cnci": "CNCI", "pcid": "PCID",
    "cfrank": "CFRank", "aum": "AUM", "cleanlab": "CleanLab", "cleanlab_margin": "CleanLab (margin)",
    "cleanlab_entropy": "CleanLab (entropy)", "iforest": "iForest", "iforest_features": "iForest (features)",
    "deep_svdd": "DeepSVDD", "deep_svdd_features": "DeepSVDD (features)", "dif": "DIF",
    "dif_features": "DIF (features)", "cblof": "CBLOF", "cblof_features": "CBLOF (features)",
    "model_based": "model-based", "plain": "plain", "class_based": "class-based", "mean_loss": "mean loss",
    "mahalanobis": "Mahalanobis", "gradient_l1": "gradient L1", "gradient_l2": "gradient L2",
    "gradient_iforest": "gradient iForest", "influence_function": "influence function", "grad_dot": "Grad-Dot",
    "grad_cos": "Grad-Cos", "grad_cos_partial": "Grad-Cos (partial)", "tracin": "TracIn", "lissa": "LiSSA",
    "datainf": "DataInf", "gd_class_mean": "GD-class (mean)", "inverse_pos": "inverse positive",
    "mahalanobis_min": "Mahalanobis (min)", "knn_disagreement": "kNN disagreement", "knn_distance": "kNN distance",
    "influence_trend": "influence trend",
    "resnet20": "ResNet-20", "mlp": "MLP", "vit_cifar": "small ViT", "convnext_cifar": "small ConvNeXt",
    "resnet": "ResNet", "ft_transformer": "FT-Transformer", "vit_b_16": "ViT-B/16", "convnext_t": "ConvNeXt-T",
    "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10", "imagenet_dogs": "ImageNet-Dogs",
}  # fmt: skip
KINDS = {"clean": "#0072B2", "mislabeled": "#D55E00", "anomalous": "#009E73"}
GLITCHES = {
    "none": "no glitches", "uniform": "uniform noise", "class_dependent": "class-dependent noise",
    "singular": "noise in a single class", "far_ca": "far clustered anomalies", "mixed": "the mixture 'mixed'",
    "brightness": "brightness corruption", "stripe": "stripe corruption",
}  # fmt: skip
METRICS = {
    "f1": "F1", "average_precision": "Average precision", "auroc": "AUROC", "repair_accuracy": "Repair accuracy",
    "characterisation_accuracy": "Characterisation accuracy", "test_accuracy": "Test accuracy",
    "validation_accuracy": "Validation accuracy",
}  # fmt: skip
MODALITIES = {"image": "image data sets", "table": "tables"}
# columns that tell the cells of a figure apart
CELL = (
    "dataset", "model", "estimator", "glitch", "ratio", "validation_ratio", "validation_noise", "subset", "action",
    "budget", "seed", "method", "variant", "metric", "status",
)  # fmt: skip


def label_of(name: str) -> str:
    """How a method, a model or a data set is called in figures: by its id if it has no other name."""
    return LABELS.get(name, name)


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


def interval(values: np.ndarray) -> tuple[float, float]:
    """Bootstrap 95 % interval of the mean of at least one value; seaborn's errorbar=("ci", 95) without its loop."""
    low, high = bootstrap_interval(np.asarray(values, float)[None])[0]
    return float(low), float(high)


def not_run(what: str, config: str, table: pd.DataFrame) -> str:
    """The sentence in place of a figure whose rows are not there. config: one that has them."""
    control = len(table) > 0 and (table["glitch"] == "none").all()
    return f"not run: {what} ({config} has it)" + ("; here, nothing was broken" if control else "")


def empty(message: str) -> Figure:
    """A figure that says what is missing."""
    lines = textwrap.wrap(message, 58)
    figure = Figure(figsize=(WIDTH, max(1.0, 0.4 + 0.14 * len(lines))), layout="constrained")
    figure.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", fontsize=8)
    return figure


def failures_note(rows: pd.DataFrame) -> str:
    """What to write below a figure whose cells did not all succeed; "" if they did."""
    # a series has many rows a cell
    rows = rows.drop_duplicates([column for column in CELL if column in rows])
    failed = rows[rows["status"].str.startswith("failed")]
    if failed.empty:
        return ""
    names = [
        "/".join(filter(None, (row.dataset, row.model, row.method or row.estimator))) + f" seed {row.seed}"
        for row in failed.head(3).itertuples()
    ]
    more = ", ..." if len(failed) > 3 else ""
    return f"{len(failed)} of {len(rows)} cells failed and are left out: {', '.join(names)}{more}"


def note_below(figure: Figure, note: str, colour: str = ALARM) -> None:
    """Write a note below the axes, if there is one; the figure grows by what it takes."""
    if note:
        width, height = figure.get_size_inches()
        lines = textwrap.wrap(note, int(20 * width))
        figure.supxlabel("\n".join(lines), fontsize=6, color=colour)
        figure.set_size_inches(width, height + 0.1 * len(lines))


def legend_above(figure: Figure, handles: list, labels: list[str]) -> None:
    """One legend above all axes, with as many columns as fit; the figure grows by what it takes."""
    width, height = figure.get_size_inches()
    columns = next(n for n in range(len(labels), 0, -1) if n == 1 or _wide(labels, n) < width)
    figure.set_size_inches(width, height + 0.17 * -(-len(labels) // columns))
    figure.legend(
        handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=8, handlelength=1.2,
        columnspacing=1, handletextpad=0.5,
    )  # fmt: skip


def _wide(labels: list[str], columns: int) -> float:
    """Inches that a legend takes, which fills its columns one after another."""
    return sum(0.35 + 0.066 * max(map(len, part)) for part in np.array_split(np.array(labels), columns))


def fit_labels(axes: Axes, slot: float) -> None:
    """Turn the x axis' tick labels where the longest does not fit. slot: inches for each."""
    longest = max(len(label.get_text()) for label in axes.get_xticklabels())
    if 0.065 * longest > slot:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
