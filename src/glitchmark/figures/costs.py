"""What methods cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("costs", title="What each method costs", reads=("costs", "methods"), reference="own")
def costs(costs: pd.DataFrame, methods: pd.DataFrame, *, shown: tuple[str, ...] = ()) -> Figure:
    """Seconds, share of the time of training, and peak memory of each method, on one cell.

    What a method reads, influence or a cross-validation, is included. The point is the median over cells, the line goes
    from the 10th to the 90th percentile. A method without a model has no share. shown: all methods if none are named.
    """
    import pandas as pd

    from glitchmark.figures._costs import method_costs
    from glitchmark.figures._panels import BLUE, Mark, dot_figure, dots
    from glitchmark.figures._rows import with_names
    from glitchmark.figures._style import empty, not_run

    rows = method_costs(costs, methods)
    rows = with_names(rows[rows["method"].isin(shown)] if shown else rows)
    if rows.empty:
        return empty(not_run("any method", "config.yaml", costs))
    rows = rows.assign(share=100 * rows["seconds"] / rows["training"])
    shares = {"mean": 0.5, "low": 0.1, "high": 0.9}
    grouped = rows.groupby("name", sort=False)
    order = list(grouped["seconds"].median().sort_values(kind="stable").index)
    panels = {"seconds": "seconds", "share": "% of training time", "peak_memory_mb": "peak memory (MB)"}
    drawn, axes = dot_figure(order, 1, ["", "", ""])
    drawn.set_size_inches(drawn.get_figwidth(), 0.6 + max(0.5, 0.15 * len(order)))
    for panel, (column, what) in zip(axes, panels.items(), strict=True):
        table = pd.DataFrame({name: grouped[column].quantile(q) for name, q in shares.items()})
        dots(panel, table.reset_index().assign(mark=""), order, {"": Mark("", BLUE, "o")})
        panel.set_xlabel(what, fontsize=8)
        if column != "peak_memory_mb":
            panel.set_xscale("log")
    return drawn
