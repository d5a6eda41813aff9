"""Detection, repair and characterisation, measured: pure functions of scores and truth."""

from hashlib import blake2b

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def tie_break(ids: np.ndarray) -> np.ndarray:
    """uint64 (n,): a fixed order for samples with equal scores, from a digest of their ids (str (n,)).

    It depends neither on a seed nor on a sample's place in the training set, which could tell its glitch.
    """
    digests = b"".join(blake2b(str(i).encode(), digest_size=8).digest() for i in ids)
    return np.frombuffer(digests, np.uint64)


def ranking(score: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Rank of each sample, int64 (n,): 1 for the most suspicious; equal scores in the order of ``ties``."""
    order = np.lexsort((ties, -score))
    ranks = np.empty(len(score), np.int64)
    ranks[order] = np.arange(1, len(score) + 1)
    return ranks


def detection(score: np.ndarray, ranks: np.ndarray, glitched: np.ndarray) -> dict[str, float]:
    """Metrics of a score against bool (n,) truth with at least one glitch and one clean sample.

    f1, precision, recall: of flagging exactly the k highest-ranked samples, k being the true number of glitches (the
    three are then equal). average_precision, auroc: of the score itself, ties grouped, as scikit-learn defines them.
    """
    k = int(glitched.sum())
    hit = float(glitched[ranks <= k].mean())
    return {
        "f1": hit,
        "precision": hit,
        "recall": hit,
        "average_precision": float(average_precision_score(glitched, score)),
        "auroc": float(roc_auc_score(glitched, score)),
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
