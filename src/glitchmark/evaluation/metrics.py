"""Detection, repair, characterisation and the fit of the training, measured: pure functions of scores and truth."""

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from scipy.special import softmax

from glitchmark.influence.factors import cross_entropy


def tie_break(ids: np.ndarray) -> np.ndarray:
    """uint64 (n,): a fixed order for samples with equal scores, from a digest of their ids (str (n,)).

    It depends neither on a seed nor on a sample's place in the training set, which could tell its glitch.
    """
    digests = b"".join(blake2b(i.encode(), digest_size=8).digest() for i in ids.tolist())
    return np.frombuffer(digests, np.uint64)


def ranking(score: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Rank of each sample, int64 (n,): 1 for the most suspicious; equal scores in the order of ``ties``."""
    order = np.argsort(ties)
    order = order[np.argsort(-score[order], kind="stable")]  # half the time of np.lexsort
    ranks = np.empty(len(score), np.int64)
    ranks[order] = np.arange(1, len(score) + 1)
    return ranks


def detection(score: np.ndarray, ranks: np.ndarray, glitched: np.ndarray) -> dict[str, float]:
    """Metrics of a score against bool (n,) truth with at least one glitch and one clean sample.

    f1, precision, recall: of flagging exactly the k highest-ranked samples, k being the true number of glitches (the
    three are then equal). average_precision, auroc: of the score itself, ties grouped, as scikit-learn defines them;
    its functions take 20 times as long, which is minutes for the tables of a large run.
    """
    n, k = len(score), np.count_nonzero(glitched)
    hit = float(glitched[ranks <= k].mean())
    by_rank, found = np.empty_like(score), np.empty_like(glitched)
    by_rank[ranks - 1], found[ranks - 1] = score, glitched
    # a threshold can only lie below the last of equal scores
    thresholds = np.append(np.flatnonzero(np.diff(by_rank)), n - 1)
    true = np.cumsum(found)[thresholds]  # positives above each threshold, int64
    false = thresholds + 1 - true
    gained = np.diff(true, prepend=0)
    # the trapezoids of the ROC curve, twice their areas, in whole numbers
    area = (np.diff(false, prepend=0) * (2 * true - gained)).sum()
    return {
        "f1": hit,
        "precision": hit,
        "recall": hit,
        "average_precision": float((gained * (true / (thresholds + 1))).sum() / k),
        "auroc": float(area / np.int64(2 * k * (n - k))),
    }


def repair(suggested: np.ndarray, true_label: np.ndarray, mislabeled: np.ndarray) -> dict[str, float]:
    """repair_accuracy: share of all mislabeled samples, found or not, whose suggested label is the true one."""
    if not mislabeled.any():
        return {}
    return {"repair_accuracy": float((suggested == true_label)[mislabeled].mean())}


def characterisation(kind: np.ndarray, true_kind: np.ndarray) -> dict[str, dict[str, float]]:
    """Per kind of glitch that is there, and "" for all: the share of its samples whose kind is told correctly.

    kind, true_kind: str (n,), "mislabeled" or "anomalous"; true_kind is "" for clean samples, which do not count.
    """
    glitched = true_kind != ""
    groups = {"": glitched} | {k: true_kind == k for k in np.unique(true_kind[glitched]).tolist()}
    return {
        name: {"characterisation_accuracy": float((kind == true_kind)[group].mean())}
        for name, group in groups.items()
        if group.any()
    }


def training_fit(
    logits: np.ndarray, observed: np.ndarray, true_label: np.ndarray, kind: np.ndarray
) -> dict[str, dict[str, float]]:
    """Per kind of training sample that is there, the means of its loss and accuracy.

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
        fit[name] = {metric: float(values[members].mean()) for metric, values in measured.items()}
        if name == "mislabeled":
            fit[name]["true_label_accuracy"] = float((predicted == true_label)[members].mean())
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
    for name in ("clean", "mislabeled", "anomalous"):
        members = kind == ("" if name == "clean" else name)
        if members.any():
            yield name, members
