"""Average ranks of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "critical_difference",
    title="Average ranks and critical difference",
    reference="Demšar, JMLR 2006, section 3.2.2: Friedman and Nemenyi",
)
def critical_difference(
    metrics: pd.DataFrame,
    *,
    methods: tuple[str, ...] = (),
    metric: str = "f1",
    glitch: str = "uniform",
    ratio: float = 0.1,
) -> Figure:
    """Average rank of each method over data sets, models and seeds, 1 for the best.

    Methods that a vertical bar joins do not differ by more than the critical difference (CD) of Nemenyi's test at 5 %.
    Blocks in which a method failed count for none, and are told below. methods: if none are named, all that were run in
    every block; the others are told below.
    """
    from matplotlib.figure import Figure

    from glitchmark.evaluation import statistics
    from glitchmark.figures._panels import BLUE, plain
    from glitchmark.figures._rows import matching, of_largest_validation, with_names
    from glitchmark.figures._style import (
        GLITCHES,
        METRICS,
        PAGE,
        WIDTH,
        empty,
        failures_note,
        not_run,
        note_below,
    )

    rows = matching(metrics, metric=metric, glitch=glitch, ratio=ratio, action="", **{"class": ""})
    rows = of_largest_validation(rows[rows["method"].isin(methods)] if methods else rows[rows["method"] != ""])
    note = failures_note(rows)
    rows = with_names(rows).assign(method=lambda of: of["name"])
    everywhere = set(rows["method"]) if methods or rows.empty else set(statistics.run_everywhere(rows))
    elsewhere = [name for name in rows["method"].unique() if name not in everywhere]
    values = statistics.paired(rows[rows["method"].isin(everywhere)])
    found = statistics.average_ranks(values)
    if len(found.ranks) < 2 or found.n_blocks < 2:
        what = f"two methods on two data sets, models or seeds, {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}"
        return empty(note or not_run(what, "config.yaml", metrics))
    ranks = found.ranks.sort_values(kind="stable")
    critical = statistics.critical_difference(len(ranks), found.n_blocks)
    bars = _joined(ranks.to_numpy(), critical)
    drawn = Figure(
        figsize=(WIDTH if len(bars) < 15 else PAGE, 0.65 + max(0.5, 0.15 * len(ranks))), layout="constrained"
    )
    axes, side = drawn.subplots(1, 2, sharey=True, width_ratios=[1, max(0.06, 0.045 * len(bars))])
    axes.plot(ranks, range(len(ranks)), "o", color=BLUE, markersize=3.5)
    plain(axes)
    axes.set_yticks(range(len(ranks)), ranks.index)
    axes.set_ylim(len(ranks) - 0.5, -0.5)
    axes.set_xlim(0.5, len(ranks) + 0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        f"average rank in {METRICS.get(metric, metric)}, CD {critical:.2f}, {found.n_blocks} blocks", fontsize=7
    )
    for x, (first, last) in enumerate(bars):
        side.plot([x, x], [first - 0.25, last + 0.25], color="black", linewidth=2, solid_capstyle="butt")
    side.set_xlim(-0.5, max(len(bars), 1) - 0.5)
    side.set_axis_off()
    tested = statistics.friedman(found)
    probability = f"p {tested.p_value:.2g}" if tested.p_value > 1e-16 else "p < 1e-16"
    axes.set_title(f"Friedman: F {tested.f:.3g}, {probability}", fontsize=7, loc="left")
    left = [f"{found.n_incomplete} blocks are left out: a method has no value there"] if found.n_incomplete else []
    left += [f"not run everywhere and left out: {', '.join(elsewhere)}"] if elsewhere else []
    note_below(drawn, "; ".join([*left, *filter(None, [note])]))
    return drawn


def _joined(ranks: np.ndarray, critical: float) -> list[tuple[int, int]]:
    """First and last position of each largest group of methods within the critical difference. ranks: ascending."""
    bars: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = int((ranks <= rank + critical).sum()) - 1
        if last > first and (not bars or last > bars[-1][1]):
            bars.append((first, last))
    return bars
