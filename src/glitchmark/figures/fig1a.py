"""KDD'25, Fig. 1a."""

import pandas as pd
from matplotlib.figure import Figure

from glitchmark.figures import figure
from glitchmark.figures._bars import grouped_bars, select


@figure("fig1a", title="Uniform class noise on images", reference="Myrtakis et al., KDD 2025, Fig. 1a")
def fig1a(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("si", "mi", "neg_mi", "aai", "gd_class", "cnci", "loss"),
    ratio: float = 0.1,
) -> Figure:
    """F1 of the signals for 10 % uniform class noise, averaged over the image data sets."""
    rows = select(metrics, metric="f1", glitch="uniform", ratio=ratio, modality="image", method=list(methods))
    missing = f"not run: image data sets with uniform noise, ratio {ratio:g}"
    return grouped_bars(rows, "method", list(methods), "F1", missing)
