"""Stratified subsets and splits."""

import numpy as np

from glitchmark.errors import CellError


def subset_size(subset: int | float, n: int) -> int:
    """How many of ``n`` samples a config's ``subset`` asks for: a ratio in (0, 1), or at most so many."""
    return max(1, round(subset * n)) if isinstance(subset, float) else min(int(subset), n)


def stratified_split(
    y: np.ndarray, subset: int | float, validation: float, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a training and a validation part of a stratified subset, drawn without replacement.

    y: int (N,). subset: see :func:`subset_size`. validation: share of the subset that is validation.
    Returns two disjoint, shuffled int64 arrays of rows. Raises CellError where a class is too small.
    """
    from sklearn.model_selection import train_test_split  # one second to import

    rows = np.arange(len(y))
    size = subset_size(subset, len(y))
    try:
        if size < len(y):
            rows, _ = train_test_split(rows, train_size=size, stratify=y, random_state=random_state)
        train, val = train_test_split(rows, test_size=validation, stratify=y[rows], random_state=random_state)
    except ValueError as error:
        counts = np.bincount(y[rows])
        raise CellError(
            f"a stratified split of {size} samples with {validation:.0%} for validation is impossible with these class "
            f"sizes: {counts.tolist()} ({error}); use a larger 'subset' or 'validation', or merge rare classes"
        ) from error
    return train.astype(np.int64), val.astype(np.int64)
