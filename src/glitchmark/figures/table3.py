"""KDD'25, Table 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd

GLITCH_OF = {"clean": ("uniform", "far_ca"), "mislabeled": ("uniform",), "anomalous": ("far_ca",)}
NAMES = {"clean": "Clean", "mislabeled": "Mislabeled", "anomalous": "Far-CA"}
METRICS = {
    "training_loss": "loss", "training_loss_published": "loss as published", "training_accuracy": "accuracy",
}  # fmt: skip


@figure(
    "table3",
    title="Loss and accuracy on clean, mislabeled and anomalous training samples",
    reference="Myrtakis et al., KDD 2025, Table 3",
    form="table",
)
def table3(metrics: pd.DataFrame, *, ratio: float = 0.1, models: tuple[str, ...] = ()) -> pd.DataFrame:
    """Mean loss and accuracy of the trained model, over seeds, on the training samples of each kind, with respect to
    their observed labels; 10 % uniform noise, and 10 % far clustered anomalies, whose clean samples count together.

    The loss as published is the cross-entropy of softmax outputs, as the paper's code computes it: a perfect fit reads
    1.46 with ten classes. models: which are shown; empty for all.
    """
    import itertools

    import pandas as pd

    from glitchmark.figures._style import label_of, not_run
    from glitchmark.figures._tables import not_there  # over a second to import

    rows = metrics[metrics["metric"].isin(METRICS) & (metrics["ratio"] == ratio) & (metrics["action"] == "")]
    if models:
        rows = rows[rows["model"].isin(models)]
    rows = pd.concat(
        [rows[(rows["class"] == kind) & rows["glitch"].isin(glitches)] for kind, glitches in GLITCH_OF.items()]
    ).dropna(subset="value")
    if rows.empty:
        what = f"uniform noise or far clustered anomalies, ratio {ratio:g}"
        return not_there(not_run(what, "config.yaml", metrics))
    means = rows.groupby(["dataset", "model", "class", "metric"])["value"].mean().unstack(["class", "metric"])
    told = []
    for cell in rows[["dataset", "model"]].drop_duplicates().itertuples(index=False, name=None):
        row = {"Data set": label_of(cell[0]), "Model": label_of(cell[1])}
        for kind, (metric, name) in itertools.product(GLITCH_OF, METRICS.items()):
            row[f"{NAMES[kind]}: {name}"] = means.loc[cell].get((kind, metric), float("nan"))
        told.append(row)
    return pd.DataFrame(told)
