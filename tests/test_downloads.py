"""Downloaded data sets, offline: their real parsing code on files laid out as the sources lay them out.

Digests are checked in every test. Files made here cannot have the published ones, so a class made here, which inherits
all code from torchvision's, or an argument, names the digest of the made file instead.
"""

import bz2
import gzip
import io
import os
import pickle
import socket
import struct
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import md5, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image

from glitchmark import downloads, registry
from glitchmark.datasets import imagenet_dogs
from glitchmark.datasets._checks import check_pool
from glitchmark.datasets._cifar_n import LabelFile, checked, with_human_labels
from glitchmark.datasets._square import square
from glitchmark.datasets._torchvision import addresses, by_sample, open_part, parameters, splits, train_and_test
from glitchmark.datasets.cifar10n import LABELS, inspect_cifar10n
from glitchmark.datasets.imagenet_dogs import BREEDS, extracted, inspect_imagenet_dogs, read_folders
from glitchmark.datasets.torchvision import CLASSES, inspect_torchvision
from glitchmark.downloads import fetch, is_network_error, unpack, with_retries
from glitchmark.errors import CellError, Unavailable, UserError

NOWHERE = "http://127.0.0.1:9/"  # the discard port: nothing listens there
DOWNLOADED = ("mnist", "fashion_mnist", "cifar10", "cifar10n", "cifar100n", "imagenet_dogs")


# Files as the sources lay them out


def idx(array: np.ndarray) -> bytes:
    """A uint8 array in the IDX format of MNIST (http://yann.lecun.com/exdb/mnist/): big-endian header, then data."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist_class(root: Path, rng, base="MNIST", n=(30, 10), size=28):
    """A subclass of a torchvision class that knows the .gz files written here; and images and labels by split."""
    import torchvision.datasets

    cls = type(base, (getattr(torchvision.datasets, base),), {"mirrors": [NOWHERE], "resources": []})
    folder, made = root / base / "raw", []
    folder.mkdir(parents=True)
    for split, count in zip(("train", "t10k"), n, strict=True):
        x = rng.integers(0, 256, (count, size, size), dtype=np.uint8)
        y = (np.arange(count) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", x), ("labels-idx1", y)):
            content = gzip.compress(idx(array))
            (folder / f"{split}-{kind}-ubyte.gz").write_bytes(content)
            cls.resources.append((f"{split}-{kind}-ubyte.gz", md5(content).hexdigest()))
        made.append((x, y))
    return cls, made


class Python2Pickler(pickle._Pickler):
    """Pickles text and bytes as Python 2 did, which wrote CIFAR's batches: both as its one type of byte strings."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_string(self, text):
        """One BINSTRING."""
        content = text.encode("latin1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    def reducer_override(self, value):
        """NumPy's own reduction, whose state holds the pixels as bytes."""
        return value.__reduce__() if isinstance(value, np.ndarray) else NotImplemented

    dispatch[str] = dispatch[bytes] = save_string


def python2_pickle(value) -> bytes:
    """``value`` in protocol 2, as Python 2 wrote it."""
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def cifar_class(root: Path, rng, base="CIFAR10", n_train=20, n_test=20):
    """A subclass of torchvision's class that knows the batches written here; images and labels of all batches.

    n_train, n_test: images in each file. Real ones: 10000 each in CIFAR-10, 50000 and 10000 in CIFAR-100.
    """
    import torchvision.datasets

    parent = getattr(torchvision.datasets, base)
    folder = root / parent.base_folder
    folder.mkdir(parents=True)
    n_classes, key = (10, "labels") if base == "CIFAR10" else (100, "fine_labels")
    x, y, lists = [], [], []
    for files, n in ((parent.train_list, n_train), (parent.test_list, n_test)):
        lists.append([])
        for file, _ in files:
            pixels = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
            labels = rng.integers(0, n_classes, n).tolist()
            batch = {"batch_label": file, key: labels, "data": pixels, "filenames": ["a.png"] * n}
            content = python2_pickle(batch)
            (folder / file).write_bytes(content)
            lists[-1].append([file, md5(content).hexdigest()])
            x.append(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            y += labels
    names = [f"class {i}" for i in range(n_classes)]
    meta = python2_pickle({parent.meta["key"]: names})
    (folder / parent.meta["filename"]).write_bytes(meta)
    known = {
        "train_list": lists[0],
        "test_list": lists[1],
        "meta": parent.meta | {"md5": md5(meta).hexdigest()},
        "url": NOWHERE + parent.filename,
    }
    return type(base, (parent,), known), np.concatenate(x), np.array(y)


def usps_class(root: Path, rng, n=(20, 10)):
    """A subclass of torchvision's USPS that knows the .bz2 files written here, in LIBSVM's text format."""
    from torchvision.datasets import USPS

    lists, made = {}, []
    for split, file, count in (("train", "usps.bz2", n[0]), ("test", "usps.t.bz2", n[1])):
        labels = 1 + np.arange(count) % 10
        values = rng.uniform(-1, 1, (count, 256))
        lines = [
            f"{label} " + " ".join(f"{j + 1}:{v:.4f}" for j, v in enumerate(row)) + " \n"
            for label, row in zip(labels, values, strict=True)
        ]
        content = bz2.compress("".join(lines).encode())
        (root / file).write_bytes(content)
        lists[split] = [NOWHERE + file, file, md5(content).hexdigest()]
        made.append(labels - 1)
    return type("USPS", (USPS,), {"split_list": lists}), np.concatenate(made)


def jpeg(size: tuple[int, int], colour=(200, 30, 60), mode="RGB") -> bytes:
    """A JPEG file of one colour."""
    file = io.BytesIO()
    Image.new(mode, size, colour if mode == "RGB" else colour[0]).save(file, "JPEG", quality=95)
    return file.getvalue()


def tgz(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> str:
    """A .tgz file with these members; its SHA-256."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return sha256(path.read_bytes()).hexdigest()


def woof(size=(40, 32), n_train=2, n_val=1) -> dict[str, bytes]:
    """Members of imagewoof2-320.tgz on a small scale; the colour of an image tells its breed."""
    members = {"imagewoof2-320/noisy_imagewoof.csv": b"path,noisy_labels_0\n"}
    for split, n in (("train", n_train), ("val", n_val)):
        for label, synset in enumerate(BREEDS):
            for i in range(n):
                colour = (20 * label, 100, 255 - 20 * label)
                members[f"imagewoof2-320/{split}/{synset}/{synset}_{i}.JPEG"] = jpeg(size, colour)
    return members


@contextmanager
def server(answers: list[bytes | int]):
    """A web server on this machine that gives these answers one after another (an int: a status), the last for ever.

    Yields its address and the list of paths that were asked for.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers[min(len(asked), len(answers) - 1)]
            asked.append(self.path)
            self.send_response(200 if isinstance(answer, bytes) else answer)
            content = answer if isinstance(answer, bytes) else b""
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/", asked
        http.shutdown()


@pytest.fixture
def rng():
    """The same numbers in every run."""
    return np.random.default_rng(7)


@pytest.fixture
def impatient(monkeypatch):
    """No waiting between tries."""
    monkeypatch.setattr(downloads.time, "sleep", lambda _: None)


# MNIST and Fashion-MNIST


@pytest.mark.parametrize("base", ["MNIST", "FashionMNIST"])
@pytest.mark.parametrize("seed", [0, 1])
def test_idx_files_become_a_pool(tmp_path, base, seed):
    cls, ((x_train, y_train), (x_test, y_test)) = mnist_class(tmp_path, np.random.default_rng(seed), base)
    pool = train_and_test(cls, str(tmp_path), "it", f"{base}/raw")
    assert pool.x.dtype == np.uint8
    assert pool.y.dtype == np.int64
    np.testing.assert_array_equal(pool.x, np.concatenate([x_train, x_test]))
    np.testing.assert_array_equal(pool.y, np.concatenate([y_train, y_test]))
    np.testing.assert_array_equal(pool.is_test, np.arange(40) >= 30)
    assert pool.class_names == tuple(cls.classes)
    assert pool.x.flags.c_contiguous


def test_idx_file_with_another_digest_is_not_read(tmp_path, rng, impatient):
    cls, _ = mnist_class(tmp_path, rng)
    path = tmp_path / "MNIST/raw/t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(Unavailable, match=r"damaged, and cannot be downloaded; tried http://127\.0\.0\.1:9/"):
        train_and_test(cls, str(tmp_path), "mnist", "MNIST/raw")


def test_damaged_idx_file_is_an_error_that_says_what_to_remove(tmp_path, rng, impatient):
    cls, _ = mnist_class(tmp_path, rng)
    train_and_test(cls, str(tmp_path), "mnist", "MNIST/raw")
    path = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(Unavailable, match=f"'mnist' cannot be read from {tmp_path}/MNIST/raw .*remove them"):
        train_and_test(cls, str(tmp_path), "mnist", "MNIST/raw")


def test_more_labels_than_images_is_an_error(tmp_path, rng):
    cls, _ = mnist_class(tmp_path, rng)
    train_and_test(cls, str(tmp_path), "mnist", "MNIST/raw")
    (tmp_path / "MNIST/raw/train-labels-idx1-ubyte").write_bytes(idx(np.zeros(31, np.uint8)))
    with pytest.raises(Unavailable, match=r"holds images uint8 \(30, 28, 28\) and 31 labels"):
        train_and_test(cls, str(tmp_path), "mnist", "MNIST/raw")


def test_pool_of_another_size_than_declared_is_an_error(tmp_path, rng):
    cls, _ = mnist_class(tmp_path, rng, size=20)
    pool = train_and_test(cls, str(tmp_path), "mnist", "MNIST/raw")
    with pytest.raises(CellError, match=r"70000 samples, not 40.*\(28, 28\), not \(20, 20\)"):
        check_pool(pool, registry.load("dataset", "mnist").info["inspect"](), "mnist")


# CIFAR-10 and CIFAR-100


@pytest.mark.parametrize(("base", "n"), [("CIFAR10", 120), ("CIFAR100", 40)])
def test_cifar_batches_become_a_pool(tmp_path, rng, base, n):
    cls, x, y = cifar_class(tmp_path, rng, base)
    pool = train_and_test(cls, str(tmp_path), "it", cls.base_folder)
    np.testing.assert_array_equal(pool.x, x)
    np.testing.assert_array_equal(pool.y, y)
    assert pool.x.flags.c_contiguous
    assert pool.y.dtype == np.int64
    np.testing.assert_array_equal(pool.is_test, np.arange(n) >= n - 20)
    assert pool.class_names[3] == "class 3"


def test_cifar_batch_with_another_digest_is_never_unpickled(tmp_path, rng, impatient):
    cls, _, _ = cifar_class(tmp_path, rng)
    marker = tmp_path / "executed"
    evil = type("Evil", (), {"__reduce__": lambda self: (os.mkdir, (str(marker),))})()
    (tmp_path / cls.base_folder / "data_batch_3").write_bytes(pickle.dumps(evil))
    with pytest.raises(Unavailable, match=r"where DIR contains cifar-10-batches-py or cifar-10-python.tar.gz\."):
        train_and_test(cls, str(tmp_path), "cifar10", cls.base_folder)
    assert not marker.exists()


def test_cifar_is_extracted_again_from_its_archive(tmp_path, rng):
    cls, x, _ = cifar_class(tmp_path, rng)
    folder = tmp_path / cls.base_folder
    tgz(tmp_path / cls.filename, {f"{cls.base_folder}/{p.name}": p.read_bytes() for p in folder.iterdir()})
    cls.tgz_md5 = md5((tmp_path / cls.filename).read_bytes()).hexdigest()
    (folder / "data_batch_2").write_bytes(b"damaged")
    np.testing.assert_array_equal(train_and_test(cls, str(tmp_path), "cifar10", cls.base_folder).x, x)


def test_cifar_is_downloaded_once(tmp_path, rng):
    cls, x, _ = cifar_class(tmp_path / "made", rng)
    folder = tmp_path / "made" / cls.base_folder
    tgz(tmp_path / "it.tgz", {f"{cls.base_folder}/{p.name}": p.read_bytes() for p in folder.iterdir()})
    content = (tmp_path / "it.tgz").read_bytes()
    cls.tgz_md5 = md5(content).hexdigest()
    with server([content]) as (address, asked):
        cls.url = address + cls.filename
        for _ in range(2):
            np.testing.assert_array_equal(train_and_test(cls, str(tmp_path / "new"), "it", cls.base_folder).x, x)
    assert len(asked) == 2  # one request for redirections, one for the file, none for the second pool


def test_read_only_cache_is_read(tmp_path, rng):
    cls, x, _ = cifar_class(tmp_path, rng)
    before = sorted(tmp_path.rglob("*"))
    np.testing.assert_array_equal(train_and_test(cls, str(tmp_path), "it", cls.base_folder).x, x)
    assert sorted(tmp_path.rglob("*")) == before


# CIFAR-10N and CIFAR-100N


def human_labels(clean: np.ndarray, key: str, n_wrong: int, n_classes: int, rng) -> dict[str, np.ndarray]:
    """Published labels: ``n_wrong`` of them are another class than the true one."""
    noisy = clean.copy()
    wrong = rng.choice(len(clean), n_wrong, replace=False)
    noisy[wrong] = (noisy[wrong] + rng.integers(1, n_classes, n_wrong)) % n_classes
    return {"clean_label": clean, key: noisy}


def label_file(root: Path, labels, name="CIFAR-10_human.pt") -> LabelFile:
    """The labels written with torch.save, as the authors did, where the cache keeps them."""
    import torch

    (root / "CIFAR-N").mkdir(exist_ok=True)
    torch.save(labels, root / "CIFAR-N" / name)
    return LabelFile(name, sha256((root / "CIFAR-N" / name).read_bytes()).hexdigest(), NOWHERE)


@pytest.mark.parametrize(
    ("base", "n_classes", "n", "key"), [("CIFAR10", 10, 100, "worse_label"), ("CIFAR100", 100, 20, "noisy_label")]
)
def test_human_labels_join_the_training_images(tmp_path, rng, base, n_classes, n, key):
    cls, _, y = cifar_class(tmp_path, rng, base)
    labels = human_labels(y[:n], key, n // 4, n_classes, rng)
    file = label_file(tmp_path, labels)
    pool = train_and_test(cls, str(tmp_path), "it", cls.base_folder)
    named = with_human_labels(pool, str(tmp_path), file, key, 25.0, "it")
    assert named.annotated.dtype == np.int64
    np.testing.assert_array_equal(named.y, y)
    np.testing.assert_array_equal(named.annotated[:n], labels[key])
    np.testing.assert_array_equal(named.annotated[n:], y[n:])
    assert (named.annotated != named.y).sum() == n // 4


def test_label_file_with_another_digest_is_never_unpickled(tmp_path, rng, impatient):
    cls, _, y = cifar_class(tmp_path, rng)
    file = label_file(tmp_path, human_labels(y[:100], "aggre_label", 9, 10, rng))
    marker = tmp_path / "executed"
    evil = type("Evil", (), {"__reduce__": lambda self: (os.mkdir, (str(marker),))})()
    path = tmp_path / "CIFAR-N" / file.name
    path.write_bytes(pickle.dumps(evil))
    pool = train_and_test(cls, str(tmp_path), "it", cls.base_folder)
    with pytest.raises(Unavailable, match=f"{path} has another digest than was published, and downloading it from "):
        with_human_labels(pool, str(tmp_path), file, "aggre_label", 9.0, "it")
    assert not marker.exists()


CLEAN = np.arange(1000) % 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {"clean_label": d["clean_label"]}, "has 'clean_label' and 'aggre_label'"),
        (lambda d: list(d.values()), "has 'clean_label' and 'aggre_label'"),
        (lambda d: d | {"aggre_label": d["aggre_label"][:-1]}, "1000 whole numbers each"),
        (lambda d: d | {"aggre_label": d["aggre_label"] / 2}, "1000 whole numbers each"),
        (lambda d: d | {"clean_label": np.roll(d["clean_label"], 1)}, "'clean_label' has the labels of torchvision"),
        (lambda d: d | {"aggre_label": d["aggre_label"] + 1}, r"its labels are 0\.\.9"),
        (lambda d: d | {"aggre_label": d["clean_label"]}, r"9\.0 % of 'aggre_label' are wrong, but 0\.0 % are"),
    ],
)
def test_other_labels_than_published_are_refused(rng, change, message):
    labels = human_labels(CLEAN, "aggre_label", 90, 10, rng)
    np.testing.assert_array_equal(checked(labels, "aggre_label", CLEAN, 10, 9.0, "x.pt"), labels["aggre_label"])
    with pytest.raises(CellError, match=f"^x.pt is not the published label file.*{message}"):
        checked(change(labels), "aggre_label", CLEAN, 10, 9.0, "x.pt")


def test_labels_of_other_integer_types_become_int64(rng):
    labels = human_labels(CLEAN, "aggre_label", 90, 10, rng)
    small = {key: value.astype(np.uint8) for key, value in labels.items()}
    given = checked(small, "aggre_label", CLEAN, 10, 9.0, "x.pt")
    assert given.dtype == np.int64
    np.testing.assert_array_equal(given, labels["aggre_label"])


def test_unknown_human_labels_are_refused_before_anything_runs():
    with pytest.raises(UserError, match="no 'wrost' labels; did you mean 'worst'"):
        inspect_cifar10n(labels="wrost")
    assert all(inspect_cifar10n(labels=labels).human_noise for labels in LABELS)


# ImageNet-Dogs


def test_imagewoof_archive_becomes_a_pool(tmp_path):
    digest = tgz(tmp_path / "imagewoof2-320.tgz", woof(n_train=2, n_val=1))
    pool = read_folders(extracted(str(tmp_path), NOWHERE, digest), 32)
    assert pool.x.shape == (30, 32, 32, 3)
    assert pool.x.dtype == np.uint8
    np.testing.assert_array_equal(pool.y, np.concatenate([np.repeat(np.arange(10), 2), np.arange(10)]))
    np.testing.assert_array_equal(pool.is_test, np.arange(30) >= 20)
    colours = np.stack([20 * pool.y, np.full(30, 100), 255 - 20 * pool.y], axis=1)
    assert np.abs(pool.x.astype(int) - colours[:, None, None]).max() <= 4  # JPEG
    assert pool.class_names[4:6] == ("Border terrier", "Australian terrier")
    assert not list(tmp_path.glob("*.partial"))


def test_imagewoof_is_extracted_once(tmp_path):
    digest = tgz(tmp_path / "imagewoof2-320.tgz", woof())
    folder = extracted(str(tmp_path), NOWHERE, digest)
    (tmp_path / "imagewoof2-320.tgz").unlink()
    assert extracted(str(tmp_path), NOWHERE, digest) == folder


def test_imagewoof_with_another_digest_is_not_extracted(tmp_path, impatient):
    tgz(tmp_path / "imagewoof2-320.tgz", woof())
    with pytest.raises(Unavailable, match="has another digest than was published"):
        extracted(str(tmp_path), NOWHERE, "0" * 64)
    assert not (tmp_path / "imagewoof2-320").exists()


def test_grey_jpeg_becomes_colour(tmp_path):
    members = woof()
    name = next(name for name in members if name.endswith(".JPEG"))
    members[name] = jpeg((50, 40), (90, 0, 0), "L")
    pool = read_folders(extracted(str(tmp_path), NOWHERE, tgz(tmp_path / "imagewoof2-320.tgz", members)), 24)
    assert np.abs(pool.x[0].astype(int) - 90).max() <= 2


def test_damaged_and_missing_images_are_errors(tmp_path):
    folder = extracted(str(tmp_path), NOWHERE, tgz(tmp_path / "imagewoof2-320.tgz", woof()))
    path = sorted((folder / "val" / "n02111889").iterdir())[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(Unavailable, match=f"{path} cannot be read as an image"):
        read_folders(folder, 32)
    path.unlink()
    with pytest.raises(Unavailable, match=r"val/n02111889 holds no \.JPEG image"):
        read_folders(folder, 32)


def test_size_of_dogs_is_checked_before_anything_runs():
    with pytest.raises(UserError, match="size: 0 must be"):
        inspect_imagenet_dogs(size=0)
    assert inspect_imagenet_dogs(size=64).shape == (64, 64, 3)


@pytest.mark.parametrize("size", [8, 16, 25])
@pytest.mark.parametrize("shape", [(16, 16), (16, 31), (40, 16), (33, 47)])
def test_square_is_the_centre(shape, size):
    # a ramp along the longer side: the middle of what is cropped is the middle of the ramp
    height, width = shape
    along = np.linspace(0, 255, max(shape)).astype(np.uint8)
    pixels = np.tile(along, (height, 1)) if width >= height else np.tile(along[:, None], (1, width))
    out = np.asarray(square(Image.fromarray(pixels), size), float)
    assert out.shape == (size, size)
    pixel = 255 / (max(shape) - 1) * min(shape) / size  # of the result, in levels of grey
    assert abs(out.mean() - 127.5) <= pixel / 2 + 1
    if size == min(shape):  # nothing is resampled
        start = (max(shape) - size) // 2
        line = out[0] if width >= height else out[:, 0]
        np.testing.assert_array_equal(line, along[start : start + size])


# Archives


def link(name: str, target: str, kind=tarfile.SYMTYPE) -> tarfile.TarInfo:
    """A link as a member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    """A device or pipe as a member."""
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"box/a": b"1", "../evil": b"1"}, "outside the destination"),
        ({"box/../../evil": b"1"}, "outside the destination"),
        ({"box/a": link("box/a", "/etc/passwd")}, "neither a file nor a folder"),
        ({"box/a": link("box/a", "b", tarfile.LNKTYPE)}, "neither a file nor a folder"),
        ({"box/a": special("box/a", tarfile.FIFOTYPE)}, "neither a file nor a folder"),
        ({"box/a": special("box/a", tarfile.CHRTYPE)}, "neither a file nor a folder"),
        ({f"box/{i}": b"" for i in range(21)}, "more than 20 members"),
        ({"box/a": bytes(500), "box/b": bytes(501)}, "or 1000 bytes"),
        ({"other/a": b"1"}, "No such file"),
    ],
)
def test_archives_that_break_a_rule_leave_nothing(tmp_path, members, message):
    cache = tmp_path / "cache"
    cache.mkdir()
    tgz(cache / "box.tgz", members)
    with pytest.raises(Unavailable, match=rf"box\.tgz cannot be extracted .*{message}"):
        unpack(cache / "box.tgz", cache / "box", max_members=20, max_bytes=1000)
    assert [path.name for path in cache.iterdir()] == ["box.tgz"]
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_absolute_paths_stay_in_the_folder(tmp_path):
    outside = tmp_path / "outside"
    tgz(tmp_path / "box.tgz", {"box/a": b"1", str(outside): b"1"})
    unpack(tmp_path / "box.tgz", tmp_path / "box", max_members=20, max_bytes=1000)
    assert not outside.exists()
    assert not list(tmp_path.glob("*.partial"))


def test_archive_up_to_its_limits_is_extracted(tmp_path):
    tgz(tmp_path / "box.tgz", {f"box/{i}": bytes(50) for i in range(20)})
    unpack(tmp_path / "box.tgz", tmp_path / "box", max_members=20, max_bytes=1000)
    assert len(list((tmp_path / "box").iterdir())) == 20


@pytest.mark.parametrize("keep", [0, 5, 40, -40])
def test_damaged_archive_leaves_nothing(tmp_path, keep):
    tgz(tmp_path / "box.tgz", {f"box/{i}": bytes(range(256)) for i in range(9)})
    path = tmp_path / "box.tgz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Unavailable, match=r"box\.tgz cannot be extracted .*remove it"):
        unpack(path, tmp_path / "box", max_members=20, max_bytes=10**6)
    assert [p.name for p in tmp_path.iterdir()] == ["box.tgz"]


def test_limits_admit_the_real_archive():
    assert imagenet_dogs.LIMITS["max_members"] > 12954 + 24
    assert imagenet_dogs.LIMITS["max_bytes"] > 2 * 328387740


# Any torchvision set


def test_torchvision_set_by_name_with_train(tmp_path, rng):
    cls, y = usps_class(tmp_path, rng)
    pool = by_sample(cls, str(tmp_path), {}, 0)
    assert pool.x.shape == (30, 16, 16)
    np.testing.assert_array_equal(pool.y, y)
    np.testing.assert_array_equal(pool.is_test, np.arange(30) >= 20)
    assert pool.class_names == tuple("0123456789")
    np.testing.assert_array_equal(pool.x[:20], cls(str(tmp_path), train=True).data)


def test_torchvision_set_of_one_size_can_be_resized(tmp_path, rng):
    cls, _ = usps_class(tmp_path, rng)
    assert by_sample(cls, str(tmp_path), {}, 9).x.shape == (30, 9, 9)


def test_emnist_hands_its_split_on_and_drops_its_empty_class(tmp_path, rng):
    from torchvision.datasets import EMNIST

    made = {}
    (tmp_path / "EMNIST" / "raw").mkdir(parents=True)
    for part, n in (("train", 52), ("test", 26)):
        x, y = rng.integers(0, 256, (n, 28, 28), np.uint8), (1 + np.arange(n) % 26).astype(np.uint8)
        for kind, array in (("images-idx3", x), ("labels-idx1", y)):
            (tmp_path / "EMNIST" / "raw" / f"emnist-letters-{part}-{kind}-ubyte").write_bytes(idx(array))
        made[part] = x
    pool = by_sample(EMNIST, str(tmp_path), {"split": "letters"}, 0)
    assert pool.class_names == tuple("abcdefghijklmnopqrstuvwxyz")  # torchvision's class 0 is "N/A"
    np.testing.assert_array_equal(pool.y[:26], np.arange(26))
    np.testing.assert_array_equal(pool.x, np.concatenate([made["train"], made["test"]]))
    assert pool.is_test.sum() == 26


def image_folder(root: Path, cls_folder: str, classes, n=2, size=lambda i: (12, 12)) -> None:
    """Images in a folder a class."""
    i = 0
    for name in classes:
        (root / cls_folder / name).mkdir(parents=True)
        for j in range(n):
            (root / cls_folder / name / f"{name}_{j}.JPEG").write_bytes(jpeg(size(i)))
            i += 1


def test_torchvision_set_with_split(tmp_path):
    from torchvision.datasets import Imagenette

    synsets = list(Imagenette._WNID_TO_CLASS)
    image_folder(tmp_path, "imagenette2-320/train", synsets, 3)
    image_folder(tmp_path, "imagenette2-320/val", synsets, 1)
    for path in tmp_path.rglob("*.JPEG"):
        path.rename(path.with_suffix(".jpeg"))
    pool = by_sample(Imagenette, str(tmp_path), {"size": "320px"}, 0)
    assert pool.x.shape == (40, 12, 12, 3)
    assert pool.is_test.sum() == 10
    assert pool.class_names[:2] == ("tench, Tinca tinca", "English springer, English springer spaniel")
    alone = by_sample(Imagenette, str(tmp_path), {"size": "320px", "split": "val"}, 0)
    assert alone.is_test is None
    assert len(alone.y) == 10


def test_torchvision_set_without_splits(tmp_path):
    from torchvision.datasets import EuroSAT

    image_folder(tmp_path, "eurosat/2750", ["Forest", "River", "SeaLake"], 2)
    for path in tmp_path.rglob("*.JPEG"):
        path.rename(path.with_suffix(".jpg"))
    pool = by_sample(EuroSAT, str(tmp_path), {}, 0)
    assert pool.is_test is None
    assert pool.class_names == ("Forest", "River", "SeaLake")
    np.testing.assert_array_equal(pool.y, [0, 0, 1, 1, 2, 2])


def test_images_of_several_sizes_need_a_size(tmp_path):
    from torchvision.datasets import EuroSAT

    image_folder(tmp_path, "eurosat/2750", ["a", "b"], 2, lambda i: (12 + i, 10))
    for path in tmp_path.rglob("*.JPEG"):
        path.rename(path.with_suffix(".jpg"))
    with pytest.raises(CellError, match="EuroSAT differ in size: 12x10 and 13x10 pixels; add 'size: 224'"):
        by_sample(EuroSAT, str(tmp_path), {}, 0)
    assert by_sample(EuroSAT, str(tmp_path), {}, 10).x.shape == (4, 10, 10, 3)


def test_damaged_image_of_a_torchvision_set_is_an_error(tmp_path):
    from torchvision.datasets import EuroSAT

    image_folder(tmp_path, "eurosat/2750", ["a", "b"], 2)
    for path in tmp_path.rglob("*.JPEG"):
        path.rename(path.with_suffix(".jpg"))
    (tmp_path / "eurosat/2750/b/b_0.jpg").write_bytes(b"no image")
    with pytest.raises(Unavailable, match=f"EuroSAT: its image 2 in {tmp_path} cannot be read"):
        by_sample(EuroSAT, str(tmp_path), {}, 0)


def in_memory(images, targets, classes=None):
    """A class such as torchvision's, without any file."""

    class Memory:
        def __init__(self, root):
            if classes:
                self.classes = classes

        def __len__(self):
            return len(images)

        def __getitem__(self, i):
            return images[i], targets[i]

    return Memory


def test_targets_that_are_no_labels_are_refused():
    grey = [Image.new("L", (4, 4))] * 2
    for target in (None, -1, (1, 2), "cat", 1.5):
        with pytest.raises(CellError, match="no class label"):
            by_sample(in_memory(grey, [0, target]), "cache", {}, 0)


def test_colour_after_grey_is_refused_and_grey_after_colour_becomes_colour():
    grey, colour = Image.new("L", (4, 4), 9), Image.new("RGB", (4, 4), (1, 2, 3))
    with pytest.raises(CellError, match="in colour and the first one is grey"):
        by_sample(in_memory([grey, colour], [0, 1]), "cache", {}, 0)
    pool = by_sample(in_memory([colour, grey], [0, 1]), "cache", {}, 0)
    np.testing.assert_array_equal(pool.x[:, 0, 0], [[1, 2, 3], [9, 9, 9]])


def test_classes_are_those_with_samples():
    images = [Image.new("L", (4, 4))] * 3
    pool = by_sample(in_memory(images, [5, np.int64(2), 5], list("abcdef")), "cache", {}, 0)
    assert pool.class_names == ("c", "f")
    np.testing.assert_array_equal(pool.y, [1, 0, 1])


def test_splits_of_torchvision_classes():
    from torchvision import datasets

    def split(name, **options):
        return [(test, *chosen.values()) for test, chosen in splits(getattr(datasets, name), options)]

    assert split("CIFAR10") == [(False, True), (True, False)]
    assert split("EMNIST", split="letters") == [(False, True), (True, False)]
    assert split("SVHN") == [(False, "train"), (True, "test")]
    assert split("SVHN", split="extra") == [(False,)]
    assert split("OxfordIIITPet") == [(False, "trainval"), (True, "test")]
    assert split("Places365") == [(False, "train-standard"), (True, "val")]
    assert split("LFWPeople") == [(False, "train"), (True, "test")]
    assert split("ImageNet") == [(False, "train"), (True, "val")]
    assert split("EuroSAT") == [(False,)]


def test_options_that_a_class_does_not_have_are_refused(tmp_path, rng):
    cls, _ = usps_class(tmp_path, rng)
    with pytest.raises(CellError, match="torchvision's USPS has no option 'split'; it has: train"):
        by_sample(cls, str(tmp_path), {"split": "test"}, 0)
    from torchvision.datasets import SVHN

    with pytest.raises(CellError, match=r"Unknown value 'tset' for argument split\. Valid values are"):
        by_sample(SVHN, str(tmp_path), {"split": "tset"}, 0)


def test_every_class_that_can_be_named_is_there_and_no_classification_set_is_left_out():
    from torchvision import datasets

    # detection, segmentation, captions, video, flow, stereo, matching, attributes, and what is no data set of its own
    other = """
    LSUN LSUNClass ImageFolder DatasetFolder FakeData CocoCaptions CocoDetection MovingMNIST PhotoTour SBU
    Flickr8k Flickr30k VOCSegmentation VOCDetection Cityscapes CelebA WIDERFace SBDataset VisionDataset Kinetics HMDB51
    UCF101 Kitti LFWPairs KittiFlow Sintel FlyingChairs FlyingThings3D HD1K Kitti2012Stereo CarlaStereo Kitti2015Stereo
    Middlebury2014Stereo CREStereo FallingThingsStereo SceneFlowStereo SintelStereo InStereo2k ETH3DStereo
    wrap_dataset_for_transforms_v2
    """
    assert sorted((*CLASSES, *other.split())) == sorted(datasets.__all__)
    for name in CLASSES:
        assert "root" in parameters(getattr(datasets, name)), name


def test_named_sets_are_checked_before_anything_runs():
    with pytest.raises(UserError, match="no classification set 'EMNSIT'; did you mean 'EMNIST'"):
        inspect_torchvision(dataset="EMNSIT")
    with pytest.raises(UserError, match="options: 'letters' must be a mapping"):
        inspect_torchvision(dataset="EMNIST", options="letters")
    with pytest.raises(UserError, match=r"options\.root: glitchmark sets 'root' itself"):
        inspect_torchvision(dataset="EMNIST", options={"root": "x"})
    with pytest.raises(UserError, match="size: -1"):
        inspect_torchvision(dataset="EMNIST", size=-1)
    assert inspect_torchvision(dataset="EMNIST", options={"split": "letters"}).modality == "image"


# Downloads


def test_file_is_downloaded_once_and_checked(tmp_path):
    content = bytes(range(256)) * 10
    with server([content]) as (address, asked):
        for _ in range(2):
            path = fetch(address + "a.bin", tmp_path / "sub" / "a.bin", sha256(content).hexdigest(), "it", "wait")
            assert path.read_bytes() == content
    assert asked == ["/a.bin"]
    assert sorted(p.name for p in (tmp_path / "sub").iterdir()) == [".lock", "a.bin"]


def test_processes_that_need_the_same_file_download_it_once(tmp_path):
    content = bytes(10**6)
    with server([content]) as (address, asked), ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(fetch, address, tmp_path / "a.bin", sha256(content).hexdigest(), "it", "wait") for _ in range(4)
        ]
        assert {job.result() for job in jobs} == {tmp_path / "a.bin"}
    assert len(asked) == 1


def test_damaged_file_is_downloaded_again(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"half of i")
    with server([b"half of it, and the rest"]) as (address, _):
        fetch(address, tmp_path / "a.bin", sha256(b"half of it, and the rest").hexdigest(), "it", "wait")
    assert (tmp_path / "a.bin").read_bytes() == b"half of it, and the rest"


def test_wrong_digest_is_tried_once_more_and_then_an_error(tmp_path):
    with server([b"wrong"]) as (address, asked), pytest.raises(Unavailable) as error:
        fetch(address, tmp_path / "a.bin", "0" * 64, "it", "wait")
    assert f"a.bin does not exist, and downloading it from {address} failed (invalid hash value" in str(error.value)
    assert len(asked) == 2
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_wrong_digest_then_right(tmp_path):
    with server([b"wrong", b"right"]) as (address, asked):
        fetch(address, tmp_path / "a.bin", sha256(b"right").hexdigest(), "it", "wait")
    assert len(asked) == 2


def test_failing_server_is_asked_three_times(tmp_path, impatient):
    with server([503, 502, b"right"]) as (address, asked):
        fetch(address, tmp_path / "a.bin", sha256(b"right").hexdigest(), "it", "wait")
    assert len(asked) == 3
    with server([503]) as (address, asked), pytest.raises(Unavailable, match="503"):
        fetch(address, tmp_path / "b.bin", "0" * 64, "it", "wait")
    assert len(asked) == 3


def test_file_that_is_gone_is_asked_for_once(tmp_path):
    with server([404]) as (address, asked), pytest.raises(Unavailable, match="404"):
        fetch(address, tmp_path / "a.bin", "0" * 64, "it", "wait")
    assert len(asked) == 1


def test_waits_grow_between_tries(monkeypatch):
    waited, tries = [], []
    monkeypatch.setattr(downloads.time, "sleep", waited.append)

    def fail():
        tries.append(socket.getdefaulttimeout())
        raise URLError("down")

    with pytest.raises(URLError):
        with_retries(fail)
    assert waited == list(downloads.WAITS)
    assert waited == sorted(waited)
    assert tries == [downloads.TIMEOUT] * 3
    assert socket.getdefaulttimeout() is None


def test_network_errors_that_torchvision_wraps_are_known():
    assert is_network_error(RuntimeError("Error downloading x:\nTried http://a, got:\n<urlopen error timed out>"))
    assert is_network_error(TimeoutError())
    assert not is_network_error(RuntimeError("File not found or corrupted."))
    assert not is_network_error(PermissionError("a"))


def test_addresses_are_those_of_the_class_itself():
    from torchvision import datasets

    assert addresses(datasets.CIFAR100) == ["https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"]
    assert addresses(datasets.EMNIST) == [datasets.EMNIST.url]
    assert addresses(datasets.FashionMNIST) == datasets.FashionMNIST.mirrors
    assert len(addresses(datasets.USPS)) == 2


def test_without_network_one_message_says_what_where_and_how(tmp_path, rng, impatient):
    cls, _, _ = cifar_class(tmp_path / "made", rng)
    with pytest.raises(Unavailable) as error:
        open_part(cls, str(tmp_path / "cache"), "cifar10", cls.base_folder, train=True)
    message = str(error.value)
    assert "\n" not in message
    assert f"'cifar10' is not in {tmp_path}/cache/cifar-10-batches-py" in message
    assert f"tried {NOWHERE}cifar-10-python.tar.gz (" in message
    assert "--config cache_dir=DIR, where DIR contains cifar-10-batches-py or cifar-10-python.tar.gz" in message
    with pytest.raises(Unavailable) as error:
        with_human_labels(None, str(tmp_path / "cache"), LabelFile("x.pt", "0" * 64, NOWHERE), "a", 9.03, "cifar10n")
    message = str(error.value)
    assert f"{tmp_path}/cache/CIFAR-N/x.pt does not exist" in message
    assert f"{NOWHERE}x.pt" in message
    assert "--config cache_dir=DIR, where DIR contains CIFAR-N/x.pt" in message


def test_messages_name_the_full_path_of_a_relative_cache(tmp_path, monkeypatch, impatient):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unavailable, match=f"the file {tmp_path}/cache/imagewoof2-320.tgz does not exist"):
        extracted("cache", NOWHERE, "0" * 64)


def test_a_file_in_the_cache_needs_no_network_and_may_be_read_only(tmp_path):
    (tmp_path / "net.th").write_bytes(b"weights")
    fetch(NOWHERE, tmp_path / "net.th", sha256(b"weights").hexdigest()[:8], "it", "wait")
    assert [path.name for path in tmp_path.iterdir()] == ["net.th"]  # no lock is needed


# What is known before anything is downloaded


@pytest.mark.parametrize("name", DOWNLOADED)
def test_downloaded_set_is_described_without_its_files(name):
    plugin = registry.load("dataset", name)
    described = plugin.info["inspect"](cache="no such folder")
    fields = ("modality", "n_samples", "n_classes", "n_test", "shape", "human_noise")
    assert {f: getattr(described, f) for f in fields} == {f: plugin.info[f] for f in fields}
    assert described.modality == "image"
    assert 0 < described.n_test < described.n_samples
    assert plugin.parameters["cache"] == "cache"
    assert plugin.info["licence"]
    assert plugin.info["anomaly_source"] in registry.names("dataset")
    assert plugin.info["anomaly_source"] != name


def test_planning_imports_no_torch():
    code = (
        "import sys; from glitchmark import registry\n"
        f"for name in {DOWNLOADED}: registry.load('dataset', name).info['inspect'](cache='x')\n"
        "registry.load('dataset', 'torchvision').info['inspect'](dataset='EMNIST', cache='x')\n"
        "assert not {'torch', 'torchvision', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plugins_call_the_classes_that_they_name(tmp_path, rng, monkeypatch):
    from torchvision import datasets

    # only the class is exchanged, for one that knows the files made here; all code that reads is the real one
    for name, base in (("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")):
        monkeypatch.setattr(datasets, base, mnist_class(tmp_path, rng, base)[0])
        assert registry.load("dataset", name).function(cache=str(tmp_path)).x.shape == (40, 28, 28)
    for name, base in (("cifar10", "CIFAR10"),):
        monkeypatch.setattr(datasets, base, cifar_class(tmp_path, rng, base)[0])
        assert registry.load("dataset", name).function(cache=str(tmp_path)).x.shape == (120, 32, 32, 3)
    monkeypatch.setattr(datasets, "USPS", usps_class(tmp_path, rng)[0])
    load = partial(registry.load("dataset", "torchvision").function, cache=str(tmp_path))
    assert load(dataset="USPS").x.shape == (30, 16, 16)
