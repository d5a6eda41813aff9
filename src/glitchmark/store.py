"""The content-addressed store: a folder, a key, an atomic rename, a digest.

An entry is a folder ``<store>/<key>/`` with one ``.npy`` file an array and an ``entry.json`` that holds the
digests of those files, the entry's ``info`` (JSON values), its cost and its provenance. A failed cell has an
entry too: one with a ``failure`` and no arrays. Entries are written once and never changed.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

SMALL = 1 << 20  # bytes


class DamagedEntry(Exception):
    """A stored file does not have the digest that was recorded when it was written, or what it refers to is lost.
    path: of a file of the entry. key: the entry's."""

    def __init__(self, path: Path, what: str = "is damaged or missing"):
        super().__init__(f"{path} {what}")
        self.key = path.parent.name


class UpstreamFailure(Exception):
    """The entry that was asked for records a failure."""


class Arrays(Mapping):
    """The arrays of a stored entry, read-only and memory-mapped, checked against their digest on first use.

    checked: files that this process has checked already, for all entries: many cells of a job read the same pool.
    """

    def __init__(self, folder: Path, digests: dict[str, str], checked: set[Path]):
        self._folder, self._digests, self._open, self._checked = folder, digests, {}, checked

    def __contains__(self, name: object) -> bool:
        return name in self._digests

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._digests:
            raise KeyError(name)
        if name not in self._open:
            path = self._folder / f"{name}.npy"
            if not path.is_file() or (path not in self._checked and file_digest(path) != self._digests[name]):
                raise DamagedEntry(path)
            self._checked.add(path)
            small = path.stat().st_size < SMALL  # which a memory map would cost more than it saves
            self._open[name] = np.load(path, mmap_mode=None if small else "r", allow_pickle=False)
            self._open[name].flags.writeable = False
        return self._open[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)


class Entry:
    """A stored result: ``arrays`` (name -> array) and ``info`` (JSON values). path: of its record."""

    def __init__(self, folder: Path, record: dict[str, Any], checked: set[Path]):
        self.key, self.path = folder.name, folder / "entry.json"
        self.record = record
        self.info: dict[str, Any] = record["info"]
        self.failure: str | None = record["failure"]
        self.arrays = Arrays(folder, record["digests"], checked)


@contextmanager
def mending(store: "Store") -> Iterator[None]:
    """End the process with one sentence where an entry turns out to be damaged, and remove it: run again to mend."""
    try:
        yield
    except DamagedEntry as error:
        store.remove(error.key)
        sys.exit(f"glitchmark: {error}; the entry was removed. Run again to compute it anew.")


class Store:
    """Results by key. Safe for concurrent writers: the first one to finish wins, and equal keys mean equal results."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._checked: set[Path] = set()

    def __contains__(self, key: str) -> bool:
        return (self.folder / key / "entry.json").is_file()

    def keys(self) -> set[str]:
        """Every key in the store, failures included."""
        return {path.parent.name for path in self.folder.glob("[!.]*/entry.json")}

    def open(self, key: str) -> Entry:
        """The entry of ``key``, failed or not. Raises DamagedEntry if it is missing or unreadable."""
        path = self.folder / key / "entry.json"
        try:
            return Entry(path.parent, json.loads(path.read_text()), self._checked)
        except (FileNotFoundError, ValueError):
            raise DamagedEntry(path) from None

    def get(self, key: str) -> Entry:
        """Like :meth:`open`, but raises UpstreamFailure for a failed entry."""
        entry = self.open(key)
        if entry.failure is not None:
            raise UpstreamFailure(entry.failure)
        return entry

    def put(
        self,
        key: str,
        arrays: Mapping[str, np.ndarray],
        info: dict[str, Any],
        *,
        failure: str | None = None,
        **record: Any,
    ) -> None:
        """Write an entry to a temporary folder and rename it into place. An entry that is there already stays."""
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            digests = {}
            for name, array in arrays.items():
                path = folder / f"{name}.npy"
                np.save(path, array, allow_pickle=False)
                digests[name] = file_digest(path)
            text = json.dumps(
                {"info": info, "failure": failure, "digests": digests, **record}, indent=1, sort_keys=True
            )
            (folder / "entry.json").write_text(text + "\n")
            folder.chmod(0o755)  # mkdtemp's 0700 would shut out others on shared storage
            try:
                folder.rename(self.folder / key)
            except OSError:
                if key not in self:  # the folder is there and has lost its record
                    self.remove(key)
                    folder.rename(self.folder / key)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # gone already if the rename went through

    def sweep(self) -> None:
        """Remove the temporary folders that killed writers left behind. Nobody may be writing meanwhile."""
        for pattern in (".new-*", ".old-*"):
            for folder in self.folder.glob(pattern):
                shutil.rmtree(folder)

    def remove(self, key: str) -> None:
        """Remove an entry if it is there; the rename comes first, so that no reader finds half of one."""
        if not (self.folder / key).is_dir():
            return
        self._checked = {path for path in self._checked if path.parent.name != key}
        grave = Path(tempfile.mkdtemp(prefix=".old-", dir=self.folder))
        with suppress(FileNotFoundError):  # another job was faster
            (self.folder / key).rename(grave / key)
        shutil.rmtree(grave)


def file_digest(path: Path) -> str:
    """BLAKE2b digest of a file's bytes, 32 hexadecimal digits."""
    with open(path, "rb") as file:
        state = blake2b(digest_size=16)
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically, and not at all if it has this content already."""
    if path.is_file() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
