"""Where samples come from: one module a source, each returning a :class:`Pool`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glitchmark.registry import plugin


@dataclass(frozen=True)
class Pool:
    """All samples of a source.

    x: images uint8 (N, H, W) or (N, H, W, 3), or a table float32 (N, d). In a table, NaN is a missing value, and a
    categorical column holds the codes 0..k-1 of its categories.
    y: int64 (N,), classes 0..C-1; the true ones, where a source publishes others beside them.
    class_names: one name a class.
    is_test: bool (N,), the rows of the source's own test split; None where it has none.
    annotated: int64 (N,), the labels that people gave, some of them wrong; None where there are no others than y.
    categories: of a table, the number k of categories of each column, 0 for a numeric one; () if all are numeric.
    names: str (N,), what a person calls each sample, such as its file; None where that is its row.
    """

    x: np.ndarray
    y: np.ndarray
    class_names: tuple[str, ...]
    is_test: np.ndarray | None = None
    annotated: np.ndarray | None = None
    categories: tuple[int, ...] = ()
    names: np.ndarray | None = None


@dataclass(frozen=True)
class Description:
    """What can be said of a source before it is loaded; what is not known before is 0 or empty.

    modality: "image" or "table". n_samples: all, of which n_test are the source's own test split.
    shape: of one sample: (H, W), (H, W, 3) or (d,). digest: of the content, where that lies in files of the user's.
    class_names, class_counts: of each class, its name and its samples outside the test split.
    human_noise: whether labels by people come with it.
    """

    modality: str
    n_samples: int = 0
    n_classes: int = 0
    n_test: int = 0
    shape: tuple[int, ...] = ()
    digest: str = ""
    class_names: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    human_noise: bool = False


def dataset(
    name: str,
    *,
    modality: str = "",
    n_samples: int = 0,
    n_classes: int = 0,
    n_test: int = 0,
    shape: tuple[int, ...] = (),
    human_noise: bool = False,
    source: str,
    licence: str,
    anomaly_source: str = "",
    files: tuple[str, ...] = (),
    inspect: Callable[..., Description] | None = None,
) -> Callable[[Callable[..., Pool]], Callable[..., Pool]]:
    """Mark a function ``(**parameters) -> Pool`` as a data set.

    modality to human_noise: see :class:`Description`; what is loaded must agree with them.
    anomaly_source: the data set that far anomalies come from unless the config names another.
    files: which parameters are names of files or folders, relative to the config's ``data_dir``; the files' content,
    not their names, decides whether results are computed again.
    inspect: ``(**parameters) -> Description``, for sources that are not known in advance; it raises UserError for
    files that cannot be used.

    A source that is downloaded has the parameter ``cache``, the folder that keeps it (the config's ``cache_dir``).
    """
    if files and inspect is None:
        raise ValueError(f"data set '{name}' reads files, so it needs 'inspect', whose digest says what they hold")
    known = Description(modality, n_samples, n_classes, n_test, shape, human_noise=human_noise)
    return plugin(
        "dataset",
        name,
        modality=modality,
        n_samples=n_samples,
        n_classes=n_classes,
        n_test=n_test,
        shape=shape,
        human_noise=human_noise,
        source=source,
        licence=licence,
        anomaly_source=anomaly_source,
        files=files,
        inspect=inspect or (lambda **_: known),
    )
