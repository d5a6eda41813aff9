"""KDD'25, Table 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd


@figure(
    "table1",
    title="Seconds of training, of CNCI and of PCID",
    reference="Myrtakis et al., KDD 2025, Table 1",
    reads=("costs",),
    form="table",
)
def table1(costs: pd.DataFrame, *, signals: tuple[str, ...] = ("cnci", "pcid")) -> pd.DataFrame:
    """Parameters, mean seconds a cell of training and of two signals, and the signals' share of training, by model.

    Training includes the cell's part of what the frozen layers computed, which cells share. A signal's seconds are
    those of its influence, which all signals of a cell share, and of its score.
    """
    import pandas as pd

    from glitchmark.figures._style import label_of
    from glitchmark.figures._tables import not_there

    mine = costs[costs["stage"].isin(["features", "train", "influence", "score"]) & costs["model"].fillna("").ne("")]
    rows = []
    for model, cells in mine.groupby("model", sort=False):
        stages = dict(list(cells.groupby("stage")))
        scores = {name: cells[(cells["stage"] == "score") & (cells["method"] == name)] for name in signals}
        if "train" not in stages or "influence" not in stages or all(part.empty for part in scores.values()):
            continue
        shared = stages.get("features", cells[:0])  # of frozen layers
        training = (shared["seconds"].sum() + stages["train"]["seconds"].sum()) / len(stages["train"])
        frozen = shared.groupby("dataset")["parameters"].first()
        trained = stages["train"].groupby("dataset")["parameters"].first()
        row = {
            "Model": label_of(model),
            "Parameters": int(trained.add(frozen, fill_value=0).mean()),
            "Training (s)": training,
        }
        for name, part in scores.items():
            row[f"{label_of(name)} (s)"] = stages["influence"]["seconds"].mean() + part["seconds"].mean()
        for name in signals:
            row[f"{label_of(name)}, % of training"] = 100 * row[f"{label_of(name)} (s)"] / training
        rows.append(row)
    if not rows:
        wanted = " or ".join(map(label_of, signals))
        return not_there(f"not run: a trained model with {wanted} (config.yaml has it)")
    return pd.DataFrame(rows)
