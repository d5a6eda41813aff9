"""A user's own data in a NumPy archive."""

import zipfile
import zlib
from hashlib import file_digest

import numpy as np

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.errors import UserError


def inspect_npz(*, file: str, split: str = "") -> Description:
    """Check an archive before anything runs; raises UserError with the reason if it cannot be used.

    Images are not decompressed for this: any uint8 is a valid pixel.
    """
    with _open(file) as archive:
        shape, dtype = _header(archive, "x")
        y, class_names = _labels(file, archive, split, shape, dtype)
        if len(shape) == 2:
            x = _read(file, archive, "x", "x must be readable")
            _check_finite(file, x[archive["split"] == split] if split else x)
    with open(file, "rb") as handle:
        digest = file_digest(handle, "blake2b").hexdigest()
    counts = np.bincount(y, minlength=len(class_names))
    return Description(
        modality="table" if len(shape) == 2 else "image",
        n_samples=len(y),
        n_classes=len(class_names),
        digest=digest,
        class_counts=tuple(counts.tolist()),
    )


@dataset(
    "npz",
    source="a local .npz file with x and y, optionally split and class_names",
    licence="the file's own",
    files=("file",),
    inspect=inspect_npz,
)
def npz(*, file: str, split: str = "") -> Pool:
    """Your own .npz file: x (images uint8 or a table of numbers), y (integers), optional split and class_names.

    split: use only the rows whose ``split`` has this value; all rows if empty.
    """
    with _open(file) as archive:
        x = _read(file, archive, "x", "x must be readable")
        y, class_names = _labels(file, archive, split, x.shape, x.dtype)
        if split:
            x = x[archive["split"] == split]
    if x.ndim == 2:
        _check_finite(file, x)
        x = x.astype(np.float32)
    return Pool(x, y.astype(np.int64), class_names)


def _open(file: str) -> np.lib.npyio.NpzFile:
    try:
        archive = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(
            f"the data file '{file}' does not exist; check the data set's 'file' and the key 'data_dir' "
            "(--config data_dir=DIR)."
        ) from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"the data file '{file}' cannot be read as a .npz archive: {error}.") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise UserError(f"the data file '{file}' is a single array, not a .npz archive with x and y.")
    for name in ("x", "y"):
        if name not in archive.files:
            raise UserError(f"{file}: there is no array '{name}'; x (samples) and y (labels) are needed.")
    return archive


def _header(archive: np.lib.npyio.NpzFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of an array in the archive, without decompressing it."""
    with archive.zip.open(f"{name}.npy") as member:
        major, _ = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    return shape, dtype


def _labels(
    file: str, archive: np.lib.npyio.NpzFile, split: str, shape: tuple[int, ...], dtype: np.dtype
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels of the chosen split and the class names, after checking them and the form of x."""
    y = _read(file, archive, "y", "y must be a vector of integer labels 0..C-1")
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise UserError(f"{file}: y must be a vector of integer labels 0..C-1, but it is {y.dtype} {y.shape}.")
    if shape[:1] != y.shape or len(y) == 0:
        raise UserError(f"{file}: x is {shape} and y {y.shape}; they must have equally many rows, at least one.")
    if y.min() < 0:
        raise UserError(f"{file}: y holds the negative label {y.min()}; labels count from 0.")
    is_image = dtype == np.uint8 and (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3))
    is_table = len(shape) == 2 and (np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating))
    if not (is_image or is_table):
        raise UserError(
            f"{file}: x is {dtype} {shape}; allowed are images, uint8 (N, H, W) or (N, H, W, 3), and tables of "
            "numbers (N, d)."
        )
    if split:
        splits = np.empty(0, str)
        if "split" in archive.files:
            splits = _read(file, archive, "split", "'split' must be a vector of strings, one a row")
            if splits.shape != y.shape:
                raise UserError(f"{file}: split is {splits.shape} and y {y.shape}; they must have equally many rows.")
        if split not in splits:
            there = ", ".join(map(str, np.unique(splits))) or "no array 'split' at all"
            raise UserError(f"{file}: no row has split '{split}'; there is: {there}.")
        y = y[splits == split]
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
    if len(np.unique(y)) < 2:
        raise UserError(f"{file}: y holds one class only; at least two are needed.")
    return y, tuple(map(str, names))


def _check_finite(file: str, x: np.ndarray) -> None:
    with np.errstate(over="ignore"):
        good = np.isfinite(x.astype(np.float32))
    if not good.all():
        row, column = np.argwhere(~good)[0]
        raise UserError(
            f"{file}: x[{row}, {column}] is {x[row, column]}; NaN, infinite values and numbers beyond single precision "
            "are not allowed."
        )


def _read(file: str, archive: np.lib.npyio.NpzFile, name: str, rule: str) -> np.ndarray:
    """An array of the archive; raises UserError that quotes ``rule`` where it is a pickle or damaged."""
    try:
        return archive[name]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        what = "is a pickle" if "Object arrays" in str(error) else "cannot be read"
        raise UserError(f"{file}: {rule}, but it {what}: {error}.") from error
