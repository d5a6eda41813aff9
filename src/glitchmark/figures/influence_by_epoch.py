"""Signals over training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "influence_by_epoch",
    title="Influence over training",
    reads=("series",),
    reference="Myrtakis et al., arXiv:2506.11584: how influence changes during training",
)
def influence_by_epoch(
    series: pd.DataFrame,
    *,
    signals: tuple[str, ...] = ("si", "mi", "aai"),
    glitch: str = "mixed",
    modality: str = "image",
) -> Figure:
    """SI, MI and AAI at each epoch for clean, mislabeled and anomalous samples, a line of panels a model.

    Each cell's values are relative to its largest, so that data sets of different scale can be averaged. Lines are
    means over data sets and seeds, bands bootstrap 95 % intervals over seeds. Where a model was trained for more epochs
    on some data sets, these have panels of their own.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from glitchmark.evaluation.selection import representative
    from glitchmark.figures._lines import empty, legend, lines, note_failures, style  # over a second to import
    from glitchmark.figures._style import KINDS, MODALITIES, PAGE, WIDTH, failures_note, label_of, not_run

    names = {f"{name}_by_epoch": name for name in signals}
    rows = series[series["series"].isin(names) & (series["glitch"] == glitch) & (series["modality"] == modality)]
    rows = representative(rows)
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows.empty:
        what = f"{MODALITIES[modality]} with the glitch '{glitch}' and a signal that reads dynamics, e.g. cancellation"
        return empty(note or not_run(what, "config.yaml", series))
    cell = ["dataset", "model", "ratio", "seed"]
    largest = rows["value"].abs().groupby([rows[column] for column in (*cell, "series")]).transform("max")
    rows = rows.assign(
        value=rows["value"] / largest.where(largest > 0, 1),
        signal=rows["series"].map(names),
        epochs=rows.groupby(cell)["x"].transform("max").astype(int),
    )
    # every seed counts once, whatever the number of data sets
    rows = rows.groupby(["model", "epochs", "signal", "class", "x", "seed"], sort=False)["value"].mean().reset_index()
    there = [name for name in signals if name in set(rows["signal"])]
    epochs_of = rows.groupby("model", sort=False)["epochs"].unique().map(sorted)
    trained = [(model, epochs) for model, several in epochs_of.items() for epochs in several]
    drawn = Figure(figsize=(WIDTH if len(there) == 1 else PAGE, 0.4 + 1.35 * len(trained)), layout="constrained")
    places = drawn.subplots(len(trained), len(there), squeeze=False)
    for i, (model, epochs) in enumerate(trained):
        for axes, name in zip(places[i], there, strict=True):
            mine = rows[(rows["model"] == model) & (rows["epochs"] == epochs) & (rows["signal"] == name)]
            lines(axes, mine, "class", KINDS)
            style(axes)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.set(xlabel="", ylabel="")
            if i == 0:
                axes.set_title(label_of(name), fontsize=8)
            if i == len(trained) - 1:
                axes.set_xlabel("epoch", fontsize=8)
        places[i, 0].set_ylabel(
            label_of(model) + (f"\n{epochs} epochs" if len(epochs_of[model]) > 1 else ""), fontsize=8
        )
    drawn.supylabel("relative to the largest", fontsize=8)
    note_failures(drawn, note)
    legend(drawn, {kind: colour for kind, colour in KINDS.items() if kind in set(rows["class"])}, {})
    return drawn
