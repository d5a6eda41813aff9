"""KDD'25, Fig. 10."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig10", title="Far clustered anomalies in ImageNet-Dogs", reference="Myrtakis et al., KDD 2025, Fig. 10")
def fig10(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = ("si", "mi", "neg_mi", "aai", "gd_class", "pcid", "loss"),
    ratio: float = 0.1,
    dataset: str = "imagenet_dogs",
) -> Figure:
    """F1 of the signals for 10 % far clustered anomalies from Fashion-MNIST in ImageNet-Dogs.

    Bars are means over seeds, error bars bootstrap 95 % intervals over seeds.
    """
    from glitchmark.figures._bars import method_bars  # over a second to import

    return method_bars(
        metrics, methods, glitch="far_ca", ratio=ratio, modality="image", dataset=dataset, config="config/paper.yaml"
    )
