"""Where samples come from: one module a source, each returning a :class:`Pool`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glitchmark.registry import plugin


@dataclass(frozen=True)
class Pool:
    """All samples of a source.

    x: images uint8 (N, H, W) or (N, H, W, 3), or a table float32 (N, d).
    y: int64 (N,), classes 0..C-1.
    class_names: one name a class.
    """

    x: np.ndarray
    y: np.ndarray
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """What can be said of a source before it is loaded.

    modality: "image" or "table". digest: of the content, where that lies in a file of the user's.
    class_counts: samples a class, where cheap to know; empty otherwise.
    """

    modality: str
    n_samples: int
    n_classes: int
    digest: str = ""
    class_counts: tuple[int, ...] = ()


def dataset(
    name: str,
    *,
    modality: str = "",
    n_samples: int = 0,
    n_classes: int = 0,
    source: str,
    licence: str,
    anomaly_source: str = "",
    files: tuple[str, ...] = (),
    inspect: Callable[..., Description] | None = None,
) -> Callable[[Callable[..., Pool]], Callable[..., Pool]]:
    """Mark a function ``(**parameters) -> Pool`` as a data set.

    anomaly_source: the data set that far anomalies come from unless the config names another.
    files: which parameters are file names, relative to the config's ``data_dir``; the files' content, not their
    names, decides whether results are computed again.
    inspect: ``(**parameters) -> Description``, for sources that are not known in advance; it raises UserError for
    files that cannot be used.
    """
    return plugin(
        "dataset",
        name,
        modality=modality,
        n_samples=n_samples,
        n_classes=n_classes,
        source=source,
        licence=licence,
        anomaly_source=anomaly_source,
        files=files,
        inspect=inspect or (lambda **_: Description(modality, n_samples, n_classes)),
    )
