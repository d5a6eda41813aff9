"""A user's own data in a NumPy archive."""

import math
import zipfile
import zlib
from tokenize import TokenError
from typing import IO

import numpy as np

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._files import content_digest, described, not_there
from glitchmark.errors import UserError

BLOCK = 1 << 24  # bytes that are decompressed at once
# what NumPy and zipfile raise for files that are damaged
DAMAGE = (ValueError, OSError, EOFError, RuntimeError, TokenError, zipfile.BadZipFile, zlib.error)


def inspect_npz(*, file: str, split: str = "", test_split: str = "") -> Description:
    """Check an archive before anything runs; raises UserError with the reason if it cannot be used.

    Images are not decompressed for this: any uint8 is a valid pixel.
    """
    with _open(file) as archive:
        shape, _, dtype = _header(file, archive)
        y, class_names, keep, is_test = _labels(file, archive, split, test_split, shape, dtype)
        if len(shape) == 2:
            _rows(file, archive, keep)
    return described(y, class_names, is_test, shape[1:], content_digest(file))


@dataset(
    "npz",
    source="a local .npz file with x and y, optionally split and class_names",
    licence="the file's own",
    files=("file",),
    inspect=inspect_npz,
)
def npz(*, file: str, split: str = "", test_split: str = "") -> Pool:
    """Your own .npz file: x (images uint8 or a table of numbers), y (integers), optional split and class_names.

    In a table, NaN is a missing value.
    split: use only the rows whose ``split`` has this value; all rows if empty. test_split: the rows that have this
    value are used as well, as the test split.
    """
    with _open(file) as archive:
        shape, _, dtype = _header(file, archive)
        y, class_names, keep, is_test = _labels(file, archive, split, test_split, shape, dtype)
        x = _rows(file, archive, keep)
    return Pool(x, y.astype(np.int64), class_names, is_test=is_test if test_split else None)


def _open(file: str) -> np.lib.npyio.NpzFile:
    try:
        archive = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise not_there("data file", file, "file") from None
    except DAMAGE as error:
        raise UserError(f"the data file '{file}' cannot be read as a .npz archive: {error}.") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise UserError(f"the data file '{file}' is a single array, not a .npz archive with x and y.")
    for name in ("x", "y"):
        if name not in archive.files:
            raise UserError(f"{file}: there is no array '{name}'; x (samples) and y (labels) are needed.")
    return archive


def _header(file: str, archive: np.lib.npyio.NpzFile) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape of x, whether it is in Fortran order, and its dtype, without decompressing it."""
    try:
        with archive.zip.open("x.npy") as member:
            return _read_header(member)
    except DAMAGE as error:
        raise UserError(f"{file}: x must be readable, but its header cannot be read: {error}.") from error


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    major, _ = np.lib.format.read_magic(member)
    return (np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0)(member)


def _rows(file: str, archive: np.lib.npyio.NpzFile, keep: np.ndarray) -> np.ndarray:
    """The rows of x that are kept, images uint8, a table float32; read in blocks, so that x exists but once."""
    try:
        with archive.zip.open("x.npy") as member:
            shape, fortran, dtype = _read_header(member)
            x = np.empty((int(keep.sum()), *shape[1:]), np.float32 if len(shape) == 2 else np.uint8)
            stored = shape[::-1] if fortran else shape  # in Fortran order, the last axis comes first
            per_block = max(1, BLOCK // max(1, dtype.itemsize * math.prod(stored[1:])))
            done = 0
            for start in range(0, stored[0], per_block):
                count = min(per_block, stored[0] - start)
                content = member.read(count * dtype.itemsize * math.prod(stored[1:]))
                block = np.frombuffer(content, dtype).reshape(count, *stored[1:])
                if fortran:
                    x[..., start : start + count] = _single(file, block.T, keep, 0, start)
                else:
                    part = _single(file, block, keep[start : start + count], start, 0)
                    x[done : done + len(part)] = part
                    done += len(part)
            member.read()  # to the end, where the checksum is compared
    except DAMAGE as error:
        raise UserError(f"{file}: x must be readable, but it cannot be read: {error}.") from error
    return x


def _single(file: str, block: np.ndarray, keep: np.ndarray, row: int, column: int) -> np.ndarray:
    """The kept rows of a block that begins at this row and column of x; of a table, in single precision."""
    if block.ndim != 2:
        return block[keep]
    with np.errstate(over="ignore"):
        values = block[keep].astype(np.float32)
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        i, j = np.flatnonzero(keep)[infinite[0][0]], infinite[0][1]
        raise UserError(
            f"{file}: x[{row + i}, {column + j}] is {block[i, j]}; infinite values and numbers beyond single precision "
            "are not allowed (NaN is a missing value)."
        )
    return values


def _labels(
    file: str,
    archive: np.lib.npyio.NpzFile,
    split: str,
    test_split: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray, np.ndarray]:
    """The labels that are used, the class names, the rows that are used, bool (N,), and which of these are the test
    split, after checking them and the form of x."""
    y = _read(file, archive, "y", "y must be a vector of integer labels 0..C-1")
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise UserError(f"{file}: y must be a vector of integer labels 0..C-1, but it is {y.dtype} {y.shape}.")
    if shape[:1] != y.shape or len(y) == 0:
        raise UserError(f"{file}: x is {shape} and y {y.shape}; they must have equally many rows, at least one.")
    if y.min() < 0:
        raise UserError(f"{file}: y holds the negative label {y.min()}; labels count from 0.")
    if y.max() >= len(y):
        raise UserError(
            f"{file}: y holds the label {y.max()}, but there are {len(y)} samples; labels count the classes from 0, so "
            "renumber them."
        )
    is_image = dtype == np.uint8 and (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3))
    is_table = len(shape) == 2 and (np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating))
    if not (is_image or is_table):
        raise UserError(
            f"{file}: x is {dtype} {shape}; allowed are images, uint8 (N, H, W) or (N, H, W, 3), and tables of "
            "numbers (N, d)."
        )
    keep, is_test = np.full(len(y), True), np.full(len(y), False)
    if split or test_split:
        splits = _splits(file, archive, y.shape)
        for value in filter(None, (split, test_split)):
            if value not in splits:
                there = ", ".join(map(str, np.unique(splits))) or "no array 'split' at all"
                raise UserError(f"{file}: no row has split '{value}'; there is: {there}.")
        if split == test_split:
            raise UserError(f"{file}: 'split' and 'test_split' are both '{split}'; they must differ.")
        if test_split:
            is_test = splits == test_split
        keep = (splits == split) | is_test if split else keep
    y, is_test = y[keep], is_test[keep]
    names = range(int(y.max()) + 1)
    if "class_names" in archive.files:
        named = _read(file, archive, "class_names", "'class_names' must be a vector of strings")
        if named.ndim != 1:
            raise UserError(f"{file}: class_names must be a vector of strings, but it has the shape {named.shape}.")
        names = named.tolist()
    if len(names) <= y.max():
        raise UserError(
            f"{file}: y holds class {y.max()}, but class_names has {len(names)} names (classes count from 0)."
        )
    if len(np.unique(y[~is_test])) < 2:
        where = " outside the test split" if is_test.any() else ""
        raise UserError(f"{file}: y holds one class only{where}; at least two are needed.")
    return y, tuple(map(str, names)), keep, is_test


def _splits(file: str, archive: np.lib.npyio.NpzFile, shape: tuple[int, ...]) -> np.ndarray:
    if "split" not in archive.files:
        return np.empty(0, str)
    splits = _read(file, archive, "split", "'split' must be a vector of strings, one a row")
    if splits.shape != shape:
        raise UserError(f"{file}: split is {splits.shape} and y {shape}; they must have equally many rows.")
    return splits


def _read(file: str, archive: np.lib.npyio.NpzFile, name: str, rule: str) -> np.ndarray:
    """An array of the archive; raises UserError that quotes ``rule`` where it is a pickle or damaged."""
    try:
        return archive[name]
    except DAMAGE as error:
        what = "is a pickle" if "Object arrays" in str(error) else "cannot be read"
        raise UserError(f"{file}: {rule}, but it {what}: {error}.") from error
