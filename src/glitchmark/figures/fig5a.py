"""KDD'25, Fig. 5a."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig5a", title="Detecting mixed glitches", reference="Myrtakis et al., KDD 2025, Fig. 5a")
def fig5a(
    metrics: pd.DataFrame, *, methods: tuple[str, ...] = ("cnci", "pcid", "cfrank"), glitch: str = "mixed"
) -> Figure:
    """F1 for training sets with 10 % mislabeled samples and 10 % far anomalies; both kinds count as glitches.

    Bars are means over data sets and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import grouped_bars, select  # over a second to import
    from glitchmark.figures._style import METRICS, not_run

    rows = select(metrics, metric="f1", glitch=glitch, modality="image", method=list(methods))
    missing = not_run(f"image data sets with the mixture '{glitch}'", "config.yaml", metrics)
    return grouped_bars(rows, "method", list(methods), METRICS["f1"], missing)
