"""What every source must have delivered: rows, columns, classes and types."""

import numpy as np

from glitchmark.datasets import Description, Pool
from glitchmark.errors import CellError


def check_pool(pool: Pool, known: Description, name: str) -> None:
    """Raise CellError, naming the data set, where a pool is not what :class:`Pool` or its description says."""
    n, n_classes = len(pool.y), len(pool.class_names)
    n_test = 0 if pool.is_test is None else np.count_nonzero(pool.is_test)
    is_image = pool.x.dtype == np.uint8 and (pool.x.ndim == 3 or (pool.x.ndim == 4 and pool.x.shape[3] == 3))
    is_table = pool.x.dtype == np.float32 and pool.x.ndim == 2
    facts = {
        "x must be uint8 (N, H, W) or (N, H, W, 3), or float32 (N, d)": is_image or is_table,
        f"its modality must be '{known.modality}'": is_image if known.modality == "image" else is_table,
        "x and y must have equally many rows": pool.y.shape == (len(pool.x),),
        "y must be int64": pool.y.dtype == np.int64,
        f"its labels must be 0..{n_classes - 1}": n > 0 and _classes(pool.y, n_classes),
        f"it must have {known.n_samples} samples, not {n}": known.n_samples in (0, n),
        f"it must have {known.n_classes} classes, not {n_classes}": known.n_classes in (0, n_classes),
        f"a sample must have the shape {known.shape}, not {pool.x.shape[1:]}": known.shape in ((), pool.x.shape[1:]),
        "'is_test' must be one bool a sample": _fits(pool.is_test, bool, n),
        f"it must have {known.n_test} test samples": known.n_test in (0, n_test),
        "'annotated' must be one int64 a sample": _fits(pool.annotated, np.int64, n),
        "'names' must be one text a sample": pool.names is None or _texts(pool.names, n),
        f"people's labels must be 0..{n_classes - 1}": pool.annotated is None or _classes(pool.annotated, n_classes),
        "it must bring the labels that people gave": not known.human_noise or pool.annotated is not None,
        "'categories' must hold one number a column": not is_table or len(pool.categories) in (0, pool.x.shape[1]),
    }
    wrong = [rule for rule, holds in facts.items() if not holds]
    if wrong:
        raise CellError(f"data set '{name}': {'; '.join(wrong)}. Is its file damaged, or of another version?")


def _fits(values: np.ndarray | None, dtype: type, n: int) -> bool:
    return values is None or (values.dtype == dtype and values.shape == (n,))


def _texts(names: np.ndarray, n: int) -> bool:
    return names.dtype.kind == "U" and names.shape == (n,)


def _classes(labels: np.ndarray, n_classes: int) -> bool:
    return bool(np.isin(labels, np.arange(n_classes)).all())
