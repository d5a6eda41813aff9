"""The shipped data sets, a user's own files, and what is drawn from them."""

import contextlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glitchmark import registry
from glitchmark.chunks import Workflow
from glitchmark.config import read, validated
from glitchmark.datasets._images import fit_images
from glitchmark.datasets.letters import letters
from glitchmark.datasets.npz import inspect_npz, npz
from glitchmark.errors import UserError

ROOT = Path(__file__).parents[1]
SHIPPED = {
    "digits": ((1797, 8, 8), np.uint8, 10),
    "letters": ((4000, 28, 28), np.uint8, 10),
    "shapes": ((4000, 32, 32, 3), np.uint8, 10),
    "breast_cancer": ((569, 30), np.float32, 2),
    "wine": ((178, 13), np.float32, 3),
    "clusters": ((8000, 54), np.float32, 4),
}


@pytest.fixture(scope="module")
def pools():
    """Every data set that needs no file and no download, loaded once."""
    loaders = {name: registry.load("dataset", name) for name in registry.names("dataset")}
    return {
        name: loader.function()
        for name, loader in loaders.items()
        if not loader.info["files"] and "cache" not in loader.parameters
    }


# The shipped data sets


def test_every_shipped_dataset_is_tested(pools):
    assert set(pools) == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_dataset(pools, name):
    pool, (shape, dtype, n_classes) = pools[name], SHIPPED[name]
    assert pool.x.shape == shape
    assert pool.x.dtype == dtype
    assert pool.y.shape == shape[:1]
    assert pool.y.dtype == np.int64
    assert np.unique(pool.y).tolist() == list(range(n_classes))
    assert len(set(pool.class_names)) == n_classes
    assert all(type(class_name) is str for class_name in pool.class_names)
    assert np.isfinite(pool.x).all()
    assert len(np.unique(pool.x.reshape(len(pool.x), -1), axis=0)) > 0.95 * len(pool.x)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_dataset_is_as_declared(pools, name):
    declared = registry.load("dataset", name).info["inspect"]()
    assert declared.modality == ("table" if pools[name].x.ndim == 2 else "image")
    assert declared.n_samples == len(pools[name].y)
    assert declared.n_classes == len(pools[name].class_names)


def test_digits_use_the_whole_range_of_grey(pools):
    assert pools["digits"].x.min() == 0
    assert pools["digits"].x.max() == 255


# Letters


def test_letters_are_balanced_and_many(pools):
    pool = pools["letters"]
    assert len(pool.y) >= 3000
    assert pool.class_names == tuple("ABCDEFGHIJ")
    assert np.ptp(np.bincount(pool.y)) == 0


def test_letters_show_their_class(pools):
    x, y = pools["letters"].x.reshape(4000, -1).astype(np.float32), pools["letters"].y
    train, test = slice(0, 3000), slice(3000, 4000)
    squares = (x[train] ** 2).sum(axis=1)
    nearest = np.argmin(squares - 2 * x[test] @ x[train].T, axis=1)
    assert (y[train][nearest] == y[test]).mean() > 0.8


def test_letters_are_a_function_of_their_seed():
    np.random.seed(1)  # noqa: NPY002 - the global state must not matter
    first = letters(n_samples=200, seed=3)
    np.random.seed(2)  # noqa: NPY002
    again, other = letters(n_samples=200, seed=3), letters(n_samples=200, seed=4)
    assert first.x.tobytes() == again.x.tobytes()
    assert first.y.tobytes() == again.y.tobytes()
    assert first.x.tobytes() != other.x.tobytes()
    assert first.y.tobytes() != other.y.tobytes()


def test_letters_are_described_with_their_parameters():
    description = registry.load("dataset", "letters").info["inspect"](n_samples=500, seed=1)
    assert description.n_samples == len(letters(n_samples=500, seed=1).y) == 500


# A user's own files: what cannot be used is said by the plan, before anything runs

GREY = np.arange(60 * 16, dtype=np.uint8).reshape(60, 4, 4)
LABELS = np.arange(60) % 3
TABLE = np.linspace(-1, 1, 240).reshape(60, 4)
SPLIT = np.array(["train", "test"] * 30)


def with_value(value: float) -> np.ndarray:
    table = TABLE.copy()
    table[2, 1] = value
    return table


def saved(**arrays):
    """A writer of an archive with these arrays; None leaves one out."""
    good = {"x": GREY, "y": LABELS} | arrays

    def write(path):
        np.savez(path, **{k: v for k, v in good.items() if v is not None})

    return write


def damaged(path):
    """An archive in which one byte of the labels has changed."""
    saved(y=LABELS + 1)(path)
    content = bytearray(path.read_bytes())
    content[content.rindex((LABELS + 1).tobytes())] ^= 1
    path.write_bytes(content)


def truncated(path):
    saved()(path)
    path.write_bytes(path.read_bytes()[:-100])


def damaged_header(path):
    """An archive whose x is no NumPy array, though all checksums are right."""
    saved()(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(b"'|u1'", b"'|?#'"))


def single_array(path):
    with open(path, "wb") as file:
        np.save(file, GREY)


def other_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


# what is wrong -> (how to write it, the entry's split, what the message must say)
BAD_FILES = {
    "missing": (lambda path: None, "", ["does not exist", "data_dir"]),
    "a folder": (lambda path: path.mkdir(), "", ["directory"]),
    "empty": (lambda path: path.write_bytes(b""), "", ["cannot be read"]),
    "text": (lambda path: path.write_text("x,y\n1,2\n"), "", ["cannot be read"]),
    "truncated": (truncated, "", ["cannot be read"]),
    "damaged": (damaged, "", ["CRC"]),
    "single array": (single_array, "", ["single array", "x and y"]),
    "other zip": (other_zip, "", ["no array 'x'"]),
    "no x": (saved(x=None), "", ["no array 'x'"]),
    "no y": (saved(y=None), "", ["no array 'y'"]),
    "float labels": (saved(y=LABELS.astype(float)), "", ["integer labels", "float64"]),
    "bool labels": (saved(y=LABELS > 0), "", ["integer labels", "bool"]),
    "string labels": (saved(y=LABELS.astype(str)), "", ["integer labels", "<U"]),
    "object labels": (saved(y=LABELS.astype(object)), "", ["integer labels", "pickle"]),
    "label matrix": (saved(y=np.eye(60, dtype=int)), "", ["vector", "(60, 60)"]),
    "single label": (saved(y=np.array(1)), "", ["vector", "()"]),
    "damaged header": (damaged_header, "", ["x must be readable", "header"]),
    "labels that do not count": (
        saved(y=np.r_[20_000_000, LABELS[1:]]),
        "",
        ["label 20000000", "60 samples", "renumber"],
    ),
    "negative labels": (saved(y=LABELS - 1), "", ["negative", "-1"]),
    "one class": (saved(y=LABELS * 0), "", ["one class"]),
    "one class in the split": (saved(y=np.array([0, 1] * 30), split=SPLIT), "test", ["one class"]),
    "class without samples": (saved(y=LABELS * 2), "", ["'1', '3'", "no samples", "without gaps"]),
    "class with one sample": (saved(y=np.r_[3, LABELS[1:]]), "", ["'3'", "fewer than 3 samples"]),
    "too few samples": (saved(x=GREY[:6], y=LABELS[:6]), "", ["3, 1, 1 samples", "3 classes", "'subset'"]),
    "no rows": (saved(x=GREY[:0], y=LABELS[:0]), "", ["at least one"]),
    "rows differ": (saved(y=LABELS[:50]), "", ["(60, 4, 4)", "(50,)"]),
    "float images": (saved(x=GREY / 255), "", ["float64", "uint8"]),
    "int images": (saved(x=GREY.astype(np.int64)), "", ["int64", "uint8"]),
    "four channels": (saved(x=np.zeros((60, 4, 4, 4), np.uint8)), "", ["(60, 4, 4, 4)", "(N, H, W, 3)"]),
    "channels first": (saved(x=np.zeros((60, 3, 4, 4), np.uint8)), "", ["(60, 3, 4, 4)", "(N, H, W, 3)"]),
    "vector": (saved(x=TABLE[:, 0]), "", ["(60,)", "(N, d)"]),
    "object samples": (saved(x=TABLE.astype(object)), "", ["object", "tables of numbers"]),
    "string samples": (saved(x=TABLE.astype(str)), "", ["<U", "tables of numbers"]),
    "complex samples": (saved(x=TABLE.astype(complex)), "", ["complex128", "tables of numbers"]),
    "inf": (saved(x=with_value(-np.inf)), "", ["x[2, 1]", "-inf"]),
    "too large for float32": (saved(x=with_value(1e39)), "", ["x[2, 1]", "1e+39"]),
    "wrong split": (saved(split=SPLIT), "tset", ["split 'tset'", "test, train"]),
    "no split": (saved(), "test", ["split 'test'", "no array 'split'"]),
    "integer split": (saved(split=np.array([0, 1] * 30)), "test", ["split 'test'"]),
    "object split": (saved(split=SPLIT.astype(object)), "test", ["'split'"]),
    "short split": (saved(split=SPLIT[:50]), "test", ["split", "(50,)"]),
    "few class names": (saved(class_names=np.array(["a", "b"])), "", ["class 2", "2 names"]),
    "object class names": (saved(class_names=np.array(["a", "b", "c"], object)), "", ["class_names"]),
    "one string as class names": (saved(class_names=np.array("abc")), "", ["class_names"]),
}


def plan(tmp_path: Path, *datasets: dict) -> Workflow:
    """The workflow of a small grid with these data sets next to digits and wine."""
    config = read(ROOT, [str(ROOT / "config" / "smoke.yaml")], [])
    config |= {"results_dir": str(tmp_path / "results"), "data_dir": str(tmp_path), "subset": 150}
    return Workflow(validated(config | {"datasets": ["digits", "wine", *datasets], "glitches": ["none"]}, ROOT))


@pytest.mark.parametrize("case", BAD_FILES)
def test_unusable_file_is_refused_by_the_plan(tmp_path, case):
    write, split, fragments = BAD_FILES[case]
    write(tmp_path / "mine.npz")
    entry = {"name": "mine", "loader": "npz", "file": "mine.npz"} | ({"split": split} if split else {})
    with pytest.raises(UserError) as caught:
        plan(tmp_path, entry)
    message = str(caught.value)
    assert not [f for f in ("datasets[2] (mine)", *fragments) if f not in message], message
    if not [words for words in ("fewer than 3 samples", "without gaps", "'subset'") if words in message]:  # the grid's
        assert str(tmp_path / "mine.npz") in message
    assert not (tmp_path / "results").exists()


def test_unusable_file_in_an_own_dataset_says_which(tmp_path):
    saved()(tmp_path / "good.npz")
    saved(y=LABELS - 1)(tmp_path / "bad.npz")
    good, bad = ({"name": n, "loader": "npz", "file": f"{n}.npz"} for n in ("good", "bad"))
    with pytest.raises(UserError, match=r"datasets\[3\] \(bad\)"):
        plan(tmp_path, good, bad)


RGB = np.arange(60 * 48, dtype=np.uint8).reshape(60, 4, 4, 3)
NAMES = np.array(["cat", "dog", "größe"])
GOOD_FILES = {
    "grey": ({"x": GREY, "y": LABELS}, "image"),
    "rgb": ({"x": RGB, "y": LABELS.astype(np.int8)}, "image"),
    "unsigned labels": ({"x": GREY, "y": LABELS.astype(np.uint64)}, "image"),
    "float64 table": ({"x": TABLE, "y": LABELS}, "table"),
    "float16 table": ({"x": TABLE.astype(np.float16), "y": LABELS}, "table"),
    "integer table": ({"x": np.arange(240).reshape(60, 4), "y": LABELS}, "table"),
    "uint8 table": ({"x": np.arange(240, dtype=np.uint8).reshape(60, 4), "y": LABELS}, "table"),
    "class names": ({"x": GREY, "y": LABELS, "class_names": NAMES}, "image"),
    "fortran order": ({"x": np.asfortranarray(GREY), "y": LABELS}, "image"),
}


@pytest.mark.parametrize("case", GOOD_FILES)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_usable_file_round_trips(tmp_path, case, save):
    arrays, modality = GOOD_FILES[case]
    path = tmp_path / "mine.npz"
    save(path, **arrays)
    pool, description = npz(file=str(path)), inspect_npz(file=str(path))
    assert pool.x.dtype == (np.uint8 if modality == "image" else np.float32)
    np.testing.assert_array_equal(pool.x, arrays["x"].astype(pool.x.dtype), strict=True)
    np.testing.assert_array_equal(pool.y, arrays["y"].astype(np.int64), strict=True)
    assert pool.class_names == (tuple(NAMES.tolist()) if "class_names" in arrays else ("0", "1", "2"))
    assert description.modality == modality
    assert description.n_samples == len(pool.y)
    assert description.n_classes == len(pool.class_names)
    assert description.class_names == pool.class_names
    assert description.class_counts == tuple(np.bincount(pool.y))
    planned = plan(tmp_path, {"name": "mine", "loader": "npz", "file": "mine.npz"})
    assert planned.grid.pool("mine").description == description


@pytest.mark.parametrize("split", ["train", "test", ""])
@pytest.mark.parametrize("x", [GREY, TABLE], ids=["image", "table"])
def test_split_selects_rows(tmp_path, split, x):
    path = tmp_path / "mine.npz"
    labels = np.r_[np.full(30, 0), np.full(30, 1)]
    np.savez(path, x=x, y=labels, split=SPLIT)
    pool, description = npz(file=str(path), split=split), inspect_npz(file=str(path), split=split)
    rows = split == SPLIT if split else np.full(60, True)
    np.testing.assert_array_equal(pool.x, x[rows].astype(pool.x.dtype))
    np.testing.assert_array_equal(pool.y, labels[rows])
    assert description.n_samples == rows.sum()
    assert description.class_counts == tuple(np.bincount(labels[rows]))


def test_rows_of_other_splits_do_not_matter(tmp_path):
    table = TABLE.copy()
    table[2] = np.inf
    np.savez(tmp_path / "mine.npz", x=table, y=LABELS, split=SPLIT)
    file = str(tmp_path / "mine.npz")
    assert np.isfinite(npz(file=file, split="test").x).all()
    assert inspect_npz(file=file, split="test").n_samples == 30
    for function in (npz, inspect_npz):
        with pytest.raises(UserError, match=r"x\[2, 0\] is inf"):
            function(file=file, split="train")


@pytest.mark.parametrize("split", ["train", ""])
@pytest.mark.parametrize("x", [GREY, np.asfortranarray(TABLE)], ids=["image", "table"])
def test_the_test_split_is_marked(tmp_path, split, x):
    splits = np.array(["train", "test", "more"] * 20)
    labels = np.arange(60) // 3 % 2
    np.savez(tmp_path / "mine.npz", x=x, y=labels, split=splits)
    given = {"file": str(tmp_path / "mine.npz"), "split": split, "test_split": "test"}
    pool, description = npz(**given), inspect_npz(**given)
    rows = (splits != "more") if split else np.full(60, True)
    np.testing.assert_array_equal(pool.x, x[rows].astype(pool.x.dtype), strict=True)
    np.testing.assert_array_equal(pool.y, labels[rows], strict=True)
    np.testing.assert_array_equal(pool.is_test, splits[rows] == "test", strict=True)
    assert (description.n_samples, description.n_test) == (rows.sum(), 20)
    assert description.shape == x.shape[1:]
    assert description.class_counts == tuple(np.bincount(labels[rows & (splits != "test")]))


def test_a_pool_without_test_split_marks_nothing(tmp_path):
    saved(split=SPLIT)(tmp_path / "mine.npz")
    assert npz(file=str(tmp_path / "mine.npz"), split="train").is_test is None


@pytest.mark.parametrize(
    ("arrays", "given", "message"),
    [
        ({"split": SPLIT}, {"test_split": "tset"}, "no row has split 'tset'; there is: test, train"),
        ({}, {"test_split": "test"}, "no array 'split'"),
        ({"split": SPLIT}, {"split": "test", "test_split": "test"}, "must differ"),
        ({"split": SPLIT, "y": np.array([0, 1] * 30)}, {"test_split": "test"}, "one class only outside the test split"),
    ],
)
def test_an_impossible_test_split_is_refused(tmp_path, arrays, given, message):
    saved(**arrays)(tmp_path / "mine.npz")
    for function in (npz, inspect_npz):
        with pytest.raises(UserError, match=message):
            function(file=str(tmp_path / "mine.npz"), **given)


@pytest.mark.parametrize("split", ["train", ""])
def test_nan_is_a_missing_value(tmp_path, split):
    saved(x=with_value(np.nan), split=SPLIT)(tmp_path / "mine.npz")
    x = npz(file=str(tmp_path / "mine.npz"), split=split).x
    assert np.argwhere(np.isnan(x)).tolist() == [[1 if split else 2, 1]]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(700, 3000), (70, 200, 300, 3), (9, 2, 2)])
def test_rows_are_the_same_however_many_blocks_they_are_read_in(tmp_path, order, shape):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, shape).astype(">f8" if len(shape) == 2 else np.uint8)  # up to 17 MB: two blocks
    splits = np.where(rng.random(len(x)) < 0.5, "a", "b")
    splits[:4] = ["a", "a", "b", "b"]
    np.savez(tmp_path / "mine.npz", x=np.asarray(x, order=order), y=np.arange(len(x)) % 2, split=splits)
    found = npz(file=str(tmp_path / "mine.npz"), split="b").x
    np.testing.assert_array_equal(found, x[splits == "b"].astype(found.dtype), strict=True)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_samples_are_found(tmp_path, save):
    save(tmp_path / "mine.npz", x=np.random.default_rng(0).integers(0, 256, (60, 9, 9), np.uint8), y=LABELS)
    content = bytearray((tmp_path / "mine.npz").read_bytes())
    content[2000] ^= 1
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.npz: x must be readable, but it cannot be read"):
        npz(file=str(tmp_path / "mine.npz"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("seed", range(3))
def test_damage_anywhere_is_said_in_a_sentence(tmp_path, save, seed):
    """Whatever byte is wrong, inspecting either works or raises UserError."""
    rng = np.random.default_rng(seed)
    save(tmp_path / "mine.npz", x=TABLE, y=LABELS)
    content = (tmp_path / "mine.npz").read_bytes()
    x = content.find(b"NUMPY") if save is np.savez else 0
    for place in [*rng.integers(0, len(content), 100), *(x + rng.integers(0, 128, 100))]:
        damaged = bytearray(content)
        damaged[place] = rng.integers(0, 256)
        (tmp_path / "mine.npz").write_bytes(damaged)
        with contextlib.suppress(UserError):
            inspect_npz(file=str(tmp_path / "mine.npz"))


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_reading_a_split_holds_little_more_than_its_rows(tmp_path, dtype):
    import tracemalloc

    shape = (4000, 100, 100) if dtype == np.uint8 else (4000, 2000)
    splits = np.where(np.arange(4000) % 2, "a", "b")
    np.savez(tmp_path / "mine.npz", x=np.zeros(shape, dtype), y=np.arange(4000) // 2 % 2, split=splits)
    tracemalloc.start()
    x = npz(file=str(tmp_path / "mine.npz"), split="b").x
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * x.nbytes + 3 * 2**24


def test_labels_may_fill_their_type(tmp_path):
    y = (np.arange(512) % 256).astype(np.uint8)
    np.savez(tmp_path / "mine.npz", x=np.zeros((512, 2, 2), np.uint8), y=y)
    assert inspect_npz(file=str(tmp_path / "mine.npz")).n_classes == 256
    assert npz(file=str(tmp_path / "mine.npz")).y.max() == 255


def test_a_file_s_digest_is_of_its_content(tmp_path):
    saved()(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes())
    saved(x=GREY[::-1])(tmp_path / "c.npz")
    a, b, c = (inspect_npz(file=str(tmp_path / f"{name}.npz")).digest for name in "abc")
    assert a == b != c


def test_inspecting_images_does_not_decompress_them(tmp_path):
    """The header is enough: pixels that cannot be read show when the job loads them."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (60, 4, 4)})
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
        archive.writestr("y.npy", labels.getvalue())
    assert inspect_npz(file=str(tmp_path / "mine.npz")).n_samples == 60


# Fitting images of one data set to another's shape


def test_images_that_fit_are_left_alone():
    np.testing.assert_array_equal(fit_images(GREY, (4, 4)), GREY)
    np.testing.assert_array_equal(fit_images(RGB, (4, 4, 3)), RGB)


def test_grey_is_repeated():
    fitted = fit_images(GREY, (4, 4, 3))
    np.testing.assert_array_equal(fitted, np.repeat(GREY[..., None], 3, axis=3), strict=True)


def test_colour_becomes_luma():
    pure = np.zeros((4, 2, 2, 3), np.uint8)
    pure[0, ..., 0] = pure[1, ..., 1] = pure[2, ..., 2] = 255
    pure[3] = 255
    assert fit_images(pure, (2, 2)).reshape(4, -1).tolist() == [[76] * 4, [150] * 4, [29] * 4, [255] * 4]


@pytest.mark.parametrize("shape", [(12, 6), (3, 7), (12, 6, 3)])
def test_images_are_resized_with_rows_before_columns(shape):
    left, top = np.zeros((2, 8, 8), np.uint8)
    left[:, :4] = top[:4] = 255
    fitted = fit_images(np.stack([left, top]), shape)
    assert fitted.shape == (2, *shape)
    assert fitted.dtype == np.uint8
    assert (fitted[0] == fitted[0, :1]).all()  # every row alike
    assert (fitted[0, :, 0] == 255).all()
    assert (fitted[0, :, -1] == 0).all()
    assert (np.diff(fitted[0].astype(int), axis=1) <= 0).all()
    assert (fitted[1] == fitted[1, :, :1]).all()  # every column alike
    assert (fitted[1, 0] == 255).all()
    assert (fitted[1, -1] == 0).all()


@given(value=st.integers(0, 255), h=st.integers(1, 20), w=st.integers(1, 20), colour=st.booleans())
@settings(deadline=None, max_examples=40)
def test_an_even_image_stays_even(value, h, w, colour):
    fitted = fit_images(np.full((2, 5, 9), value, np.uint8), (h, w, 3) if colour else (h, w))
    np.testing.assert_array_equal(fitted, np.full((2, h, w, 3) if colour else (2, h, w), value))
