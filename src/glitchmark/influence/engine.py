"""One pass over the row blocks of an influence matrix that leaves its sign-split class sums behind."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glitchmark.influence.estimators import Estimator, Rows

BLOCK = 1 << 19  # elements of a block: 2 MB, so that it stays in a core's cache


@dataclass(frozen=True)
class ClassSums:
    """neg, pos: float32 (n, C); neg[i, c] is the sum of min(I(i, j), 0) over the validation samples j of class c, pos
    that of max(I(i, j), 0)."""

    neg: np.ndarray
    pos: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """neg + pos, float32 (n, C): the plain sum over each class."""
        return self.neg + self.pos


@dataclass(frozen=True)
class Sums:
    """What one pass leaves for one subset of the validation samples.

    observed: under the observed labels, all checkpoints.
    ncf: the class that each sample affects most negatively, int64 (n,); under_ncf: at the last checkpoint, with the
    samples relabelled to it. pcf: the class other than the observed one that it affects most positively, likewise.
    """

    observed: ClassSums
    ncf: np.ndarray
    under_ncf: ClassSums
    pcf: np.ndarray
    under_pcf: ClassSums


def blocks(estimator: Estimator, n: int, m: int) -> Iterator[tuple[int, int, Rows]]:
    """The influence matrix in row blocks: (start, stop, rows)."""
    step = max(16, BLOCK // m)
    for start in range(0, n, step):
        stop = min(start + step, n)
        yield start, stop, estimator.rows(start, stop)


def membership(labels: np.ndarray, n_classes: int, subset: np.ndarray) -> np.ndarray:
    """float32 (m, C): 1 where a validation sample is in the subset (bool (m,)) and of the class."""
    return ((labels[:, None] == np.arange(n_classes)) & subset[:, None]).astype(np.float32)


def split_sums(influence: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the negative and of the positive elements of (b, m), by the columns of members (m, k): two (b, k)."""
    return np.minimum(influence, 0) @ members, np.maximum(influence, 0) @ members


def class_sums(
    estimator: Estimator, labels_train: np.ndarray, labels_val: np.ndarray, n_classes: int, subsets: np.ndarray
) -> list[Sums]:
    """Class sums for several validation subsets in one pass, counterfactual ones included.

    subsets: bool (S, m). Returns one Sums a subset. The counterfactual labels follow Myrtakis et al., KDD 2025,
    Algorithms 1 and 2; ties go to the lowest class.
    """
    n, m = len(labels_train), len(labels_val)
    members = [membership(labels_val, n_classes, subset) for subset in subsets]
    names = ("neg", "pos", "ncf_neg", "ncf_pos", "pcf_neg", "pcf_pos")
    sums = {name: np.empty((len(subsets), n, n_classes), np.float32) for name in names}
    labels = {name: np.empty((len(subsets), n), np.int64) for name in ("ncf", "pcf")}
    for start, stop, rows in blocks(estimator, n, m):
        at = slice(start, stop)
        neg, pos = split_sums(rows.influence, np.concatenate(members, axis=1))
        for s, one in enumerate(members):
            columns = slice(s * n_classes, (s + 1) * n_classes)
            sums["neg"][s, at], sums["pos"][s, at] = neg[:, columns], pos[:, columns]
            labels["ncf"][s, at] = negative_counterfactual(neg[:, columns])
            labels["pcf"][s, at] = positive_counterfactual(pos[:, columns], labels_train[at])
            for name in ("ncf", "pcf"):
                counterfactual = rows.relabelled(labels[name][s, at])
                sums[f"{name}_neg"][s, at], sums[f"{name}_pos"][s, at] = split_sums(counterfactual, one)
    return [
        Sums(
            observed=ClassSums(sums["neg"][s], sums["pos"][s]),
            ncf=labels["ncf"][s],
            under_ncf=ClassSums(sums["ncf_neg"][s], sums["ncf_pos"][s]),
            pcf=labels["pcf"][s],
            under_pcf=ClassSums(sums["pcf_neg"][s], sums["pcf_pos"][s]),
        )
        for s in range(len(subsets))
    ]


def relabelled_sums(
    estimator: Estimator, labels: np.ndarray, labels_val: np.ndarray, n_classes: int, subset: np.ndarray
) -> ClassSums:
    """Class sums at the last checkpoint with the training samples under any other labels, int64 (n,)."""
    members = membership(labels_val, n_classes, subset)
    neg, pos = (np.empty((len(labels), n_classes), np.float32) for _ in range(2))
    for start, stop, rows in blocks(estimator, len(labels), len(labels_val)):
        neg[start:stop], pos[start:stop] = split_sums(rows.relabelled(labels[start:stop]), members)
    return ClassSums(neg, pos)


def negative_counterfactual(neg: np.ndarray) -> np.ndarray:
    """ncf (Algorithm 1, line 2): argmin over classes of (n, C), int64 (n,)."""
    return neg.argmin(axis=1)


def positive_counterfactual(pos: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """pcf (Algorithm 2, line 3): argmax over the classes other than the observed one, int64 (n,)."""
    others = pos.copy()
    others[np.arange(len(pos)), labels] = -np.inf
    return others.argmax(axis=1)
