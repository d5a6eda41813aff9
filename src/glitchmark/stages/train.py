"""Fine-tuning one cell, which leaves behind the factors of its last layer."""

import numpy as np

from glitchmark import seeds
from glitchmark.stages._cell import prepare
from glitchmark.training.classifier import Accuracy, train_and_read
from glitchmark.training.network import count
from glitchmark.training.sgd import checkpoint_epochs, learning_rate


def compute(spec, inputs, runtime):
    """arrays: the factors (see influence.factors.Factors); where only the head is trained, ids of the features in their
    place (see feature_store.factor_arrays). info: training curves, accuracy on the validation part and, where there
    is one, on the untouched test part, and the number of parameters that were trained."""
    cell = prepare(spec, inputs, runtime, test=True)
    rng = seeds.generator(spec["seed"], "batches", spec["dataset"], spec["model"]["name"])
    block, head = cell.trainable()
    test = Accuracy(block, head, cell.x_test, cell.y_test)
    readout, losses = train_and_read(block, head, cell.x_train, cell.y_train, (cell.x_val,), cell.settings, rng, test)
    kept = checkpoint_epochs(cell.settings.epochs, cell.settings.checkpoints)
    labels_val = cell.y_val.numpy(force=True)
    accuracy = [float((logits.argmax(1) == labels_val).mean()) for logits in readout.logits[1]]
    arrays = {
        "labels_train": cell.y_train.numpy(force=True),
        "labels_val": labels_val,
        "learning_rates": np.array([learning_rate(cell.settings, epoch) for epoch in kept]),
        "batch_size": np.int64(cell.settings.batch_size),
        "ids_train": inputs["inject"].arrays["id"],
        "ids_val": np.array([f"{spec['dataset']}:{row}" for row in inputs["subset"].arrays["val"]]),
    }
    info = {
        "curves": {"loss": losses, "epochs": kept, "validation_accuracy": accuracy},
        "validation_accuracy": accuracy[-1],
        "parameters": {"trained": count(block) + count(head)},
    }
    if test.shares:
        info["curves"]["test_accuracy"], info["test_accuracy"] = test.shares, test.shares[-1]
    for position, part in enumerate(("train", "val")):
        arrays[f"logits_{part}"] = np.stack(readout.logits[position])
        if cell.feature_ids is None:
            arrays[f"features_{part}"] = np.stack(readout.features[position])
        else:
            arrays[f"feature_ids_{part}"] = cell.feature_ids[position]
    if cell.feature_ids is not None:
        info["trunk"] = inputs["features"].info["trunk"]
    return arrays, info
