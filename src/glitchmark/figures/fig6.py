"""KDD'25, Fig. 6."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig6", title="The pipeline", reference="Myrtakis et al., KDD 2025, Fig. 6", reads=("pipeline",))
def fig6(pipeline: pd.DataFrame) -> Figure:
    """The run's stages with the number of their results, or of their jobs where they leave none.

    An arrow leads from a stage to one that reads it. Left out are arrows that follow from others: a stage may also read
    whatever lies upstream of it.
    """
    from graphlib import TopologicalSorter

    from glitchmark.figures._graphs import draw_layers, without_shortcuts
    from glitchmark.figures._style import empty  # a second to import

    if pipeline.empty:
        return empty("not run: any stage")
    told = pipeline.set_index("stage")
    counts = {
        stage: f"{row.results:,} results" if row.results else f"{row.jobs:,} job{'s'[: row.jobs != 1]}"
        for stage, row in told.iterrows()
    }
    upstream = {stage: set(reads) & set(counts) for stage, reads in told["upstream"].items()}
    order = list(TopologicalSorter({stage: sorted(reads) for stage, reads in upstream.items()}).static_order())
    return draw_layers(order, without_shortcuts(upstream, order), counts)
