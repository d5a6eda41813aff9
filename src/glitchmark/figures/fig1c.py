"""KDD'25, Fig. 1c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig1c", title="Uniform class noise on tables", reference="Myrtakis et al., KDD 2025, Fig. 1c")
def fig1c(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("si", "mi", "neg_mi", "aai", "gd_class", "cnci", "loss"),
    ratio: float = 0.1,
) -> Figure:
    """F1 of the signals for 10 % uniform class noise, averaged over the tables.

    Bars are means over data sets and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import method_bars  # over a second to import

    return method_bars(metrics, methods, glitch="uniform", ratio=ratio, modality="table")
