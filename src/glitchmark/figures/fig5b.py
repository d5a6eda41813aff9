"""KDD'25, Fig. 5b."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig5b", title="Characterising mixed glitches", reference="Myrtakis et al., KDD 2025, Fig. 5b")
def fig5b(metrics: pd.DataFrame, *, method: str = "cfrank", glitch: str = "mixed") -> Figure:
    """Share of the mislabeled and of the anomalous samples whose kind CFRank tells correctly, found or not.

    Bars are means over data sets and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import grouped_bars, select  # over a second to import
    from glitchmark.figures._style import KINDS, METRICS, label_of, not_run

    kinds = {kind: KINDS[kind] for kind in ("mislabeled", "anomalous")}
    metric, of = "characterisation_accuracy", {"glitch": glitch, "modality": "image", "method": method}
    rows = select(metrics, metric=metric, **of, **{"class": list(kinds)})
    cells = select(metrics, metric="f1", **of)  # failed ones have no kinds
    missing = not_run(f"{label_of(method)} on image data sets with the mixture '{glitch}'", "config.yaml", metrics)
    return grouped_bars(rows, "class", list(kinds), METRICS[metric], missing, kinds, cells)
