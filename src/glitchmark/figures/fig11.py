"""KDD'25, Fig. 11."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig11", title="Detection against the ratio of uniform noise", reference="Myrtakis et al., KDD 2025, Fig. 11")
def fig11(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("si", "mi", "neg_mi", "aai", "gd_class", "cnci"),
    glitch: str = "uniform",
    modality: str = "image",
) -> Figure:
    """F1 of the signals against the share of mislabeled samples, a panel a model.

    Lines are means over data sets and seeds, bands bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._sweeps import over_ratios  # over a second to import

    return over_ratios(metrics, methods, "f1", glitch, modality)
