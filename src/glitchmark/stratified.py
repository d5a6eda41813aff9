"""Stratified draws: of parts from a pool, of fewer validation samples, of the samples that a glitch hits."""

import numpy as np


def stratified_counts(
    sizes: np.ndarray, total: int, least: np.ndarray | int = 0, most: np.ndarray | None = None
) -> np.ndarray:
    """How many of ``total`` samples come from each class: its share of them, rounded by the largest remainder.

    sizes: int (C,), samples a class. least, most: bounds of a class's count, most by default its size; they come
    before its share. Returns int64 (C,) that sum to ``total``. Raises ValueError where the bounds do not allow that.
    """
    most = sizes if most is None else most
    least = np.minimum(least, most)
    if not least.sum() <= total <= most.sum():
        raise ValueError(f"{total} samples are not between {least.sum()} and {most.sum()}")
    share = total * sizes / (sizes.sum() or 1)
    counts = np.clip(np.floor(share).astype(np.int64), least, most)
    while (missing := total - counts.sum()) != 0:
        step = np.sign(missing)
        possible = counts < most if step > 0 else counts > least
        counts[np.where(possible, step * (share - counts), -np.inf).argmax()] += step
    return counts


def stratified_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of the samples in which every prefix has each class within one sample of its share.

    labels: int (m,). Returns int64 (m,). A draw of k samples is the first k; draws are nested by nature.
    """
    shuffled = rng.permutation(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    mixed = rng.permutation(len(classes))  # so that ties favour no class
    classes, counts = classes[mixed], counts[mixed]
    waiting = [iter(shuffled[labels[shuffled] == c]) for c in classes]
    taken, order = np.zeros(len(classes), np.int64), np.empty(len(labels), np.int64)
    for size in range(1, len(labels) + 1):
        # of the classes that are below their share of this size, the one whose next sample is due first
        due = np.where(taken * len(labels) < size * counts, (taken + 1) / counts, np.inf)
        c = due.argmin()
        order[size - 1] = next(waiting[c])
        taken[c] += 1
    return order
