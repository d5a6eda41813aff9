"""Stratified training, validation and test parts of a pool."""

from dataclasses import dataclass

import numpy as np

from glitchmark.errors import CellError
from glitchmark.stratified import stratified_counts

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Split:
    """How much of a pool is used, and for what.

    subset: a ratio in (0, 1), or at most so many samples. validation: its share that is validation data.
    test: untouched test samples, as a share of the subset; 0 for none. They come from the source's own test split, and
    where it has none, from the rest of the pool; a subset of "at most so many" leaves room for them.
    validation_from: "subset", the paper's split of one subset; or "test", as in its published code: training samples
    from the source's training split and validation samples from its test split, the same ratio of each.
    """

    subset: int | float
    validation: float
    test: float
    validation_from: str = "subset"

    def sizes(self, n: int, n_test: int) -> tuple[int, int, int]:
        """Training, validation and test samples of a pool of n samples, n_test of them in its own test split.

        Raises CellError where that cannot be.
        """
        outside, is_ratio = n - n_test, isinstance(self.subset, float)
        if self.validation_from == "test":
            if not n_test:
                raise CellError(
                    "'validation_from: test' needs a test split that comes with the source, and there is none; use "
                    "'validation_from: subset'"
                )
            n_val = round(self.subset * n_test if is_ratio else self.validation * self.subset)
            n_train = round(self.subset * outside) if is_ratio else min(self.subset - n_val, outside)
            left = n_test - n_val
        else:
            room = outside if n_test else int(outside / (1 + self.test))
            size = round(self.subset * outside) if is_ratio else min(self.subset, room)
            n_val = round(self.validation * size)
            n_train = size - n_val
            left = n_test or outside - size
        untouched = round(self.test * (n_train + n_val))
        if n_test:
            untouched = min(untouched, left)  # of the source's own split, what there is
        if untouched > left or untouched < (self.test > 0):
            advice = "a smaller 'subset' or 'test'" if untouched >= left else "a larger 'subset' or 'test'"
            raise CellError(
                f"'subset: {self.subset}' of {n} samples leaves {max(left, 0)} for the untouched test part, and 'test: "
                f"{self.test:g}' of the subset's size is {max(untouched, 0)}; use {advice}"
            )
        return n_train, n_val, untouched


def draw_parts(
    y: np.ndarray, is_test: np.ndarray | None, split: Split, class_names: tuple[str, ...], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Rows of the training, validation and test part: disjoint, stratified, each in random order.

    y: int (N,). is_test: bool (N,), the source's own test split, or None. Each part has each class in proportion, and
    at least one sample of it, however rare; a test part of the source's own has the classes that are there. Returns
    int64 rows by the names of :data:`PARTS`. Raises CellError where a class has too few samples for that.
    """
    own = np.zeros(len(y), bool) if is_test is None else np.asarray(is_test)
    sizes = dict(zip(PARTS, split.sizes(len(y), int(own.sum())), strict=True))
    nothing = {name: np.empty(0, np.int64) for name, size in sizes.items() if name == "test" and size == 0}
    from_own = () if not own.any() else ("validation", "test") if split.validation_from == "test" else ("test",)
    inside = {name: sizes[name] for name in PARTS if name in from_own and name not in nothing}
    outside = {name: sizes[name] for name in PARTS if name not in from_own and name not in nothing}
    parts = _draw(y, np.flatnonzero(~own), outside, class_names, rng)
    return parts | _draw(y, np.flatnonzero(own), inside, class_names, rng) | nothing


def _draw(
    y: np.ndarray, rows: np.ndarray, sizes: dict[str, int], class_names: tuple[str, ...], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Disjoint stratified draws of ``sizes`` samples from ``rows``."""
    if not sizes:
        return {}
    shuffled = rng.permutation(rows)
    by_class = [shuffled[y[shuffled] == c] for c in range(len(class_names))]
    there = np.array([len(own) for own in by_class])
    needed = np.bincount(y, minlength=len(class_names)) > 0 if set(sizes) != {"test"} else there > 0
    scarce = np.flatnonzero(needed & (there < len(sizes)))
    if len(scarce):
        c = scarce[0]
        raise CellError(
            f"class '{class_names[c]}' has {there[c]} of the {len(rows)} samples that the parts {', '.join(sizes)} are "
            "drawn from, and each part needs one; remove the class or merge it with another"
        )
    small = [name for name, size in sizes.items() if size < needed.sum()]
    if small:
        raise CellError(
            f"the {small[0]} part has {sizes[small[0]]} samples for {needed.sum()} classes, and needs one of each; use "
            "a larger 'subset', or more of it for that part"
        )
    left = stratified_counts(there, sum(sizes.values()), least=len(sizes) * needed)
    parts = {}
    for index, (name, size) in enumerate(sizes.items()):
        waiting = len(sizes) - index - 1  # parts that still need one sample of each class
        counts = stratified_counts(left, size, least=needed, most=left - waiting * needed)
        parts[name] = rng.permutation(np.concatenate([own[:k] for own, k in zip(by_class, counts, strict=True)]))
        by_class = [own[k:] for own, k in zip(by_class, counts, strict=True)]
        left = left - counts
    return parts
