"""The factors of a last linear layer: all that influence on last-layer gradients needs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from glitchmark.errors import CellError


@dataclass(frozen=True)
class Factors:
    """Inputs and outputs of the last linear layer at T checkpoints; its per-sample gradient is
    (softmax(logits) - onehot(label)) outer [features, 1].

    features_train (T or 1, n, d), features_val (T or 1, m, d): float32; first axis 1 when the trunk is frozen.
    logits_train (T, n, C), logits_val (T, m, C): float32, eval mode.
    labels_train (n,), labels_val (m,): int64, observed, 0..C-1.
    learning_rates (T,): float64. batch_size: scalar.
    """

    features_train: np.ndarray
    features_val: np.ndarray
    logits_train: np.ndarray
    logits_val: np.ndarray
    labels_train: np.ndarray
    labels_val: np.ndarray
    learning_rates: np.ndarray
    batch_size: int

    def __post_init__(self):
        """Raise CellError where shapes disagree or values are not finite."""
        checkpoints, n, classes = self.logits_train.shape
        m, d = self.features_val.shape[1:]
        wanted = {
            "features_train": (self.features_train.shape[0], n, d),
            "features_val": (self.features_train.shape[0], m, d),
            "logits_val": (checkpoints, m, classes),
            "labels_train": (n,),
            "labels_val": (m,),
            "learning_rates": (checkpoints,),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise CellError(f"factors: {name} has shape {getattr(self, name).shape}, expected {shape}")
        if self.features_train.shape[0] not in (1, checkpoints):
            raise CellError(f"factors: features have {self.features_train.shape[0]} checkpoints, logits {checkpoints}")
        for name in ("features_train", "features_val", "logits_train", "logits_val"):
            if not np.isfinite(getattr(self, name)).all():
                raise CellError(f"factors: {name} holds NaN or infinite values; the model has probably diverged")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Factors":
        """Factors from a stored entry or an .npz archive; other arrays in it are ignored."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    @property
    def n_train(self) -> int:
        """n."""
        return self.logits_train.shape[1]

    @property
    def n_val(self) -> int:
        """m."""
        return self.logits_val.shape[1]

    @property
    def n_classes(self) -> int:
        """C."""
        return self.logits_train.shape[2]

    @property
    def n_checkpoints(self) -> int:
        """T."""
        return self.logits_train.shape[0]

    @property
    def frozen(self) -> bool:
        """Whether all checkpoints share their features."""
        return self.features_train.shape[0] == 1


def residuals(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """softmax(logits) - onehot(labels), the loss's gradient with respect to the logits.

    logits: (..., k, C). labels: int (k,). Returns float32 of the logits' shape. The label's own entry is minus the sum
    of the others, since 1 - p would round to zero for well-fitted samples.
    """
    p = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float64)
    p /= p.sum(axis=-1, keepdims=True)
    index = np.broadcast_to(labels[:, None], (*p.shape[:-1], 1))
    np.put_along_axis(p, index, 0.0, axis=-1)
    np.put_along_axis(p, index, -p.sum(axis=-1, keepdims=True), axis=-1)
    return p.astype(np.float32)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Loss of each sample, float64 (k,), from logits (k, C) and int labels (k,); exact for saturated softmaxes."""
    logits = logits.astype(np.float64)
    margins = logits - np.take_along_axis(logits, labels[:, None], axis=-1)
    np.put_along_axis(margins, labels[:, None], -np.inf, axis=-1)
    # log(1 + sum of the others relative to the label), without cancellation where that sum is tiny
    largest = np.maximum(margins.max(axis=-1), 0)
    others = np.exp(margins - largest[:, None]).sum(axis=-1)
    return np.where(largest == 0, np.log1p(others), largest + np.log(np.exp(-largest) + others))
