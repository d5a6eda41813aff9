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
    reads=("series",),
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
    and checkpoints, for clean, mislabeled and anomalous samples. 0: nothing cancels; 1: everything does.

    Bars are means over data sets, models and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.evaluation.selection import representative
    from glitchmark.figures._bars import grouped_bars  # over a second to import
    from glitchmark.figures._style import KINDS, MODALITIES, not_run

    names = {f"{name}_cancellation": name for name in signals}
    rows = series[series["series"].isin(names) & (series["glitch"] == glitch) & (series["modality"] == modality)]
    rows = representative(rows).assign(signal=rows["series"].map(names))
    what = f"{MODALITIES[modality]} with the glitch '{glitch}' and a signal that reads dynamics, e.g. cancellation"
    missing = not_run(what, "config.yaml", series)
    return grouped_bars(rows, "class", list(KINDS), "Cancellation index", missing, KINDS, x="signal")
