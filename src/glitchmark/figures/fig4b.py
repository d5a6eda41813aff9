"""KDD'25, Fig. 4b."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig4b", title="Far clustered anomalies: PCID and detectors", reference="Myrtakis et al., KDD 2025, Fig. 4b")
def fig4b(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("pcid", "deep_svdd", "dif", "iforest", "cblof"),
    ratio: float = 0.1,
) -> Figure:
    """F1 of PCID and of detectors on the raw input for 10 % far clustered anomalies, by data set.

    Bars are means over models and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import method_bars  # over a second to import

    return method_bars(metrics, methods, glitch="far_ca", ratio=ratio, modality="image", x="dataset")
