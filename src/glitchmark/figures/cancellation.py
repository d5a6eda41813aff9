"""How much of each signal cancels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "cancellation",
    title="Cancellation of influence",
    reads="series",
    reference="Myrtakis et al., arXiv:2506.11584: influence cancellation effects",
)
def cancellation(
    series: pd.DataFrame,
    *,
    signals: tuple[str, ...] = ("si", "mi", "aai", "gd_class"),
    glitch: str = "mixed",
    modality: str = "image",
) -> Figure:
    """The cancellation index, 1 - |sum| / sum of absolute values, of what each signal adds up over validation samples
    and checkpoints, for clean, mislabeled and anomalous samples."""
    from glitchmark.evaluation.selection import representative
    from glitchmark.figures._bars import KINDS, grouped_bars  # over a second to import

    names = {f"{name}_cancellation": name for name in signals}
    rows = series[series["series"].isin(names) & (series["glitch"] == glitch) & (series["modality"] == modality)]
    rows = representative(rows).assign(signal=rows["series"].map(names))
    missing = (
        f"not run: {modality} data sets with the glitch '{glitch}' and a signal that reads dynamics, e.g. cancellation"
    )
    return grouped_bars(rows, "class", list(KINDS), "cancellation index", missing, KINDS, x="signal")
