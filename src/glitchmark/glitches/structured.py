"""Structured noise: a fixed map of classes to classes."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.glitches import MISLABELED, TrainingData, glitch


@glitch("structured", kind=MISLABELED, reference="Nguyen-Duc et al., ACL 2023, appendix E")
def structured(data: TrainingData, rng: np.random.Generator, *, ratio: float, targets: tuple = ()) -> TrainingData:
    """A share of all samples gets the class that a fixed map gives for theirs, in every seed the same.

    targets: C classes; samples of class i are labeled targets[i], and left alone where that is i. By default class i
    goes to i + 1 and the last one to 0; the paper has no two classes go to the same one.
    Raises CellError for a map that is not such.
    """
    n = data.n_classes
    to = np.array(targets) if len(targets) else np.roll(np.arange(n), -1)
    if to.shape != (n,) or not np.isin(to, np.arange(n)).all() or (to == np.arange(n)).all():
        raise CellError(
            f"targets: {list(targets)} must hold one class 0..{n - 1} for each of the {n} classes, not each its own"
        )
    movable = np.isin(data.true_label, np.flatnonzero(to != np.arange(n)))
    samples = data.draw(data.count(ratio), rng, movable)
    return data.relabel(samples, to[data.true_label[samples]], "structured")
