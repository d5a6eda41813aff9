"""KDD'25, Fig. 8d."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "fig8d", title="CNCI and CleanLab repair uniform noise on images", reference="Myrtakis et al., KDD 2025, Fig. 8d"
)
def fig8d(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("cnci", "cleanlab"),
    ratio: float = 0.1,
) -> Figure:
    """Share of all mislabeled samples, found or not, for which CNCI and CleanLab suggest the true label.

    For 10 % uniform noise; averaged over the image data sets.
    Bars are means over data sets and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import method_bars  # over a second to import

    return method_bars(metrics, methods, glitch="uniform", ratio=ratio, modality="image", metric="repair_accuracy")
