"""Stratified subsets and splits."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.stratified import stratified_order


def part_sizes(subset: int | float, validation: float, n: int) -> tuple[int, int]:
    """How many training and validation samples a config asks for of ``n``.

    subset: a ratio in (0, 1), or at most so many samples. validation: share of the subset.
    """
    size = round(subset * n) if isinstance(subset, float) else min(subset, n)
    return size - round(validation * size), round(validation * size)


def stratified_split(
    y: np.ndarray, subset: int | float, validation: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a training and a validation part of a stratified subset, drawn without replacement.

    y: int (N,). subset, validation: see :func:`part_sizes`. Returns two disjoint int64 arrays of rows, each in random
    order. Raises CellError where a class would be missing from a part.
    """
    n_train, n_val = part_sizes(subset, validation, len(y))
    rows = stratified_order(y, rng)[: n_train + n_val]
    order = stratified_order(y[rows], rng)
    parts = {"training": rng.permutation(rows[order[n_val:]]), "validation": rng.permutation(rows[order[:n_val]])}
    for name, part in parts.items():
        missing = np.setdiff1d(y, y[part])
        if len(missing):
            raise CellError(
                f"the {name} part, {len(part)} of {len(y)} samples, has none of class {missing.tolist()} (class sizes: "
                f"{np.bincount(y).tolist()}); use a larger 'subset' or another 'validation', or merge rare classes"
            )
    return parts["training"], parts["validation"]
