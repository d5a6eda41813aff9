"""Fine-tuning one cell, which leaves behind the factors of its last layer."""

import numpy as np

from glitchmark import seeds
from glitchmark.stages._cell import prepare
from glitchmark.training.classifier import train_and_read
from glitchmark.training.sgd import checkpoint_epochs


def compute(spec, inputs, runtime):
    """arrays: the factors (see influence.factors.Factors). info: training curves and validation accuracy."""
    cell = prepare(spec, inputs, runtime)
    rng = seeds.generator(spec["seed"], "batches", spec["dataset"], spec["model"]["name"])
    readout, losses = train_and_read(
        cell.network(), spec["trained"], cell.x_train, cell.y_train, (cell.x_val,), cell.settings, rng
    )
    kept = checkpoint_epochs(cell.settings.epochs, cell.settings.checkpoints)
    (features_train, features_val), (logits_train, logits_val) = readout.features, readout.logits
    labels_val = cell.y_val.numpy()
    accuracy = [float((logits.argmax(1) == labels_val).mean()) for logits in logits_val]
    arrays = {
        "features_train": np.stack(features_train),
        "features_val": np.stack(features_val),
        "logits_train": np.stack(logits_train),
        "logits_val": np.stack(logits_val),
        "labels_train": cell.y_train.numpy(),
        "labels_val": labels_val,
        "learning_rates": np.full(len(kept), cell.settings.learning_rate),
        "batch_size": np.int64(cell.settings.batch_size),
        "ids_train": inputs["inject"].arrays["id"],
        "ids_val": np.array([f"{spec['dataset']}:{row}" for row in inputs["subset"].arrays["val"]]),
    }
    curves = {"loss": losses, "epochs": kept, "validation_accuracy": accuracy}
    return arrays, {"curves": curves, "validation_accuracy": accuracy[-1]}
