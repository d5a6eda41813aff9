"""How many samples each class has before and after a glitch."""

import numpy as np
import pandas as pd

from glitchmark.glitches import ANOMALOUS, MISLABELED
from glitchmark.store import Entry

COUNTS = ("training_before", "training_after", "labeled_away", "labeled_so", "anomalies", "validation", "test")


def class_counts(pool: Entry, subset: Entry, inject: Entry) -> pd.DataFrame:
    """A row a class: its name and the columns of COUNTS, int64.

    training_before, training_after: samples with that label, the true one and the observed one. labeled_away: samples
    of the class that are observed as another; labeled_so: those of other classes observed as this one. anomalies:
    anomalous samples observed as this class. validation, test: samples of the class in these parts.
    """
    names = pool.info["class_names"]
    data, y = inject.arrays, np.array(pool.arrays["y"])
    true, observed, kind = (np.array(data[name]) for name in ("true_label", "observed_label", "kind"))
    groups = {
        "training_before": y[subset.arrays["train"]],
        "training_after": observed,
        "labeled_away": true[kind == MISLABELED],
        "labeled_so": observed[kind == MISLABELED],
        "anomalies": observed[kind == ANOMALOUS],
        "validation": y[subset.arrays["val"]],
        "test": y[subset.arrays["test"]],
    }
    counts = {name: np.bincount(labels, minlength=len(names)) for name, labels in groups.items()}
    return pd.DataFrame({"class": names, **counts})
