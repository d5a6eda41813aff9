"""The validation accuracies of KDD'25's published code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glitchmark.figures import figure

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"uniform": "Uniform noise", "class_dependent": "Class-dependent noise", "far_ca": "Far-CA"}
# As printed there, mean and deviation by glitch. The model's id here, in place of its name there.
PAPER = {
    ("mnist", "resnet20"): ("0.94 ± 0.01", "0.95 ± 0.01", "0.96 ± 0.01"),
    ("mnist", "vit_b_16"): ("0.83 ± 0.03", "0.81 ± 0.03", "0.90 ± 0.01"),
    ("mnist", "convnext_t"): ("0.83 ± 0.01", "0.82 ± 0.02", "0.87 ± 0.01"),
    ("fashion_mnist", "resnet20"): ("0.82 ± 0.01", "0.80 ± 0.01", "0.82 ± 0.01"),
    ("fashion_mnist", "vit_b_16"): ("0.81 ± 0.01", "0.81 ± 0.01", "0.83 ± 0.01"),
    ("fashion_mnist", "convnext_t"): ("0.81 ± 0.01", "0.80 ± 0.01", "0.82 ± 0.01"),
    ("cifar10", "resnet20"): ("0.89 ± 0.01", "0.88 ± 0.00", "0.90 ± 0.00"),
    ("cifar10", "vit_b_16"): ("0.90 ± 0.01", "0.90 ± 0.01", "0.91 ± 0.01"),
    ("cifar10", "convnext_t"): ("0.85 ± 0.01", "0.85 ± 0.00", "0.87 ± 0.00"),
}


@figure(
    "validation_accuracy",
    title="Validation accuracy, as published and here",
    reference="Myrtakis et al., KDD 2025, README of the published code",
    form="table",
)
def validation_accuracy(metrics: pd.DataFrame, *, ratio: float = 0.1) -> pd.DataFrame:
    """Accuracy on clean validation data of models that were trained with 10 % of each glitch: as the published code's
    README has it, with its deviation, and here, the mean with the bootstrap 95 % interval over seeds.

    First the paper's pairs of data set and model, then further ones; – where there is no number.
    """
    import pandas as pd

    from glitchmark.figures._style import interval, label_of, not_run
    from glitchmark.figures._tables import not_there  # over a second to import

    rows = metrics[
        (metrics["metric"] == "validation_accuracy")
        & (metrics["method"] == "")
        & (metrics["action"] == "")
        & (metrics["ratio"] == ratio)
        & metrics["glitch"].isin(COLUMNS)
        & (metrics["modality"] != "toy")
    ]
    if rows.empty:
        return not_there(not_run(f"a trained model with {', '.join(COLUMNS)}, ratio {ratio:g}", "config.yaml", metrics))
    ours = {}
    for cell, part in rows.groupby(["dataset", "model", "glitch"], sort=False)["value"]:
        values = part.dropna()
        if len(values):
            low, high = interval(values)
            ours[cell] = f"{values.mean():.2f} [{low:.2f}, {high:.2f}]" if len(values) > 1 else f"{values.mean():.2f}"
        else:
            ours[cell] = "failed"
    pairs = dict.fromkeys([*PAPER, *rows[["dataset", "model"]].itertuples(index=False, name=None)])
    told = []
    for dataset, model in pairs:
        row = {"Data set": label_of(dataset), "Model": label_of(model)}
        for (glitch, name), printed in zip(COLUMNS.items(), PAPER.get((dataset, model), ("–",) * 3), strict=True):
            row |= {f"{name}, paper": printed, f"{name}, here": ours.get((dataset, model, glitch), "–")}
        told.append(row)
    return pd.DataFrame(told)
