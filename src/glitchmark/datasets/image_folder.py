"""A user's own images in folders named like their classes."""

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.datasets._files import described, not_there
from glitchmark.datasets._square import square
from glitchmark.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# Folders that are splits; of those for tests, the first that is there is the test split.
TRAIN, TESTS = ("train", "training"), ("test", "testing", "val", "valid", "validation", "eval", "dev")
MODES = ("auto", "L", "RGB")
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")  # 16 bits a pixel


@dataclass(frozen=True)
class Listing:
    """The images of a folder: files, their classes int64 (N,), and whether they are of the test split, bool (N,)."""

    files: list[Path]
    y: np.ndarray
    is_test: np.ndarray
    class_names: tuple[str, ...]


def inspect_image_folder(*, folder: str, size: int = 0, mode: str = "auto") -> Description:
    """Check the names, sizes and digests of all images, without decoding them.

    Raises UserError with the reason if the folder cannot be used.
    """
    listing = _listing(folder)
    digest = blake2b()
    for file in listing.files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UserError(f"{file}: the image cannot be read: {error.strerror or error}.") from error
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    shape = _shape(listing.files, size, mode)
    return described(listing.y, listing.class_names, listing.is_test, shape, digest.hexdigest())


@dataset(
    "image_folder",
    modality="image",
    source="a local folder with one folder of images a class",
    licence="the folder's own",
    files=("folder",),
    inspect=inspect_image_folder,
)
def image_folder(*, folder: str, size: int = 0, mode: str = "auto") -> Pool:
    """Your own images, class/name.png, or train/class/name.png and test/class/name.png; jpg, gif, tif, webp and so on.

    Classes are the folders' names, sorted. A folder of the first level that is called like a split (train, training;
    test, testing, val, valid, validation, eval, dev; in capitals as well) is one: then there must be one to train and
    at least one to test and nothing else, each with the folders of all classes. The first to test, in the order above,
    is the test split; all others count as training data. Images may lie deeper inside their class. Hidden files, and
    files that do not end like an image, are ignored; a class without images is an error. Symbolic links are followed
    inside the folder and refused where they leave it.

    Of an animation the first image is taken; transparency is dropped; a stored orientation (EXIF) is not applied; of
    16 bits a pixel the upper 8 are taken (divided by 256).

    size: resize the shorter side to so many pixels (bilinear, with antialiasing) and cut out the centre; 0: all images
    must have the same size. mode: "L" (grey), "RGB", or "auto": grey if all images
    are, or have palettes of greys.
    """
    listing = _listing(folder)
    x = np.empty((len(listing.files), *_shape(listing.files, size, mode)), np.uint8)
    for i, file in enumerate(listing.files):
        with _opened(file) as image:
            image.load()
            x[i] = _pixels(file, image, "L" if x.ndim == 3 else "RGB", size)
    return Pool(
        x,
        listing.y,
        listing.class_names,
        is_test=listing.is_test if listing.is_test.any() else None,
        names=np.array([file.relative_to(folder).as_posix() for file in listing.files]),
    )


def _listing(folder: str) -> Listing:
    root = Path(folder)
    if not root.is_dir():
        raise not_there("folder", folder, "folder")
    parts = _parts(root)
    class_names = [path.name for path in _folders(parts[0][0])]
    if len(class_names) < 2:
        raise UserError(f"{parts[0][0]}: at least two folders, one a class, are needed; there is: {class_names}.")
    files, y, is_test = [], [], []
    for path, in_test in parts:
        other = [folder.name for folder in _folders(path)]
        if other != class_names:
            differing = sorted(set(other) ^ set(class_names))
            raise UserError(
                f"{path} and {parts[0][0]} must hold the same classes; in one only: {', '.join(differing)}."
            )
        for label, name in enumerate(class_names):
            found = _images(path / name, root)
            files += found
            y += [label] * len(found)
            is_test += [in_test] * len(found)
    return Listing(files, np.array(y, np.int64), np.array(is_test, bool), tuple(class_names))


def _parts(root: Path) -> list[tuple[Path, bool]]:
    """The folders that hold folders of classes, training data first, and whether each is the test split."""
    folders = _folders(root)
    names = [path.name.lower() for path in folders]
    splits = [path.name for path, name in zip(folders, names, strict=True) if name in TRAIN + TESTS]
    if not splits:
        return [(root, False)]
    flat = [path.name for path in folders if not _folders(path)]
    is_train = [name in TRAIN for name in names]
    if len(splits) < len(folders):
        wrong = f"beside {_listed(splits)} there is {_listed(path.name for path in folders if path.name not in splits)}"
    elif sum(is_train) != 1 or len(set(names)) < len(names) or len(names) < 2:
        wrong = f"there is {_listed(splits)}"
    elif flat:
        wrong = f"there are no folders of classes in {_listed(flat)}"
    else:
        test = min(set(names) - set(TRAIN), key=TESTS.index)
        return sorted(
            ((path, name == test) for path, name in zip(folders, names, strict=True)),
            key=lambda part: part[0].name.lower() not in TRAIN,
        )
    raise UserError(
        f"{root}: folders look like splits, but {wrong}; allowed are class folders alone, none of them called "
        f"{', '.join(TRAIN + TESTS)}, or one of {_listed(TRAIN)} and at least one of {_listed(TESTS)}, each with class "
        "folders in it."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))


def _images(folder: Path, root: Path) -> list[Path]:
    """The images in a class's folder, sorted by name."""
    found, inside, walked = [], root.resolve(), set()
    for path, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(path).resolve() in walked:
            raise UserError(f"{path}: symbolic links lead to this folder a second time; copy the files instead.")
        walked.add(Path(path).resolve())
        images = [n for n in names if not n.startswith(".") and n.lower().endswith(ENDINGS)]
        links = [entry for name in (*folders, *images) if (entry := Path(path, name)).is_symlink()]
        for entry in (Path(path), *links):
            if not _stays(entry, inside):
                raise UserError(f"{entry}: a symbolic link leads out of {root} or into itself; copy the files instead.")
        strange = [name for name in images if not _is_text(name)]
        if strange:
            raise UserError(f"{path}: the file name {strange[0]!r} is no UTF-8 text; rename it.")
        found += [Path(path, name) for name in images]
    if not found:
        raise UserError(f"{folder}: there is no image of this class (files that end in {', '.join(ENDINGS)}).")
    return sorted(found)


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:  # how Python hands on bytes that are no text
        return False


def _stays(path: Path, inside: Path) -> bool:
    target = path.resolve()
    # A link to a folder above itself would be walked for ever.
    return target.is_relative_to(inside) and not path.parent.resolve().is_relative_to(target)


@contextmanager
def _opened(file: Path) -> "Iterator[Image]":
    """An image whose header is read; UserError that names the file where that, or what is done with it, fails."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UserError(f"{file}: the image is too large: {str(error).split(',')[0]}; make it smaller.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's decoders raise
        raise UserError(f"{file}: the image cannot be read: {' '.join(str(error).split())}.") from error


def _shape(files: list[Path], size: int, mode: str) -> tuple[int, ...]:
    """The shape that each image will have, from the headers of all."""
    if mode not in MODES:
        raise UserError(f"'mode: {mode}' is unknown; allowed: {', '.join(MODES)}.")
    if size < 0:
        raise UserError(f"'size: {size}' must be 0 (as they are) or more pixels.")
    first, grey = None, True
    for file in files:
        with _opened(file) as image:
            sides, is_grey = image.size, _is_grey(image)
        first, grey = first or sides, grey and is_grey
        if not size and sides != first:
            raise UserError(
                f"{files[0]} has {first[0]}x{first[1]} pixels and {file} {sides[0]}x{sides[1]}; set 'size', to which "
                "all are resized and cut."
            )
    height_width = (size, size) if size else first[::-1]
    return height_width if mode == "L" or (mode == "auto" and grey) else (*height_width, 3)


def _is_grey(image: "Image") -> bool:
    """Whether an image, of which the header is read, has no colours; a palette counts with all its entries."""
    if image.mode != "P" or image.palette is None:
        return image.mode in ("1", "L", "LA", *DEEP)
    mode, entries = image.palette.getdata()  # of three or four bytes; getpalette would decode the image
    colours = np.frombuffer(entries, np.uint8).reshape(-1, len(mode))[:, :3]
    return bool((colours == colours[:, :1]).all())


def _pixels(file: Path, image: "Image", mode: str, size: int) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3)."""
    from PIL import Image

    if image.mode in DEEP:
        deep = np.asarray(image)
        if deep.max() > 65535 or deep.min() < 0:
            raise UserError(f"{file}: the image has more than 16 bits a pixel; save it with 8 or 16.")
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise UserError(f"{file}: the image has floating-point pixels; save it with 8 or 16 bits a pixel.")
    image = image.convert(mode)
    return np.asarray(square(image, size) if size else image)
