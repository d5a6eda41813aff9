"""KDD'25, the figure of appendix A.2.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig_corruptions", title="Corrupted images", reference="Myrtakis et al., KDD 2025, appendix A.2.3")
def fig_corruptions(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = (
        "si",
        "mi",
        "neg_mi",
        "aai",
        "gd_class",
        "pcid",
        "deep_svdd",
        "dif",
        "iforest",
        "cblof",
    ),
    corruptions: tuple[str, ...] = ("brightness", "stripe"),
    ratio: float = 0.1,
) -> Figure:
    """F1 of the signals and of detectors on the raw input where 10 % of the images are corrupted, by data set.

    Bars are means over models and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import grouped_bars, select  # over a second to import
    from glitchmark.figures._style import METRICS, not_run

    rows = select(metrics, metric="f1", glitch=list(corruptions), ratio=ratio, modality="image", method=list(methods))
    missing = not_run(f"images with {' or '.join(corruptions)}, ratio {ratio:g}", "config/sweeps.yaml", metrics)
    return grouped_bars(rows, "method", list(methods), METRICS["f1"], missing, x="dataset", panel="glitch")
