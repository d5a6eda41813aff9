"""Contact sheets: images that no glitch has hit, and images that one has, with their labels."""

import textwrap

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glitchmark.stages._samples import training_inputs
from glitchmark.store import Entry

COLUMNS = 10
UNTOUCHED, GLITCHED = 20, 30  # images shown, at most
CELL = 0.72, 0.92  # inches of one image with its label


def contact_sheet(pool: Entry, inject: Entry, title: str) -> Figure:
    """The figure of one cell's training data: untouched images of every class, then the images of each glitch, where
    it changed them below what they were.

    Below each image stands its given label, and where that is not the true one, the true one; an anomaly has no class.
    """
    data, names = inject.arrays, [*pool.info["class_names"], "no class"]
    given, true, glitch = (np.array(data[name]) for name in ("observed_label", "true_label", "glitch"))
    found = [name for name in dict.fromkeys(glitch.tolist()) if name]
    blocks = []
    for name in ["", *found]:
        members = np.flatnonzero(glitch == name)
        samples = _spread(members, given, GLITCHED // len(found) if name else UNTOUCHED)
        if not len(samples):
            continue
        shown = f"{name or 'untouched'}: {len(samples)} of {len(members)}"
        if (data["content"][samples] >= 0).all() and (true[samples] >= 0).all():
            blocks.append((f"{shown}, before", samples, np.asarray(pool.arrays["x"][data["row"][samples]])))
            shown = f"{name}, after"
        blocks.append((shown, samples, training_inputs({"pool": pool, "inject": inject}, samples)))
    figure = _sheet(title, [len(samples) for _, samples, _ in blocks])
    for part, (shown, samples, x) in zip(figure.subfigs, blocks, strict=True):
        part.suptitle(shown, x=0.01, ha="left", fontsize=8, fontweight="bold")
        axes = part.subplots(-(-len(samples) // COLUMNS), COLUMNS, squeeze=False).ravel()
        for sample, image, own in zip(samples, x, axes, strict=False):
            other = "" if given[sample] == true[sample] else f"true: {names[true[sample]]}"
            _show(own, image, names[given[sample]], other)
        for own in axes[len(samples) :]:
            own.set_axis_off()
    return figure


def failed_sheet(title: str, reason: str) -> Figure:
    """In the place of a sheet whose glitch could not be made."""
    figure = Figure(figsize=(COLUMNS * CELL[0], 1.5))
    figure.suptitle(title, fontsize=9)
    figure.text(0.5, 0.4, "\n".join(textwrap.wrap(f"failed: {reason}", 90)), ha="center", fontsize=8, color="#A00000")
    return figure


def _spread(samples: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """At most so many of the samples, evenly over them in the order of their labels."""
    ordered = samples[np.argsort(labels[samples], kind="stable")]
    return ordered[np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))]


def _sheet(title: str, sizes: list[int]) -> Figure:
    heights = [0.3 + CELL[1] * -(-size // COLUMNS) for size in sizes]
    figure = Figure(figsize=(COLUMNS * CELL[0], 0.4 + sum(heights)), layout="constrained")
    figure.suptitle(title, fontsize=9)
    figure.subfigures(len(sizes), height_ratios=heights, squeeze=False)
    return figure


def _show(axes: Axes, image: np.ndarray, label: str, other: str) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    lines = [text if len(text) <= 20 else f"{text[:19]}…" for text in (label, other) if text]
    axes.set_xlabel("\n".join(lines), fontsize=6, parse_math=False)  # a name is no formula
