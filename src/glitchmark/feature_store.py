"""What frozen parts of networks compute, a row a sample, found by the sample's content.

A frozen part's features depend on the part and on the sample alone: not on labels, glitches, seeds, epochs or ratios.
So each is computed once, whichever cells, data sets and runs share it. A part has a folder; in it lie *segments*,
entries of a store with the arrays ``ids`` (bytes (k,), see :func:`content_ids`) and ``features`` (k, ...), half or
single precision, memory-mapped when they are read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glitchmark.errors import Unavailable
from glitchmark.keys import fingerprint
from glitchmark.store import DamagedEntry, Store

if TYPE_CHECKING:
    from glitchmark.store import Entry

Compute = Callable[[np.ndarray], Iterator[np.ndarray]]

ATTEMPTS = 5  # at reading what another job may be removing, or a disk damages
SEGMENT = 2048  # rows; what is lost when a job is killed, and what a pass holds in memory


class MissingFeatures(Exception):
    """Rows that the store does not hold, or no longer: a segment was damaged. positions: int64, of those asked for."""

    def __init__(self, positions: np.ndarray):
        super().__init__(f"{len(positions)} rows of features are missing")
        self.positions = positions


def content_ids(x: np.ndarray) -> np.ndarray:
    """Digests of samples (n, ...) with their shape and dtype, bytes (n,) of 32 hexadecimal digits each."""
    head = f"{x.shape[1:]} {x.dtype}".encode()
    digests = [blake2b(head + row.tobytes(), digest_size=16).hexdigest() for row in x]
    return np.array(digests, "S32")


class FeatureStore:
    """The features of one frozen part."""

    def __init__(self, folder: str | Path):
        """folder: of the part; it need not exist."""
        self._segments = Store(folder)
        self._damaged: set[str] = set()
        self._forget_index()

    @property
    def folder(self) -> Path:
        """Where the segments are."""
        return self._segments.folder

    def missing(self, ids: np.ndarray) -> np.ndarray:
        """int64, ascending: the first position of each sample in ``ids``, bytes (n,), that is not there."""
        self._look_again()
        first = np.sort(np.unique(ids, return_index=True)[1])
        return first[~self._find(ids[first])[1]]

    def add(self, ids: np.ndarray, batches: Iterable[np.ndarray], about: dict[str, Any]) -> None:
        """Store rows, in the order of ``ids``, bytes (k,); batches: their features, (b, ...) each. A segment is stored
        as soon as its rows are there, with what is said ``about`` the frozen part; damaged ones are removed."""
        for name in self._damaged:
            self._segments.remove(name)
        self._damaged.clear()
        for number, features in enumerate(_segments(batches)):
            part = ids[number * SEGMENT : number * SEGMENT + len(features)]
            self._segments.put(fingerprint(b"".join(part).decode()), {"ids": part, "features": features}, about)

    def about(self) -> dict[str, Any]:
        """What is said of the frozen part; empty without any segment."""
        self._look_again()
        return self._segments.open(self._names[0]).info if self._names else {}

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """The features of samples, float32 (n, ...), in the order of ``ids``, bytes (n,), n > 0, which may repeat.

        Raises MissingFeatures. Rows of a damaged segment are missing from then on.
        """
        absent = self.missing(ids)
        if len(absent):
            raise MissingFeatures(absent)
        at, _ = self._find(ids)
        segment, row = self._segment[at], self._row[at]
        out = None
        for number in np.unique(segment):
            wanted = np.flatnonzero(segment == number)
            try:
                features = self._segments.get(self._names[number]).arrays["features"]
            except DamagedEntry:
                self._damaged.add(self._names[number])
                self._forget_index()  # another segment may hold some of its rows as well
                raise MissingFeatures(wanted) from None
            if out is None:
                out = np.empty((len(ids), *features.shape[1:]), np.float32)
            out[wanted] = features[row[wanted]]
        return out

    def unused(self, used: np.ndarray) -> list[str]:
        """The segments that are damaged or hold none of the samples ``used``, bytes (n,)."""
        self._look_again()
        needed = set(self._segment[np.isin(self._ids, used)].tolist())
        return [*(name for number, name in enumerate(self._names) if number not in needed), *sorted(self._damaged)]

    def remove(self, names: list[str]) -> None:
        """Remove segments, what killed writers left behind, and the folder if it is then empty. Nobody may be writing
        meanwhile."""
        self._segments.sweep()
        for name in names:
            self._segments.remove(name)
        self._damaged.clear()
        self._forget_index()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _forget_index(self) -> None:
        """The index: sorted ids, and the segment, by its place in ``_names``, and row of each."""
        self._names: list[str] = []
        self._ids = np.empty(0, "S32")
        self._segment, self._row = np.empty(0, np.int64), np.empty(0, np.int64)

    def _look_again(self) -> None:
        """Read the ids of segments that were not read yet: other jobs may have written some."""
        new = sorted(self._segments.keys() - set(self._names) - self._damaged)
        ids, segment, row = [self._ids], [self._segment], [self._row]
        for name in new:
            try:
                ids.append(np.array(self._segments.get(name).arrays["ids"]))
            except DamagedEntry:
                self._damaged.add(name)
                continue
            self._names.append(name)
            segment.append(np.full(len(ids[-1]), len(self._names) - 1))
            row.append(np.arange(len(ids[-1])))
        if new:
            self._ids, first = np.unique(np.concatenate(ids), return_index=True)
            self._segment, self._row = np.concatenate(segment)[first], np.concatenate(row)[first]

    def _find(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the index, int64 (n,), and whether each sample is there, bool (n,)."""
        if len(self._ids) == 0:
            return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
        at = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return at, self._ids[at] == ids


@cache
def opened(folder: str | Path, trunk: str) -> FeatureStore:
    """The store of a frozen part among those of all in ``folder``, opened once in a process: what was checked is not
    checked again."""
    return FeatureStore(Path(folder) / trunk)


def fill(store: FeatureStore, ids: np.ndarray, compute: Compute, about: Callable[[], dict[str, Any]]) -> None:
    """Add what is missing. compute: positions in ``ids``, int64 (k,) -> batches of their features. about: what is to be
    said of the frozen part, asked for only if something is missing."""
    absent = store.missing(ids)
    if len(absent):
        store.add(ids[absent], compute(absent), about())


def read(
    store: FeatureStore, ids: np.ndarray, compute: Compute, about: Callable[[], dict[str, Any]] = dict
) -> np.ndarray:
    """The features of all samples, float32 (n, ...); what is missing or damaged is computed anew, see :func:`fill`.

    Raises Unavailable where what was written cannot be read back.
    """
    for _ in range(ATTEMPTS):
        try:
            return store.rows(ids)
        except MissingFeatures:
            fill(store, ids, compute, about)
    raise Unavailable(f"features that were written to {store.folder} are damaged when they are read; check the disk")


def _segments(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Batches, joined to segments; all but the last have SEGMENT rows."""
    waiting, count = [], 0
    for batch in batches:
        waiting.append(batch)
        count += len(batch)
        if count >= SEGMENT:
            joined = np.concatenate(waiting)
            yield joined[:SEGMENT]
            waiting, count = [joined[SEGMENT:]], count - SEGMENT
    if count:
        yield np.concatenate(waiting)


def factor_arrays(
    train: "Entry", folder: str | Path, parts: tuple[str, ...] = ("train", "val")
) -> Mapping[str, np.ndarray]:
    """The factors' arrays of a training (see influence.factors.Factors). Where all below the head is frozen, the
    training refers to features by their ids, and those of ``parts`` are read from ``folder``, which holds those of all
    frozen parts.

    Raises DamagedEntry for the training where features were lost: it computes them anew.
    """
    arrays = train.arrays
    if "features_train" in arrays:
        return arrays
    store = opened(folder, train.info["trunk"])
    try:
        read = {f"features_{part}": store.rows(np.array(arrays[f"feature_ids_{part}"]))[None] for part in parts}
    except MissingFeatures:
        raise DamagedEntry(train.path, f"refers to features in {store.folder} that are damaged or missing") from None
    return {**arrays, **read}


def clean(folder: Path, entries: Iterable["Entry"], dry_run: bool) -> int:
    """Remove the segments that no result refers to; returns how many. folder: of the features of all frozen parts.
    entries: the results that stay. A segment with one row that is used stays whole."""
    used: dict[str, list[np.ndarray]] = {path.name: [np.empty(0, "S32")] for path in folder.glob("*")}
    for entry in entries:
        if "trunk" in entry.info:
            names = [
                name for name in entry.arrays if name in ("train", "val", "test", "changed") or "feature_ids" in name
            ]
            used.setdefault(entry.info["trunk"], []).extend(np.array(entry.arrays[name]) for name in names)
    removed = 0
    for trunk, ids in used.items():
        store = FeatureStore(folder / trunk)
        unused = store.unused(np.concatenate(ids))
        if not dry_run:
            store.remove(unused)
        removed += len(unused)
    return removed
