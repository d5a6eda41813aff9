"""KDD'25, Fig. 5b."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig5b", title="Characterising mixed glitches", reference="Myrtakis et al., KDD 2025, Fig. 5b")
def fig5b(metrics: pd.DataFrame, *, method: str = "cfrank", glitch: str = "mixed") -> Figure:
    """Share of the mislabeled and of the anomalous samples whose kind CFRank tells correctly."""
    from glitchmark.figures._bars import KINDS, grouped_bars, select  # over a second to import

    kinds = {kind: KINDS[kind] for kind in ("mislabeled", "anomalous")}
    rows = select(
        metrics,
        metric="characterisation_accuracy",
        glitch=glitch,
        modality="image",
        method=method,
        **{"class": list(kinds)},
    )
    cells = select(metrics, metric="f1", glitch=glitch, modality="image", method=method)  # failed ones have no kinds
    missing = f"not run: '{method}' on image data sets with the mixture '{glitch}'"
    return grouped_bars(rows, "class", list(kinds), "Characterisation accuracy", missing, kinds, cells)
