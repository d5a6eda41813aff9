"""Data sets of openml.org: downloaded once, checked, and read a few columns at a time.

The cache has the layout of the ``openml`` package: ``<cache>/org/openml/www/datasets/<id>/`` with ``description.xml``
and ``dataset_<id>.pq`` or ``dataset.arff``.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from glitchmark.datasets import Pool
from glitchmark.datasets._frames import CELLS, Frame, parquet_frame, to_pool
from glitchmark.errors import Unavailable, UserError

if TYPE_CHECKING:
    from openml import OpenMLDataset

METADATA = ("description.xml", "features.xml", "qualities.xml")


def load(number: int, cache: str, *, target: str = "", drop: Sequence[str] = (), max_categories: int = 100) -> Pool:
    """A data set by its OpenML id; it is downloaded unless the cache has it.

    cache: the folder that keeps it. target: the column with the labels; OpenML's default target if empty. drop: columns
    to leave out, besides those that OpenML declares as row numbers or to be ignored. Raises Unavailable if it can
    be neither found nor downloaded, UserError if it is not fit for classification.
    """
    frame, label, left_out = _frame(number, cache, target, drop)
    return to_pool(frame, label, drop=left_out, max_categories=max_categories)


def _frame(number: int, cache: str, target: str, drop: Sequence[str]) -> tuple[Frame, str, list[str]]:
    """The table, its label column, and the columns that are left out."""
    with _dataset(number, cache) as dataset:
        label = _target(dataset, target)
        left_out = _left_out(dataset, label, drop)
        checksum, sparse = dataset.md5_checksum, dataset.format.lower() == "sparse_arff"
    file = _data_file(_folder(number, cache))
    where = f"OpenML data set {number} ({file})"
    if file.suffix == ".pq":
        frame = parquet_frame(str(file), where)  # OpenML publishes no checksum of these
    else:
        _check(file, checksum)
        frame = _arff_frame(file, where, sparse)
    return frame, label, [name for name in left_out if name in frame.names or name in drop]


def _folder(number: int, cache: str) -> Path:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise UserError(f"'id: {number}' must be the number of an OpenML data set.")
    return _server_folder(Path(cache).resolve()) / str(number)


def _server_folder(root: Path) -> Path:
    """The folder of the server's data sets in a cache, which from now on is the one that openml uses."""
    import openml

    openml.config.set_root_cache_directory(root)
    return Path(openml.config.get_cache_directory(), "datasets")


def _data_file(folder: Path) -> Path | None:
    """The data in a data set's folder of the cache, if it is there."""
    files = (folder / f"dataset_{folder.name}.pq", folder / "dataset.arff")
    return next((file for file in files if file.is_file()), None)


@contextmanager
def _dataset(number: int, cache: str) -> "Iterator[OpenMLDataset]":
    """OpenML's description of a data set; what the cache lacks is downloaded into it.

    openml works in a folder of its own, of which complete files are moved into the cache: it removes the whole folder
    of a data set when anything fails, leaves half of a file when it is stopped, and never checks a file that is there.
    """
    import openml

    folder = _folder(number, cache)
    has_data = _data_file(folder) is not None
    complete = has_data and (folder / "description.xml").is_file()
    if not complete:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the folder {folder} of the cache cannot be made: {error.strerror}.") from error
    with TemporaryDirectory(prefix=".openml-", dir=None if complete else folder) as work:
        scratch = _server_folder(Path(work)) / str(number)
        scratch.mkdir(parents=True)
        for name in METADATA:
            if (folder / name).is_file():
                shutil.copy(folder / name, scratch)
        openml.config.show_progress = True
        try:
            dataset = openml.datasets.get_dataset(number, download_data=not has_data)
        except Exception as error:
            _explain(number, cache, error)
            raise
        if not complete:
            for file in scratch.iterdir():
                if file.name in METADATA or file == _data_file(scratch):
                    os.replace(file, folder / file.name)
        yield dataset


def _explain(number: int, cache: str, error: Exception) -> None:
    """Raise Unavailable with the one sentence for what went wrong, if that was the download."""
    import openml

    folder = _folder(number, cache)
    url = f"{openml.config.server.rstrip('/')}/data/{number}"
    local = (
        f"to use a local copy, put description.xml and dataset_{number}.pq (or dataset.arff) into {folder}, or name a "
        f"cache folder that has them in {folder.relative_to(Path(cache).resolve())} (--config cache_dir=DIR)"
    )
    if isinstance(error, openml.exceptions.OpenMLServerException):
        raise Unavailable(f"OpenML refuses data set {number} ({url}): {error.message}; check 'id'; {local}.") from error
    if isinstance(error, openml.exceptions.OpenMLHashException):
        raise Unavailable(
            f"OpenML data set {number} arrived damaged, also when tried again: {str(error).strip(' .')}; {local}."
        ) from error
    if type(error).__module__.split(".")[0] in ("openml", "requests", "urllib3", "minio"):
        reason = getattr(error.args[0], "reason", error) if error.args else error
        raise Unavailable(
            f"OpenML data set {number} is not in the cache and cannot be downloaded: tried {url} "
            f"({' '.join(str(reason).split())}); {local}."
        ) from error


def _target(dataset: "OpenMLDataset", target: str) -> str:
    label = target or dataset.default_target_attribute or ""
    if not label or (not target and "," in label):
        raise UserError(
            f"OpenML data set {dataset.dataset_id} ('{dataset.name}') has "
            f"{'several default targets: ' + label if label else 'no default target'}; name a column with 'target'."
        )
    return label


def _left_out(dataset: "OpenMLDataset", label: str, drop: Sequence[str]) -> list[str]:
    """Columns that are no features: those of the user, and those that OpenML declares so, unless it is the label."""
    declared: list[str] = []
    for names in (dataset.row_id_attribute, dataset.ignore_attribute):
        declared += [names] if isinstance(names, str) else names or []
    return [*drop, *(name for names in declared for name in map(str.strip, names.split(",")) if name != label)]


def _check(file: Path, checksum: str | None) -> None:
    """Raise Unavailable where a file is not the one that OpenML describes."""
    with open(file, "rb") as handle:
        found = file_digest(handle, "md5").hexdigest()
    if checksum and found != checksum:
        raise Unavailable(
            f"{file}: the file is damaged (md5 {found}, and OpenML says {checksum}); remove it, and it is downloaded "
            "again."
        )


def _arff_frame(file: Path, where: str, sparse: bool) -> Frame:
    """An ARFF file, parsed in blocks of rows, so that the Python objects of a few rows exist at a time."""
    import arff
    import pandas as pd

    with open(file, encoding="utf-8") as handle:
        try:
            decoded = arff.load(handle, encode_nominal=True, return_type=arff.LOD_GEN if sparse else arff.DENSE_GEN)
            attributes = decoded["attributes"]
            texts: dict[int, dict[str, int]] = {i: {} for i, (_, kind) in enumerate(attributes) if kind == "STRING"}
            rows, at_once = iter(decoded["data"]), max(1, CELLS // 8 // len(attributes))
            blocks = [np.empty((0, len(attributes)), np.float32)]
            while chunk := list(islice(rows, at_once)):
                if sparse:
                    chunk = [[row.get(i, 0) for i in range(len(attributes))] for row in chunk]
                for i, known in texts.items():
                    for row in chunk:
                        row[i] = None if row[i] is None else known.setdefault(row[i], len(known))
                with np.errstate(over="ignore"):
                    blocks.append(np.array(chunk, np.float32))  # None becomes NaN
        except (arff.ArffException, UnicodeDecodeError) as error:
            raise UserError(f"{where}: the file cannot be read as ARFF: {error}") from error
    names = [name for name, _ in attributes]

    def column(i: int) -> "pd.Series":
        values = np.concatenate([block[:, i] for block in blocks])
        kind = list(texts[i]) if i in texts else attributes[i][1]
        if not isinstance(kind, list):
            return pd.Series(values)
        codes = np.where(np.isnan(values), -1, values).astype(np.int64)
        return pd.Series(pd.Categorical.from_codes(codes, kind))

    def read(columns: list[str]) -> "pd.DataFrame":
        return pd.DataFrame({name: column(names.index(name)) for name in columns})

    return Frame(where, tuple(names), sum(map(len, blocks)), read)
