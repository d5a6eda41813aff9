"""Out-of-sample predictions for the training samples: k fits of the cell's model, each without one fold."""

import numpy as np

from glitchmark import seeds
from glitchmark.errors import CellError
from glitchmark.stages._cell import prepare
from glitchmark.training.inputs import forward
from glitchmark.training.network import count
from glitchmark.training.sgd import fit


def compute(spec, inputs, runtime):
    """arrays: logits float32 (n, C), each row from the model that was trained without that sample. info: the number of
    parameters that were trained in a fold."""
    from sklearn.model_selection import StratifiedKFold  # one second to import

    cell = prepare(spec, inputs, runtime)
    name = (spec["dataset"], spec["model"]["name"])
    labels = cell.y_train.numpy(force=True)
    smallest = np.bincount(labels, minlength=cell.n_classes).min()
    if smallest < spec["folds"]:
        raise CellError(f"a class has {smallest} training samples, fewer than folds: {spec['folds']}; lower 'folds'")
    folds = StratifiedKFold(spec["folds"], shuffle=True, random_state=seeds.integer(spec["seed"], "folds", *name))
    logits = np.empty((len(labels), cell.n_classes), np.float32)
    for fold, (rest, held_out) in enumerate(folds.split(logits, labels)):
        block, head = cell.trainable()
        rng = seeds.generator(spec["seed"], "batches", *name, f"fold {fold}")
        fit(block, head, cell.x_train[rest], cell.y_train[rest], cell.settings, rng)
        logits[held_out] = forward(head, forward(block, cell.x_train[held_out])).numpy(force=True)
    return {"logits": logits}, {"parameters": {"trained": count(block) + count(head)}}
