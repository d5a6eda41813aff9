"""KDD'25, Fig. 8b."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "fig8b", title="CNCI and CleanLab detect uniform noise on images", reference="Myrtakis et al., KDD 2025, Fig. 8b"
)
def fig8b(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("cnci", "cleanlab"),
    ratio: float = 0.1,
) -> Figure:
    """F1 of CNCI and CleanLab for 10 % uniform class noise, averaged over the image data sets.

    Bars are means over data sets and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import method_bars  # over a second to import

    return method_bars(metrics, methods, glitch="uniform", ratio=ratio, modality="image")
