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
            if not _finite(getattr(self, name)):
                raise CellError(f"factors: {name} holds NaN or infinite values; the model has probably diverged")

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Factors":
        """Factors from a stored entry or an .npz archive; other arrays in it are ignored."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def at(self, checkpoint: int) -> "Factors":
        """The factors of one checkpoint alone; negative numbers count from the last."""
        t = range(self.n_checkpoints)[checkpoint]
        features = slice(0, 1) if self.frozen else slice(t, t + 1)
        return self._with(
            features_train=self.features_train[features],
            features_val=self.features_val[features],
            logits_train=self.logits_train[t : t + 1],
            logits_val=self.logits_val[t : t + 1],
            learning_rates=self.learning_rates[t : t + 1],
        )

    def with_validation(self, rows: np.ndarray) -> "Factors":
        """The factors with some of the validation samples, in the order of ``rows`` (indices, or bool (m,))."""
        return self._with(
            features_val=self.features_val[:, rows],
            logits_val=self.logits_val[:, rows],
            labels_val=self.labels_val[rows],
        )

    def against_training(self) -> "Factors":
        """The factors with the training samples in the place of the validation samples: influence is then n x n."""
        return self._with(features_val=self.features_train, logits_val=self.logits_train, labels_val=self.labels_train)

    def _with(self, **arrays: np.ndarray) -> "Factors":
        """These factors with other arrays, taken from them: what was checked is not checked again."""
        other = object.__new__(Factors)
        other.__dict__.update(vars(self) | arrays)
        return other

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


def _finite(x: np.ndarray) -> bool:
    """Whether all of x is finite, without an array of its size: a sum is NaN or infinite if an element is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return all(np.isfinite(part.sum(dtype=np.float64)) for part in x)


def augmented(features: np.ndarray) -> np.ndarray:
    """[feature, 1]: (k, d) -> (k, d + 1), of the same dtype; the bias's share of a gradient's second factor."""
    return np.pad(features, ((0, 0), (0, 1)), constant_values=1)


def residuals(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """softmax(logits) - onehot(labels), the loss's gradient with respect to the logits.

    logits: float32 (..., k, C). labels: int (k,). Returns float32 of the logits' shape. The label's own entry is minus
    the sum of the others, since 1 - p would round to zero for well-fitted samples.
    """
    from glitchmark.influence.kernels import below_maximum, normalise_residuals  # numba takes a while to import

    flat = np.ascontiguousarray(logits, np.float32).reshape(-1, logits.shape[-1])
    p = np.empty_like(flat)
    below_maximum(flat, p)
    np.exp(p, out=p)
    normalise_residuals(p, labels)
    return p.reshape(logits.shape)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Loss of each sample, float64 (k,), from logits (k, C) and int labels (k,); exact for saturated softmaxes."""
    logits = logits.astype(np.float64)
    margins = logits - np.take_along_axis(logits, labels[:, None], axis=-1)
    np.put_along_axis(margins, labels[:, None], -np.inf, axis=-1)
    # log(1 + sum of the others relative to the label), without cancellation where that sum is tiny
    largest = np.maximum(margins.max(axis=-1), 0)
    others = np.exp(margins - largest[:, None]).sum(axis=-1)
    return np.where(largest == 0, np.log1p(others), largest + np.log(np.exp(-largest) + others))
