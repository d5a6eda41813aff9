"""KDD'25, Fig. 12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig12", title="Detection against the ratio of far anomalies", reference="Myrtakis et al., KDD 2025, Fig. 12")
def fig12(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("si", "mi", "neg_mi", "aai", "gd_class", "pcid"),
    glitch: str = "far_ca",
    modality: str = "image",
) -> Figure:
    """Average precision of the signals against the share of far clustered anomalies, a panel a model.

    Lines are means over data sets and seeds, bands bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._sweeps import over_ratios  # over a second to import

    return over_ratios(metrics, methods, "average_precision", glitch, modality)
