"""A cell's training once more, after something was done with the samples that a method suspects."""

from dataclasses import replace

import numpy as np
import torch

from glitchmark import seeds
from glitchmark.errors import CellError
from glitchmark.ranking import ranking, tie_break
from glitchmark.stages._cell import prepare
from glitchmark.training.classifier import Accuracy
from glitchmark.training.sgd import checkpoint_epochs, fit, learning_rate


def compute(spec, inputs, runtime):
    """info: test_accuracy, validation_accuracy, and curves as a training has them; budget, the share of the training
    samples that were acted on, and changed, the number of those that were removed or got another label. No arrays.

    spec: that of a training, with "repair" and "row", that of the method's score; inputs: likewise, with "judge", the
    score, unless everything is repaired. repair: "action" and "budget" (see repaired); "training": "restart", from the
    initial weights, or "continue", which trains on the unrepaired data first and then goes on for "epochs" epochs at
    the last learning rate with a new optimizer (Myrtakis et al., KDD 2025, appendix A.1).
    """
    repair, again = spec["repair"], spec["repair"]["training"] == "continue"
    labels, kept, acted_on = repaired(spec, inputs)
    # a table is encoded by what the model first sees: the repaired samples, or all of them
    cell = prepare(spec, inputs, runtime, test=True, samples=slice(None) if again else kept)
    if not len(cell.y_test):
        raise CellError("there is no untouched test part to measure a repaired training on; set 'test' above 0")
    block, head = cell.trainable()
    readouts = [Accuracy(block, head, *part) for part in ((cell.x_val, cell.y_val), (cell.x_test, cell.y_test))]

    def checkpoint() -> None:
        for readout in readouts:
            readout()

    name, settings = (spec["dataset"], spec["model"]["name"]), cell.settings
    rng = seeds.generator(spec["seed"], "batches", *name)
    epochs = checkpoint_epochs(settings.epochs, settings.checkpoints)
    x, y = cell.x_train, torch.from_numpy(labels[kept]).to(cell.y_train.device)
    losses = fit(block, head, x, cell.y_train if again else y, settings, rng, checkpoint)
    if again:
        last, rng = learning_rate(settings, settings.epochs), seeds.generator(spec["seed"], "continued batches", *name)
        more = replace(settings, epochs=repair["epochs"], learning_rate=last, schedule="constant")
        losses += fit(block, head, x[torch.from_numpy(kept).to(x.device)], y, more, rng, checkpoint)
        epochs += [settings.epochs + epoch for epoch in checkpoint_epochs(more.epochs, more.checkpoints)]
    validation, test = (readout.shares for readout in readouts)
    observed = inputs["inject"].arrays["observed_label"]
    return {}, {
        "test_accuracy": test[-1],
        "validation_accuracy": validation[-1],
        "changed": len(observed) - int((labels[kept] == observed[kept]).sum()),
        "budget": acted_on / len(observed),
        "curves": {"loss": losses, "epochs": epochs, "test_accuracy": test, "validation_accuracy": validation},
    }


def repaired(spec, inputs) -> tuple[np.ndarray, np.ndarray, int]:
    """Labels of all training samples, int64 (n,); those that stay, int64, ascending; how many were acted on.

    Of the share "budget" that the score ranks highest (null: as many as there are glitches; at least one sample), the
    "action" is "remove"; "relabel", to the label that the method suggests; or "annotate", to the true label, where
    samples of no class are removed. "perfect" takes no score: all labels become the true ones, and samples that were
    added or whose input was changed are removed.
    Raises CellError for a method without suggested labels, where there is no number of glitches, and where fewer than
    two samples are left.
    """
    data, repair = inputs["inject"].arrays, spec["repair"]
    labels, true = np.array(data["observed_label"]), np.array(data["true_label"])
    removed = np.zeros(len(labels), bool)
    if repair["action"] == "perfect":
        removed = np.array(data["content"]) >= 0
        acted_on = removed | (labels != true)
        labels = true
    else:
        judge = inputs["judge"].arrays
        ranks = ranking(np.array(judge["score"])[spec["row"]], tie_break(np.array(data["id"])))
        acted_on = ranks <= _count(repair["budget"], np.array(data["kind"]))
        if repair["action"] == "remove":
            removed = acted_on
        elif repair["action"] == "relabel":
            if "suggested" not in judge:
                raise CellError("the method suggests no labels to relabel with; use 'remove' or 'annotate'")
            labels[acted_on] = judge["suggested"][spec["row"]][acted_on]
        else:
            labels[acted_on] = true[acted_on]
            removed = labels < 0
    kept = np.flatnonzero(~removed)
    if len(kept) < 2:  # batch norm cannot train on one
        raise CellError(f"the repair leaves {len(kept)} training samples, and a training needs two; lower 'budget'")
    return labels, kept, int(acted_on.sum())


def _count(budget: float | None, kind: np.ndarray) -> int:
    """How many samples a budget means. kind: of each sample's glitch, str (n,), "" for a clean one."""
    if budget is not None:
        return max(1, round(budget * len(kind)))
    glitches = np.count_nonzero(kind != "")
    if not glitches:
        raise CellError("the number of glitches is no budget where nothing is broken; give 'budget' as a share")
    return glitches
