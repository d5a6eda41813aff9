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
    reads="series",
    reference="Myrtakis et al., arXiv:2506.11584: how influence changes during training",
)
def influence_by_epoch(
    series: pd.DataFrame,
    *,
    signals: tuple[str, ...] = ("si", "mi", "aai"),
    glitch: str = "mixed",
    modality: str = "image",
) -> Figure:
    """SI, MI and AAI at each epoch for clean, mislabeled and anomalous samples.

    Each cell's values are relative to its largest, so that cells of different scale can be averaged.
    """
    from matplotlib.ticker import MaxNLocator

    from glitchmark.evaluation.selection import representative
    from glitchmark.figures._bars import KINDS, LABELS, failures_note  # over a second to import
    from glitchmark.figures._lines import empty, label, legend, lines, note_failures, panels

    rows = series[series["series"].isin([f"{name}_by_epoch" for name in signals])]
    rows = representative(rows[(rows["glitch"] == glitch) & (rows["modality"] == modality)])
    note, rows = failures_note(rows), rows.dropna(subset="value")
    if rows.empty:
        what = f"{modality} data sets with the glitch '{glitch}' and a signal that reads dynamics, e.g. cancellation"
        return empty(note or f"not run: {what}")
    largest = (
        rows["value"].abs().groupby([rows[c] for c in ("dataset", "model", "ratio", "seed", "series")]).transform("max")
    )
    rows = rows.assign(value=rows["value"] / largest.where(largest > 0, 1))
    there = [name for name in signals if f"{name}_by_epoch" in set(rows["series"])]
    drawn, axes = panels([LABELS.get(name, name) for name in there])
    for panel, name in zip(axes, there, strict=True):
        lines(panel, rows[rows["series"] == f"{name}_by_epoch"], "class", KINDS)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    label(axes, "epoch", "relative to the largest")
    note_failures(drawn, note)
    legend(drawn, {kind: colour for kind, colour in KINDS.items() if kind in set(rows["class"])}, {})
    return drawn
