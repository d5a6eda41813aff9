"""Pools from the data set classes of torchvision, whose folders are laid out as torchvision lays them out."""

import inspect
from http.client import HTTPException
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from glitchmark.datasets import Pool
from glitchmark.datasets._square import square
from glitchmark.downloads import alone, is_network_error, reason, with_retries
from glitchmark.errors import CellError, Unavailable

# What torchvision's constructors raise for files that are missing, damaged or of another form.
FILE_ERRORS = (RuntimeError, OSError, HTTPException, ValueError, AssertionError, EOFError)
# Their test split is not there or has no labels: the validation split stands for it.
VALIDATION_AS_TEST = ("Imagenette", "ImageNet", "Places365", "CLEVRClassification")


def open_part(cls: type, cache: str, name: str, place: str, **options: Any) -> Any:
    """A torchvision data set, read from the cache, or downloaded into it where it is not there or damaged.

    cls: the class; it checks digests of what it downloads, and CIFAR's of what it reads. cache: its ``root``.
    name: the data set, for messages. place: where in the cache the class expects its files. options: keywords.
    Raises Unavailable, which says what was tried and where files are expected; CellError for options it does not have.
    """
    known = parameters(cls)
    unknown = [key for key in options if key not in known]
    if unknown:
        raise CellError(
            f"data set '{name}': torchvision's {cls.__name__} has no option '{unknown[0]}'; it has: "
            f"{', '.join(key for key in known if key not in ('self', 'root', 'download'))}."
        )
    root = Path(cache).absolute()
    options |= {"root": str(root)}
    try:
        return cls(**options, **({"download": False} if "download" in known else {}))
    except FILE_ERRORS as error:
        if "Valid values are" in str(error):
            raise CellError(f"data set '{name}': torchvision's {cls.__name__}: {reason(error)}.") from error
        if "download" not in known:
            raise Unavailable(
                f"data set '{name}' cannot be read from {root / place} ({reason(error)}), and torchvision does not "
                f"download it; put its files there as the documentation of torchvision's {cls.__name__} says."
            ) from error
    try:
        with alone(root):
            return with_retries(lambda: cls(**options, download=True))
    except FILE_ERRORS as error:
        raise _failure(error, cls, root, name, place) from error


def _failure(error: Exception, cls: type, root: Path, name: str, place: str) -> Unavailable:
    if isinstance(error, OSError) and error.errno and not is_network_error(error):
        return Unavailable(f"data set '{name}' cannot be read from or written to {root / place}: {reason(error)}.")
    if not is_network_error(error):
        return Unavailable(
            f"data set '{name}' cannot be read from {root / place} ({reason(error)}); the files there are damaged, or "
            "of another form: remove them, so that they are downloaded again."
        )
    tried = ", ".join(addresses(cls)) or f"the address in torchvision's {cls.__name__}"
    expected = " or ".join(filter(None, (place, getattr(cls, "filename", "")))) or "what torchvision keeps in its root"
    return Unavailable(
        f"data set '{name}' is not in {root / place}, or damaged, and cannot be downloaded; tried {tried} "
        f"({reason(error)}); go online, or name a folder that holds it as torchvision lays it out: "
        f"--config cache_dir=DIR, where DIR contains {expected}."
    )


def parameters(cls: type) -> dict[str, inspect.Parameter]:
    """What a class' constructor takes, with what its bases take where it hands ``**kwargs`` on to them."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        own = inspect.signature(base.__init__).parameters if "__init__" in vars(base) else {}
        found = {key: p for key, p in own.items() if p.kind is not inspect.Parameter.VAR_KEYWORD} | found
        if own and all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in own.values()):
            break
    return found


def addresses(cls: type) -> list[str]:
    """The web addresses that a class names in its attributes, or else its nearest base that names any."""
    for base in cls.__mro__:
        found = [
            text for value in vars(base).values() for text in _texts(value) if text.startswith(("http:", "https:"))
        ]
        if found:
            return list(dict.fromkeys(found))
    return []


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def train_and_test(cls: type, cache: str, name: str, place: str) -> Pool:
    """Training and test images of a class that holds them as one array, such as MNIST and CIFAR-10.

    cls: its objects have ``data``, uint8 (n, H, W) or (n, H, W, 3), ``targets`` and ``classes``. Others: see
    :func:`open_part`. Memory holds at most the pool and what torchvision keeps of the images that are read last.
    """
    x, labels, is_test = np.empty(0, np.uint8), [], []
    for piece, train in _pieces(cls):
        part = open_part(piece, cache, name, place, train=train)
        images, targets = np.asarray(part.data), np.asarray(part.targets, dtype=np.int64)
        if images.dtype != np.uint8 or len(images) != len(targets) or x.shape[1:] not in ((), images.shape[1:]):
            raise Unavailable(
                f"data set '{name}': {Path(cache).absolute() / place} holds images {images.dtype} {images.shape} and "
                f"{len(targets)} labels; expected are uint8, as many labels, and one shape in both splits. Remove the "
                "files there, so that they are downloaded again."
            )
        x = _longer(x, len(images), images.shape[1:])
        # CIFAR's lie channel by channel in memory, and are copied so three times as fast as pixel by pixel.
        for channel in np.ndindex(images.shape[3:]):
            x[len(x) - len(images) :, ..., *channel] = images[..., *channel]
        labels.append(targets)
        is_test.append(np.full(len(targets), not train))
        class_names = tuple(map(str, part.classes))
        del part, images  # before the next ones are read
    return Pool(x, np.concatenate(labels), class_names, is_test=np.concatenate(is_test))


def _pieces(cls: type) -> list[tuple[type, bool]]:
    """Classes that read ``cls`` piece by piece, with their ``train``: CIFAR's files one by one, others by split.

    All of CIFAR's training files at once would be in memory twice, and each split would check the digests of all.
    """
    files = [(file, True) for file in getattr(cls, "train_list", ())]
    files += [(file, False) for file in getattr(cls, "test_list", ())]
    lists = [({"train_list": [file] * train, "test_list": [file] * (not train)}, train) for file, train in files]
    return [(type(cls.__name__, (cls,), own), train) for own, train in lists] or [(cls, True), (cls, False)]


def by_sample(cls: type, cache: str, options: dict[str, Any], size: int) -> Pool:
    """All samples of a classification set, one after another; its classes are those that have samples.

    options: the user's own, beside those of :func:`splits`. size: see :func:`square`; 0 leaves images as they are.
    Raises CellError for images of several sizes without a ``size``, and for targets that are no class labels.
    """
    x, mode, labels, is_test = np.empty(0, np.uint8), "", [], []
    for test, chosen in splits(cls, options):
        part = open_part(cls, cache, cls.__name__, "", **options, **chosen)
        start = len(x)
        for i in range(len(part)):
            try:
                image, target = part[i]
            except OSError as error:
                raise Unavailable(
                    f"{cls.__name__}: its image {i} in {Path(cache).absolute()} cannot be read ({reason(error)}); "
                    "remove the set's folder there, so that it is extracted or downloaded again."
                ) from error
            mode = mode or ("L" if image.mode in ("1", "L") else "RGB")
            if mode == "L" and image.mode not in ("1", "L"):
                raise CellError(
                    f"{cls.__name__}: sample {i} is in colour and the first one is grey; all must be either"
                )
            image = square(image, size) if size else image
            if i == 0:
                x = _longer(x, len(part), x.shape[1:] or np.asarray(image.convert(mode)).shape)
            if image.size != (x.shape[2], x.shape[1]):
                raise CellError(
                    f"the images of {cls.__name__} differ in size: {x.shape[2]}x{x.shape[1]} and {image.width}x"
                    f"{image.height} pixels; add 'size: 224', or another number, to the data set's entry, which "
                    "resizes the shorter side and crops the centre."
                )
            x[start + i] = np.asarray(image.convert(mode))
            labels.append(_label(target, cls, chosen))
        is_test += [test] * len(part)
        classes = getattr(part, "classes", None)
        del part
    present, y = np.unique(np.array(labels, np.int64), return_inverse=True)
    named = isinstance(classes, list | tuple) and len(classes) > present.max(initial=-1)
    class_names = tuple(_class_name(classes[k]) if named else str(k) for k in present)
    return Pool(x, y.astype(np.int64), class_names, np.array(is_test) if any(is_test) else None)


def splits(cls: type, options: dict[str, Any]) -> list[tuple[bool, dict[str, Any]]]:
    """Which keywords give a class' training part and its test part: pairs of is_test and keywords.

    A class without ``train`` and ``split``, or a ``split`` among the user's options, gives one part, which is no test
    part.
    """
    known = parameters(cls)
    if "train" in known:
        return [(False, {"train": True}), (True, {"train": False})]
    if "split" in known and "split" not in options:
        default = str(known["split"].default)
        training = default if default.startswith("train") else "train"  # some name it "trainval", "train-standard"
        test = "val" if any(base.__name__ in VALIDATION_AS_TEST for base in cls.__mro__) else "test"
        return [(False, {"split": training}), (True, {"split": test})]
    return [(False, {})]


def _longer(x: np.ndarray, more: int, shape: tuple[int, ...]) -> np.ndarray:
    # In place: concatenation would hold all images twice.
    x.resize((len(x) + more, *shape), refcheck=False)
    return x


def _label(target: Any, cls: type, chosen: dict[str, Any]) -> int:
    try:
        label = index(target)
    except TypeError:
        label = -1
    if label < 0:
        raise CellError(
            f"{cls.__name__} ({', '.join(f'{k}={v}' for k, v in chosen.items()) or 'all'}) has a sample with the "
            f"target {target!r}, which is no class label; choose other 'options', such as {{split: train}}."
        )
    return label


def _class_name(name: Any) -> str:
    return ", ".join(name) if isinstance(name, list | tuple) else str(name)
