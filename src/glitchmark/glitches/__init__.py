"""What is broken on purpose: one module a glitch, each taking training data and returning broken training data."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glitchmark.errors import CellError
from glitchmark.registry import plugin

MISLABELED, ANOMALOUS = "mislabeled", "anomalous"
NO_CLASS = -1  # the true label of a sample that belongs to no class


@dataclass(frozen=True)
class TrainingData:
    """Training data before or after a glitch.

    source: str (n,), the pool's id, or the glitch that made the sample. row: int64 (n,), the row there.
    true_label, observed_label: int64 (n,); an added sample's true label is NO_CLASS.
    glitch: str (n,), the glitch that hit the sample, "" for an untouched one; no sample is hit twice.
    kind: str (n,), "mislabeled", "anomalous" or "".
    content: int64 (n,), the row of ``changed`` that holds the sample's input; -1: the pool's own input, untouched.
    changed: (k, ...), inputs that a glitch made or changed, in the pool's form; None where there are none.
    read: rows of the pool -> their inputs; nothing is read before a glitch asks for it.
    n_original: number of samples before any glitch; every ratio refers to it.
    n_classes: C. categories: of a table's columns, see datasets.Pool.
    annotated: int64 (n_original,), the labels that people gave; None where the source has none.
    """

    source: np.ndarray
    row: np.ndarray
    true_label: np.ndarray
    observed_label: np.ndarray
    glitch: np.ndarray
    kind: np.ndarray
    content: np.ndarray
    changed: np.ndarray | None
    read: Callable[[np.ndarray], np.ndarray]
    n_original: int
    n_classes: int
    categories: tuple[int, ...] = ()
    annotated: np.ndarray | None = None

    @classmethod
    def clean(
        cls,
        source: str,
        row: np.ndarray,
        label: np.ndarray,
        n_classes: int,
        read: Callable[[np.ndarray], np.ndarray],
        **more,
    ) -> "TrainingData":
        """Data that no glitch has touched. more: ``categories`` and ``annotated``."""
        n = len(row)
        blank = np.full(n, "", dtype="U32")
        return cls(
            source=np.full(n, source),
            row=row,
            true_label=label,
            observed_label=label.copy(),
            glitch=blank,
            kind=blank.copy(),
            content=np.full(n, -1),
            changed=None,
            read=read,
            n_original=n,
            n_classes=n_classes,
            **more,
        )

    @property
    def untouched(self) -> np.ndarray:
        """Samples that no glitch has hit, int64."""
        return np.flatnonzero(self.glitch == "")

    def inputs(self, samples: np.ndarray) -> np.ndarray:
        """The inputs of some samples as they are now, (len(samples), ...)."""
        content = self.content[samples]
        x = self.read(np.where(content < 0, self.row[samples], self.row[0]))  # any row in the place of the others
        if self.changed is not None:
            x[content >= 0] = self.changed[content[content >= 0]]
        return x

    def count(self, ratio: float, of: int | None = None) -> int:
        """The number of samples that a ratio means; raises CellError where it rounds to zero.

        of: of how many samples; all original ones by default.
        """
        whole = self.n_original if of is None else of
        k = round(ratio * whole)
        if k == 0:
            raise CellError(
                f"ratio {ratio:g} of {whole} training samples rounds to zero samples; "
                f"use at least {1 / max(1, whole):.2g} or more data"
            )
        return k

    def draw(self, count: int, rng: np.random.Generator, among: np.ndarray | None = None) -> np.ndarray:
        """``count`` untouched samples at random. among: bool (n,), restricts them.

        Raises CellError where there are fewer.
        """
        free = self.untouched if among is None else self.untouched[among[self.untouched]]
        self.check_enough(count, free)
        return rng.choice(free, count, replace=False)

    @staticmethod
    def check_enough(count: int, free: np.ndarray) -> None:
        """Raise CellError where ``count`` samples are more than those that a glitch may hit."""
        if count > len(free):
            raise CellError(
                f"the glitch needs {count} untouched samples, but there are {len(free)}; use a smaller ratio"
            )

    def relabel(self, samples: np.ndarray, labels: np.ndarray | int, glitch: str) -> "TrainingData":
        """The data with other observed labels of ``samples``."""
        observed = self.observed_label.copy()
        observed[samples] = labels
        return replace(self, observed_label=observed, **self._marked(samples, glitch, MISLABELED))

    def change(self, samples: np.ndarray, x: np.ndarray, glitch: str) -> "TrainingData":
        """The data with other inputs of ``samples``, whose labels stay; x: (len(samples), ...)."""
        content = self.content.copy()
        content[samples], changed = self._stored(x)
        return replace(self, content=content, changed=changed, **self._marked(samples, glitch, ANOMALOUS))

    def add(self, source: str, rows: np.ndarray, x: np.ndarray, label: int, glitch: str) -> "TrainingData":
        """The data with new samples appended, all observed as class ``label``; x: (len(rows), ...)."""
        k = len(rows)
        content, changed = self._stored(x)
        return replace(
            self,
            source=np.concatenate([self.source, np.full(k, source)]),
            row=np.concatenate([self.row, rows]),
            true_label=np.concatenate([self.true_label, np.full(k, NO_CLASS)]),
            observed_label=np.concatenate([self.observed_label, np.full(k, label)]),
            glitch=np.concatenate([self.glitch, np.full(k, glitch)]),
            kind=np.concatenate([self.kind, np.full(k, ANOMALOUS)]),
            content=np.concatenate([self.content, content]),
            changed=changed,
        )

    def _stored(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places of new inputs in ``changed``, and what that becomes."""
        if self.changed is None:
            return np.arange(len(x)), x
        return len(self.changed) + np.arange(len(x)), np.concatenate([self.changed, x])

    def _marked(self, samples: np.ndarray, glitch: str, kind: str) -> dict[str, np.ndarray]:
        names = self.glitch.astype(np.result_type(self.glitch, np.asarray(glitch)))
        kinds = self.kind.copy()
        names[samples], kinds[samples] = glitch, kind
        return {"glitch": names, "kind": kinds}


@dataclass(frozen=True)
class AnomalySource:
    """Where far anomalies come from: the pool's id, the labels of its samples, int64 (N,), and rows -> their inputs,
    already in the form of the data that they are added to. usable: bool (N,), those outside its test split."""

    name: str
    labels: np.ndarray
    read: Callable[[np.ndarray], np.ndarray]
    usable: np.ndarray


def glitch(
    name: str,
    *,
    kind: str,
    modalities: tuple[str, ...] = ("image", "table"),
    needs_anomaly_source: bool = False,
    annotated: bool = False,
    check: Callable[..., None] = lambda **_: None,
    reference: str,
) -> Callable[[Callable], Callable]:
    """Mark a function ``(data, rng, [anomalies,] **parameters) -> TrainingData`` as a glitch.

    kind: "mislabeled", "anomalous", or "" for one that breaks nothing; only an anomalous one may make or change inputs.
    modalities: what it can be applied to. needs_anomaly_source: pass it an :class:`AnomalySource` as well.
    check: called with all parameters before anything runs; raises CellError for values that cannot work on any data.
    annotated: it takes the labels that people gave, so it applies to data sets that have those, and no other does.
    """
    if kind not in ("", MISLABELED, ANOMALOUS):
        raise ValueError(f"glitch '{name}' is of kind {kind!r}; allowed: {MISLABELED}, {ANOMALOUS}, or empty")
    return plugin(
        "glitch",
        name,
        kind=kind,
        modalities=modalities,
        needs_anomaly_source=needs_anomaly_source,
        annotated=annotated,
        check=check,
        reference=reference,
    )
