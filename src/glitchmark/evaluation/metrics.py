"""Detection, repair, characterisation and the fit of the training, measured: pure functions of scores and truth.

Scores are float64 (S, n), a row a method or validation subset of one cell; truth is of the n training samples. Metrics
come as (class, metric) -> float64 (S,); the class is "" where a metric is about no kind or class of samples.
"""

from collections.abc import Iterator

import numpy as np
from scipy.special import softmax

from glitchmark.influence.factors import cross_entropy

Metrics = dict[tuple[str, str], np.ndarray]

TOP = (5, 10, 15, 20)  # per cent of the training set
KINDS = ("mislabeled", "anomalous")


def most_suspicious(scores: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """The samples of each row, most suspicious first, int64 (S, n): the order of glitchmark.ranking.ranking.

    ties: from glitchmark.ranking.tie_break, for equal scores.
    """
    order = np.argsort(ties)
    return order[np.argsort(-scores[:, order], axis=1, kind="stable")]


def ranks_of(order: np.ndarray) -> np.ndarray:
    """Rank of each sample, int64 (S, n), 1 for the most suspicious, from ``most_suspicious``."""
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, order.shape[1] + 1)[None], axis=1)
    return ranks


def detection(scores: np.ndarray, order: np.ndarray, glitched: np.ndarray) -> Metrics:
    """Metrics against bool (n,) truth with at least one glitch and one clean sample.

    f1, precision, recall: of flagging exactly the k highest-ranked samples, k being the true number of glitches (the
    three are then equal). average_precision, auroc: of the scores, see ranked_areas.
    """
    hits = _found(order, glitched, np.count_nonzero(glitched)) / np.count_nonzero(glitched)
    precision, auroc = ranked_areas(np.take_along_axis(scores, order, axis=1), glitched[order])
    values = {"f1": hits, "precision": hits, "recall": hits, "average_precision": precision, "auroc": auroc}
    return {("", name): value for name, value in values.items()}


def ranked_areas(scores: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average precision and area under the ROC curve, each (S,), ties grouped, as scikit-learn defines them; its
    functions take 20 times as long, which is minutes for the tables of a large run.

    scores: descending in each row. found: bool (S, n), which of them are glitches: as many in each row.
    """
    rows, n = scores.shape
    last = np.ones((rows, n), bool)
    last[:, :-1] = scores[:, :-1] != scores[:, 1:]  # a threshold can only lie below the last of equal scores
    row, place = np.nonzero(last)
    first = np.searchsorted(row, np.arange(rows))  # threshold of each row
    true = np.cumsum(found, axis=1)[last]  # glitches above each threshold, int64
    false = place + 1 - true
    gained, lost = np.diff(true, prepend=0), np.diff(false, prepend=0)
    gained[first], lost[first] = true[first], false[first]
    k = np.count_nonzero(found, axis=1)
    precision = np.add.reduceat(gained * (true / (place + 1)), first) / k
    # the trapezoids of the ROC curve, twice their areas, in whole numbers
    area = np.add.reduceat(lost * (2 * true - gained), first) / (2 * k * (n - k))
    return precision, area


def at_the_top(order: np.ndarray, glitched: np.ndarray) -> Metrics:
    """accuracy: share of samples told rightly when the k highest-ranked are flagged, k being the number of glitches.
    precision_at_5, recall_at_5, ...: of flagging the top 5 % of the training set, rounded, at least one sample."""
    n, k = len(glitched), np.count_nonzero(glitched)
    values = {("", "accuracy"): 1 - 2 * (k - _found(order, glitched, k)) / n}
    for percent in TOP:
        size = max(1, round(n * percent / 100))
        hits = _found(order, glitched, size)
        values |= {("", f"precision_at_{percent}"): hits / size, ("", f"recall_at_{percent}"): hits / k}
    return values


def by_glitch_kind(scores: np.ndarray, order: np.ndarray, kind: np.ndarray) -> Metrics:
    """average_precision of each kind of glitch against the clean samples, where there are several kinds and clean ones.

    kind: str (n,), "mislabeled", "anomalous" or "" for clean.
    """
    there = [name for name in KINDS if (kind == name).any()]
    values = {}
    for name in there if len(there) > 1 and (kind == "").any() else ():
        members = np.isin(kind, ("", name))
        kept = order[members[order]].reshape(len(order), np.count_nonzero(members))
        precision, _ = ranked_areas(np.take_along_axis(scores, kept, axis=1), (kind == name)[kept])
        values[name, "average_precision"] = precision
    return values


def by_class(order: np.ndarray, glitched: np.ndarray, observed: np.ndarray, names: np.ndarray) -> Metrics:
    """class_f1: for each class that glitches are observed in, F1 among the samples observed in it, of the flags on the
    k highest-ranked samples of all classes.

    observed: int (n,). names: str (C,), of the classes.
    """
    classes = np.unique(observed[glitched])
    members = (observed[:, None] == classes).astype(np.float64)
    flagged = ranks_of(order) <= np.count_nonzero(glitched)
    told, hits = flagged @ members, (flagged & glitched) @ members
    f1 = 2 * hits / (told + glitched @ members)
    return {(str(names[c]), "class_f1"): f1[:, i] for i, c in enumerate(classes.tolist())}


def flags(flagged: np.ndarray, glitched: np.ndarray, rule: str) -> Metrics:
    """Of flags bool (S, n) that a rule sets without the truth: flagged_RULE, the share of samples flagged, and where
    there are glitches, f1_RULE, precision_RULE and recall_RULE. The precision of no flags is 0, as in scikit-learn."""
    told, k = np.count_nonzero(flagged, axis=1), np.count_nonzero(glitched)
    share = {("", f"flagged_{rule}"): told / len(glitched)}
    if not k:
        return share
    hits = np.count_nonzero(flagged & glitched, axis=1)
    return {
        ("", f"f1_{rule}"): 2 * hits / (told + k),
        ("", f"precision_{rule}"): hits / np.maximum(told, 1),
        ("", f"recall_{rule}"): hits / k,
        **share,
    }


def repair(suggested: np.ndarray, order: np.ndarray, true_label: np.ndarray, kind: np.ndarray) -> Metrics:
    """repair_accuracy: share of all mislabeled samples, found or not, whose suggested label is the true one.
    repair_accuracy_detected: the same of those among the k highest-ranked samples, k being the number of glitches of
    any kind; NaN where none is. Nothing where no sample is mislabeled.

    suggested: int (S, n).
    """
    mislabeled = kind == "mislabeled"
    if not mislabeled.any():
        return {}
    detected = mislabeled & (ranks_of(order) <= np.count_nonzero(kind != ""))
    right = suggested == true_label
    count = np.count_nonzero(detected, axis=1)
    of_detected = np.where(count, np.count_nonzero(right & detected, axis=1) / np.maximum(count, 1), np.nan)
    return {
        ("", "repair_accuracy"): right[:, mislabeled].mean(axis=1),
        ("", "repair_accuracy_detected"): of_detected,
    }


def characterisation(kind: np.ndarray, true_kind: np.ndarray) -> Metrics:
    """characterisation_accuracy, for all glitches and by kind: the share of samples whose kind is told correctly.

    kind: str (S, n), "mislabeled" or "anomalous". true_kind: str (n,), "" for clean samples, which do not count.
    """
    right, glitched = kind == true_kind, true_kind != ""
    groups = {"": glitched} | {name: true_kind == name for name in KINDS}
    return {
        (name, "characterisation_accuracy"): right[:, group].mean(axis=1)
        for name, group in groups.items()
        if group.any()
    }


def training_fit(
    logits: np.ndarray, observed: np.ndarray, true_label: np.ndarray, kind: np.ndarray
) -> dict[tuple[str, str], float]:
    """The means of loss and accuracy over each kind of training samples that is there.

    logits: float32 (n, C). observed, true_label: int (n,). kind: str (n,), "mislabeled", "anomalous" or "" for clean.
    training_loss, training_accuracy: of the observed labels. training_loss_published: see published_cross_entropy.
    true_label_accuracy: of the true labels of mislabeled samples: high where the model resists the wrong ones.
    """
    predicted = logits.argmax(axis=1)
    measured = {
        "training_loss": cross_entropy(logits, observed),
        "training_accuracy": predicted == observed,
        "training_loss_published": published_cross_entropy(logits, observed),
    }
    fit = {}
    for name, members in by_kind(kind):
        fit |= {(name, metric): float(values[members].mean()) for metric, values in measured.items()}
        if name == "mislabeled":
            fit[name, "true_label_accuracy"] = float((predicted == true_label)[members].mean())
    return fit


def published_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy applied to softmax outputs as if they were logits, float64 (n,), as in the published code of
    Myrtakis, Tsamardinos and Christophides (KDD 2025).

    logits (n, C), int labels (n,). It lies between log(e + C - 1) - 1 for a perfect fit (1.46 with ten classes) and one
    more than that.
    """
    return cross_entropy(softmax(logits.astype(np.float64), axis=1), labels)


def by_kind(kind: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Name and members, bool (n,), of the kinds that are there: clean ("" in ``kind``), mislabeled, anomalous."""
    for name in ("clean", *KINDS):
        members = kind == ("" if name == "clean" else name)
        if members.any():
            yield name, members


def _found(order: np.ndarray, glitched: np.ndarray, size: int) -> np.ndarray:
    """How many of the ``size`` highest-ranked samples are glitches, (S,)."""
    return np.count_nonzero(glitched[order[:, :size]], axis=1)
