"""KDD'25, Fig. 3b."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure("fig3b", title="Noise in the validation labels", reference="Myrtakis et al., KDD 2025, Fig. 3b")
def fig3b(
    metrics: pd.DataFrame, *, method: str = "cnci", glitch: str = "class_dependent", ratio: float = 0.1
) -> Figure:
    """F1 of CNCI for class-dependent noise, with clean validation labels and with those of which 20 % are wrong.

    Bars are means over data sets and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    import pandas as pd

    from glitchmark.figures._bars import grouped_bars, select  # over a second to import
    from glitchmark.figures._style import GLITCHES, METRICS, empty, label_of, not_run

    mine = metrics[metrics["method"] == method]
    levels = sorted(mine["validation_noise"].unique())
    names = {level: f"{100 * level:g} % of the labels wrong" if level else "clean" for level in levels}
    parts = [mine[mine["validation_noise"] == level] for level in levels]
    wanted = {"metric": "f1", "glitch": glitch, "ratio": ratio, "method": method}
    rows = pd.concat([select(part, **wanted) for part in parts]) if parts else metrics[:0]
    rows = rows.assign(labels=rows["validation_noise"].map(names))
    what = f"{label_of(method)} with {GLITCHES.get(glitch, glitch)}, ratio {ratio:g}, at two levels of validation_noise"
    missing = not_run(what, "config/sweeps.yaml", metrics)
    if rows["validation_noise"].nunique() < 2:
        return empty(missing)
    colours = dict(zip(names.values(), ("#D55E00", "#F0B48A", "#7F3800"), strict=False))
    return grouped_bars(rows, "labels", list(names.values()), METRICS["f1"], missing, colours)
