"""KDD'25, Fig. 1d."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig1d", title="Noise in a single class on tables", reference="Myrtakis et al., KDD 2025, Fig. 1d")
def fig1d(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("si", "mi", "neg_mi", "aai", "gd_class", "cnci", "loss"),
    ratio: float = 0.1,
) -> Figure:
    """F1 of the signals where 10 % of one class alone are mislabeled, averaged over the tables.

    Bars are means over data sets and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import method_bars  # over a second to import

    return method_bars(metrics, methods, glitch="singular", ratio=ratio, modality="table")
