"""What glitches cost in accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@figure(
    "glitch_cost",
    title="Accuracy with glitches minus accuracy without",
    reference="Myrtakis et al., KDD 2025, README of the published code",
)
def glitch_cost(
    metrics: pd.DataFrame, *, measures: tuple[str, ...] = ("test_accuracy", "validation_accuracy")
) -> Figure:
    """Accuracy of models that were trained with a glitch minus that of the same models and seeds without, on untouched
    test samples and on clean validation samples, by data set, in percentage points.

    Bars are means over models and seeds, error bars bootstrap 95 % intervals over seeds.
    """
    import seaborn as sns  # over a second to import

    from glitchmark.figures._bars import grouped_bars
    from glitchmark.figures._style import METRICS, not_run

    rows = metrics[(metrics["method"] == "") & (metrics["action"] == "") & (metrics["modality"] != "toy")]
    rows = rows[rows["metric"].isin(measures)]
    cell = ["dataset", "model", "seed", "metric"]
    without = rows[rows["glitch"] == "none"].groupby(cell)["value"].mean()
    rows = rows[rows["glitch"] != "none"]
    value = 100 * (rows["value"].to_numpy() - without.reindex(rows[cell]).to_numpy())
    several = rows.groupby("glitch")["ratio"].transform("nunique") > 1
    names = rows["glitch"].astype(str) + rows["ratio"].map(" {:g}".format).astype(str).where(several, "")
    rows = rows.assign(value=value, named=names, measure=rows["metric"].map(METRICS))
    order = list(rows["named"].unique())
    palette = dict(zip(order, sns.color_palette("colorblind", len(order)).as_hex(), strict=True))
    missing = not_run("models trained with glitches and with none", "config.yaml", metrics)
    return grouped_bars(
        rows, "named", order, "Percentage points", missing, palette, x="dataset", panel="measure", limits=None
    )
