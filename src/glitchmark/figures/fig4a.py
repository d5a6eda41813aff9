"""KDD'25, Fig. 4a."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig4a", title="Far clustered anomalies", reference="Myrtakis et al., KDD 2025, Fig. 4a")
def fig4a(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("si", "mi", "neg_mi", "aai", "gd_class", "pcid", "loss"),
    ratio: float = 0.1,
) -> Figure:
    """F1 of the signals for 10 % far clustered anomalies, averaged over the image data sets.

    Bars are means over data sets and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import method_bars  # over a second to import

    return method_bars(metrics, methods, glitch="far_ca", ratio=ratio, modality="image")
