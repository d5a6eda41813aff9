"""Pools as they are checked, class counts and contact sheets of training data, noisy validation labels."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glitchmark import registry
from glitchmark.datasets import Description, Pool
from glitchmark.datasets._checks import check_pool
from glitchmark.errors import CellError, Unavailable
from glitchmark.outputs import save_figure
from glitchmark.samples.__main__ import main
from glitchmark.samples.counts import COUNTS, class_counts
from glitchmark.samples.sheets import COLUMNS, GLITCHED, UNTOUCHED, contact_sheet, failed_sheet
from glitchmark.stages import inject, pool, validation
from glitchmark.stages._samples import training_inputs
from glitchmark.store import Store

NAMES = ("ant", "bee", "cat", "dog")


def setting(seed=0, n=400, colour=False, names=NAMES):
    """A pool of images, of which no two are alike, with its parts; another pool of 300 images."""
    rng = np.random.default_rng(seed)
    y = rng.integers(len(names), size=n)
    rows = rng.permutation(n)
    x = rng.integers(0, 200, (n, 6, 5, 3) if colour else (n, 6, 5), dtype=np.uint8)
    parts = {"train": rows[: n // 2], "val": rows[n // 2 : n // 2 + n // 5], "test": rows[-n // 5 :]}
    for values in (x, y, *parts.values()):
        values.flags.writeable = False
    return {
        "pool": SimpleNamespace(arrays={"x": x, "y": y}, info={"class_names": list(names), "categories": []}),
        "subset": SimpleNamespace(arrays=parts),
        "anomaly_pool": SimpleNamespace(
            arrays={"x": rng.integers(0, 256, (300, 8, 8), dtype=np.uint8), "y": np.arange(300) % 3}
        ),
    }


def injected(inputs, *parts, seed=0):
    """The stage's result. parts: (name, ratio)."""
    parts = [{"name": name, "params": {"ratio": ratio} if ratio else {}} for name, ratio in parts]
    spec = {"dataset": "mine", "seed": seed, "parts": parts, "anomaly_source": "theirs"}
    arrays, info = inject.compute(spec, inputs, {})
    return SimpleNamespace(arrays=arrays, info=info)


MIXTURES = {
    "none": (("none", 0),),
    "uniform": (("uniform", 0.2),),
    "far_ca": (("far_ca", 0.1),),
    "corruption": (("corruption", 0.1),),
    "mixed": (("uniform", 0.1), ("far_ca", 0.1), ("class_dependent", 0.1), ("corruption", 0.1)),
    "everything": (("uniform", 1.0),),
}


# Class counts


@pytest.mark.parametrize("parts", MIXTURES.values(), ids=MIXTURES)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=8)
def test_class_counts(parts, seed):
    inputs = setting(seed)
    entry = injected(inputs, *parts, seed=seed)
    table = class_counts(inputs["pool"], inputs["subset"], entry)
    data, y, rows = entry.arrays, inputs["pool"].arrays["y"], inputs["subset"].arrays
    samples = list(zip(data["true_label"], data["observed_label"], data["glitch"], strict=True))
    assert table["class"].tolist() == list(NAMES)
    assert table.columns.tolist() == ["class", *COUNTS]
    for c, row in enumerate(table.to_dict("records")):
        assert row["training_before"] == sum(y[r] == c for r in rows["train"])
        assert row["training_after"] == sum(observed == c for _, observed, _ in samples)
        assert row["labeled_away"] == sum(true == c and observed != c for true, observed, _ in samples)
        assert row["labeled_so"] == sum(observed == c and true not in (c, -1) for true, observed, _ in samples)
        assert row["anomalies"] == sum(observed == c and g in ("far_ca", "corruption") for _, observed, g in samples)
        assert row["validation"] == sum(y[r] == c for r in rows["val"])
        assert row["test"] == sum(y[r] == c for r in rows["test"])
    assert table["labeled_away"].sum() == table["labeled_so"].sum()


def test_a_class_without_samples_has_a_row_of_zeros():
    inputs = setting(names=(*NAMES, "eel"))
    inputs["pool"].arrays["y"] = inputs["pool"].arrays["y"] % 4
    table = class_counts(inputs["pool"], inputs["subset"], injected(inputs))
    assert table.iloc[4].tolist() == ["eel"] + [0] * len(COUNTS)


# Contact sheets


def panels(figure):
    """What each block shows -> its images with the text below each; a title is "<what>: <shown> of <there>"."""
    found = {}
    for part in figure.subfigs:
        axes = [own for own in part.get_axes() if own.get_images()]
        what = re.sub(r": \d+ of \d+", "", part.get_suptitle())
        found[what] = [(own.get_images()[0].get_array().data, own.get_xlabel()) for own in axes]
        assert not any(own.axison for own in part.get_axes() if not own.get_images())
    return found


def expected_text(data, sample, names) -> str:
    given_, true = data["observed_label"][sample], data["true_label"][sample]
    if true == -1:
        return f"{names[given_]}\ntrue: no class"
    return names[given_] if given_ == true else f"{names[given_]}\ntrue: {names[true]}"


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("parts", MIXTURES.values(), ids=MIXTURES)
def test_a_sheet_shows_images_with_their_labels(parts, colour):
    inputs = setting(colour=colour)
    entry = injected(inputs, *parts)
    data, x = entry.arrays, training_inputs({"pool": inputs["pool"], "inject": entry})
    sample_of = {image.tobytes(): i for i, image in enumerate(x)}
    assert len(sample_of) == len(x)
    figure = contact_sheet(inputs["pool"], entry, "mine, seed 0")
    assert figure.get_suptitle() == "mine, seed 0"

    found = panels(figure)
    here = {str(name): np.count_nonzero(data["glitch"] == name) for name in np.unique(data["glitch"]) if name}
    untouched = np.count_nonzero(data["glitch"] == "")
    if "corruption" in here:
        after = found["corruption"] = found.pop("corruption, after")
        rows = data["row"][[sample_of[np.asarray(image).tobytes()] for image, _ in after]]
        before = found.pop("corruption, before")
        assert [np.asarray(image).tobytes() for image, _ in before] == [
            np.asarray(image).tobytes() for image in inputs["pool"].arrays["x"][rows]
        ]
        assert [text for _, text in before] == [text for _, text in after]
    assert set(found) == set(here) | ({"untouched"} if untouched else set())
    for title, images in found.items():
        samples = [sample_of[np.asarray(image).tobytes()] for image, _ in images]
        assert len(set(samples)) == len(samples)
        assert (np.diff(data["observed_label"][samples]) >= 0).all()  # class by class
        assert set(data["glitch"][samples]) == {"" if title == "untouched" else title}
        assert len(samples) == (
            min(UNTOUCHED, untouched) if title == "untouched" else min(GLITCHED // len(here), here[title])
        )
        assert [text for _, text in images] == [expected_text(data, i, NAMES) for i in samples]
    if untouched:
        assert {text for _, text in found["untouched"]} == set(NAMES)


@pytest.mark.parametrize("count", [1, COLUMNS - 1, COLUMNS, COLUMNS + 1])
def test_a_sheet_of_few_images_shows_each(count):
    inputs = setting()
    entry = injected(inputs, ("uniform", count / 200))
    assert len(panels(contact_sheet(inputs["pool"], entry, "few"))["uniform"]) == count


def test_a_sheet_has_the_same_bytes_every_time(tmp_path):
    inputs, paths = setting(colour=True), [tmp_path / "first.png", tmp_path / "again.png"]
    for path in paths:
        save_figure(path, contact_sheet(inputs["pool"], injected(inputs, *MIXTURES["mixed"]), "mine"))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_long_names_of_classes_keep_their_beginning():
    names = ("a_first_name_of_many_letters", "another_name_of_many_letters", "the third name of many letters", "d")
    inputs = setting(names=names)
    found = panels(contact_sheet(inputs["pool"], injected(inputs, ("uniform", 0.2)), "long"))
    starts = {text[:6] for _, text in found["untouched"]}
    assert starts == {"a_firs", "anothe", "the th", "d"}
    for _, text in found["uniform"]:
        given_, true = text.split("\n")
        assert max(len(given_), len(true)) <= 20
        assert any(name.startswith(true.removeprefix("true: ")[:6]) for name in names)


def test_names_of_classes_are_no_formulas(tmp_path):
    inputs = setting(names=("$5-$10", r"$\frac$", "_a^b", "%"))
    figure = contact_sheet(inputs["pool"], injected(inputs, ("uniform", 0.02)), "mine")
    save_figure(tmp_path / "sheet.png", figure)
    labels = [own.xaxis.label for part in figure.subfigs for own in part.get_axes()]
    assert not any(label.get_parse_math() for label in labels if "$5-$10" in label.get_text())


def test_a_failed_sheet_says_why(tmp_path):
    reason = "ratio 0.001 of 100 training samples rounds to zero samples; use at least 0.01 or more data; " * 2
    figure = failed_sheet("mine, uniform 0.001, seed 0", reason)
    assert figure.get_suptitle() == "mine, uniform 0.001, seed 0"
    texts = " ".join(" ".join(text.get_text().split()) for text in figure.texts)
    assert f"failed: {reason.strip()}" in texts
    save_figure(tmp_path / "failed.png", figure)
    assert (tmp_path / "failed.png").stat().st_size > 1000


# The job


def test_the_job_writes_counts_and_sheets(tmp_path):
    """One cell with a sheet, one whose glitch failed, and one without a sheet; what another config left goes."""
    inputs, store = setting(), Store(tmp_path / "store")
    store.put("pool", inputs["pool"].arrays, inputs["pool"].info)
    store.put("subset", inputs["subset"].arrays, {})
    store.put("good", injected(inputs, ("uniform", 0.2)).arrays, {})
    store.put("bad", {}, {}, failure="it rounds to zero")
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "old.png").touch()

    def cell(glitch, inject, *sheets):
        keys = {"pool": "pool", "subset": "subset", "inject": inject}
        paths = [str(folder / name) for name in sheets]
        return {"dataset": "mine", "glitch": glitch, "ratio": 0.2, "seed": 0, "sheets": paths} | keys

    cells = [cell("uniform", "good", "a.png"), cell("far_ca", "bad", "b.png"), cell("table", "good")]
    order, manifest = tmp_path / "samples-0a.json", tmp_path / "manifests" / "samples-0a.json"
    manifest.parent.mkdir()
    keys = {"store": str(store.folder), "counts": str(tmp_path / "class_counts.csv"), "folder": str(folder)}
    order.write_text(json.dumps(keys | {"cells": cells}))
    main(str(order), str(manifest))

    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png"]
    assert json.loads(manifest.read_text())["digest"] == "0a"
    table = pd.read_csv(tmp_path / "class_counts.csv")
    assert table["glitch"].tolist() == ["uniform"] * 4 + ["far_ca"] + ["table"] * 4
    assert table["status"].tolist() == ["ok"] * 4 + ["failed: it rounds to zero"] + ["ok"] * 4
    assert table["class"][:4].tolist() == list(NAMES)
    assert table["training_after"][:4].sum() == 200
    assert table["labeled_away"].sum() == 80
    assert table.loc[4, [*COUNTS]].isna().all()


# Noisy labels of the validation samples


def noisy(inputs, seed=0, ratio=0.2, dataset="mine"):
    arrays, info = validation.compute({"dataset": dataset, "seed": seed, "validation_noise": ratio}, inputs, {})
    assert (set(arrays), info) == ({"labels"}, {})
    return arrays["labels"]


@given(seed=st.integers(0, 2**31), ratio=st.floats(0.05, 0.5))
@settings(max_examples=30)
def test_validation_noise_is_class_dependent(seed, ratio):
    inputs = setting(seed)
    clean = inputs["pool"].arrays["y"][inputs["subset"].arrays["val"]]
    labels = noisy(inputs, seed, ratio)
    wrong = labels != clean
    assert labels.dtype == np.int64
    assert labels.shape == clean.shape
    assert np.count_nonzero(wrong) == round(ratio * len(clean))
    for c in range(4):
        own = wrong & (clean == c)
        assert len(set(labels[own])) <= 1
        assert abs(np.count_nonzero(own) - ratio * np.count_nonzero(clean == c)) < 1.5  # the sum is rounded, too
    np.testing.assert_array_equal(labels, noisy(inputs, seed, ratio))


def test_validation_noise_differs_by_seed_and_data_set():
    inputs = setting()
    drawn = [noisy(inputs, seed) for seed in range(4)] + [noisy(inputs, 0, dataset="yours")]
    assert len({labels.tobytes() for labels in drawn}) == 5


def test_validation_noise_is_independent_of_the_training_glitch():
    """The same noise in the training labels draws other classes, and changes nothing in the validation labels."""
    inputs, maps = setting(), []
    clean = inputs["pool"].arrays["y"][inputs["subset"].arrays["val"]]
    for seed in range(8):
        labels = noisy(inputs, seed)
        data = injected(inputs, ("class_dependent", 0.2), seed=seed).arrays
        np.testing.assert_array_equal(labels, noisy(inputs, seed))
        hit = data["glitch"] != ""
        pairs = set(zip(data["true_label"][hit].tolist(), data["observed_label"][hit].tolist(), strict=True))
        wrong = labels != clean
        maps.append(pairs == set(zip(clean[wrong].tolist(), labels[wrong].tolist(), strict=True)))
    assert not all(maps)


def test_validation_noise_that_rounds_to_zero():
    with pytest.raises(CellError, match="rounds to zero"):
        noisy(setting(), ratio=0.001)


# What a source must have delivered

IMAGES = Pool(
    x=np.zeros((20, 4, 4), np.uint8),
    y=np.arange(20) % 2,
    class_names=("a", "b"),
    is_test=np.arange(20) >= 15,
    annotated=np.arange(20) // 10,
)
TABLE = Pool(np.full((20, 3), np.nan, np.float32), np.arange(20) % 2, ("a", "b"), categories=(0, 4, 0))
KNOWN = Description("image", n_samples=20, n_classes=2, n_test=5, shape=(4, 4), human_noise=True)
KNOWN_TABLE = Description("table", n_samples=20, n_classes=2, shape=(3,))


@pytest.mark.parametrize(
    ("given_", "known"),
    [
        (IMAGES, KNOWN),
        (IMAGES, Description("image")),  # nothing is known before
        (replace(IMAGES, x=np.zeros((20, 4, 4, 3), np.uint8)), replace(KNOWN, shape=(4, 4, 3))),
        (replace(IMAGES, is_test=None, annotated=None), replace(KNOWN, n_test=0, human_noise=False)),
        (TABLE, KNOWN_TABLE),
        (replace(TABLE, categories=()), Description("table")),
    ],
)
def test_a_good_pool(given_, known):
    check_pool(given_, known, "mine")


BROKEN = {
    "float images": (IMAGES, {"x": np.zeros((20, 4, 4), np.float32)}, {}, "x must be uint8 (N, H, W) or (N, H, W, 3)"),
    "images with one channel": (IMAGES, {"x": np.zeros((20, 4, 4, 1), np.uint8)}, {}, "x must be uint8 (N, H, W) or"),
    "channels first": (IMAGES, {"x": np.zeros((20, 3, 4, 4), np.uint8)}, {}, "x must be uint8 (N, H, W) or"),
    "double precision": (TABLE, {"x": np.zeros((20, 3))}, {}, "or float32 (N, d)"),
    "one column, flat": (TABLE, {"x": np.zeros(20, np.float32)}, {}, "or float32 (N, d)"),
    "a table for images": (IMAGES, {"x": np.zeros((20, 4), np.float32)}, {"shape": ()}, "its modality must be 'image'"),
    "images for a table": (TABLE, {"x": IMAGES.x}, {"shape": ()}, "its modality must be 'table'"),
    "a row less": (IMAGES, {"x": IMAGES.x[1:]}, {}, "x and y must have equally many rows"),
    "one-hot labels": (IMAGES, {"y": np.eye(20, dtype=np.int64)}, {}, "x and y must have equally many rows"),
    "labels of 32 bits": (IMAGES, {"y": IMAGES.y.astype(np.int32)}, {}, "y must be int64"),
    "labels that are text": (IMAGES, {"y": np.array(["a", "b"] * 10)}, {}, "y must be int64"),
    "labels from 1": (IMAGES, {"y": IMAGES.y + 1}, {}, "its labels must be 0..1"),
    "a negative label": (IMAGES, {"y": IMAGES.y - 1}, {}, "its labels must be 0..1"),
    "people's labels from 1": (IMAGES, {"annotated": IMAGES.annotated + 1}, {}, "labels must be 0..1"),
    "nothing": (IMAGES, {"x": IMAGES.x[:0], "y": IMAGES.y[:0]}, {"n_samples": 0}, "its labels must be 0..1"),
    "fewer samples": (IMAGES, {}, {"n_samples": 21}, "it must have 21 samples, not 20"),
    "fewer classes": (IMAGES, {}, {"n_classes": 3}, "it must have 3 classes, not 2"),
    "another shape": (IMAGES, {}, {"shape": (4, 5)}, "a sample must have the shape (4, 5), not (4, 4)"),
    "rows of the test split": (IMAGES, {"is_test": np.arange(15, 20)}, {}, "'is_test' must be one bool a sample"),
    "a short test split": (IMAGES, {"is_test": np.ones(5, bool)}, {}, "'is_test' must be one bool a sample"),
    "a smaller test split": (IMAGES, {}, {"n_test": 6}, "it must have 6 test samples"),
    "no test split": (IMAGES, {"is_test": None}, {}, "it must have 5 test samples"),
    "annotated with names": (IMAGES, {"annotated": np.array(["a"] * 20)}, {}, "'annotated' must be one int64 a sample"),
    "annotated in part": (IMAGES, {"annotated": IMAGES.annotated[:15]}, {}, "'annotated' must be one int64 a sample"),
    "not annotated": (IMAGES, {"annotated": None}, {}, "it must bring the labels that people gave"),
    "a category less": (TABLE, {"categories": (0, 4)}, {}, "'categories' must hold one number a column"),
}


@pytest.mark.parametrize(("given_", "changes", "known", "rule"), BROKEN.values(), ids=BROKEN)
def test_a_pool_that_breaks_a_rule(given_, changes, known, rule):
    with pytest.raises(CellError) as error:
        check_pool(replace(given_, **changes), replace(KNOWN if given_ is IMAGES else KNOWN_TABLE, **known), "mine")
    assert str(error.value).startswith("data set 'mine': ")
    assert rule in str(error.value)


def test_all_broken_rules_are_said_at_once():
    with pytest.raises(CellError) as error:
        check_pool(replace(IMAGES, y=IMAGES.y.astype(np.int32)), replace(KNOWN, n_samples=21), "mine")
    assert "y must be int64; it must have 21 samples, not 20" in str(error.value)


def test_the_pool_stage_keeps_what_the_source_has():
    spec = {"dataset": "mine", "loader": {"name": "digits", "params": {}}, "digest": ""}
    arrays, info = pool.compute(spec, {}, {"paths": {}})
    loaded = registry.load("dataset", "digits").function()
    assert set(arrays) == {"x", "y"}
    np.testing.assert_array_equal(arrays["x"], loaded.x)
    np.testing.assert_array_equal(arrays["y"], loaded.y)
    assert info == {"class_names": list("0123456789"), "categories": []}


SOURCE = '''
import numpy as np
from glitchmark.datasets import Description, Pool, dataset

@dataset(
    "own_source", source="test", licence="test", inspect=lambda n=20: Description("table", n_samples=20, digest="abc")
)
def own_source(*, n: int = 20) -> Pool:
    """Rows that number n, whatever was said of them."""
    y = np.arange(n) % 2
    return Pool(np.zeros((n, 2), np.float32), y, ("a", "b"), y == 1, 1 - y, (0, 3))
'''


def test_the_pool_stage_checks_a_source_of_ones_own(tmp_path):
    path = tmp_path / "own_source.py"
    path.write_text(SOURCE)
    registry.load("dataset", "own_source", path)
    spec = {"dataset": "mine", "loader": {"name": "own_source", "params": {}}, "digest": "abc"}
    arrays, info = pool.compute(spec, {}, {"paths": {}})
    assert set(arrays) == {"x", "y", "is_test", "annotated"}
    assert info == {"class_names": ["a", "b"], "categories": [0, 3]}

    with pytest.raises(CellError, match="data set 'mine': it must have 20 samples, not 19"):
        pool.compute(spec | {"loader": {"name": "own_source", "params": {"n": 19}}}, {}, {"paths": {}})
    with pytest.raises(
        Unavailable, match="the file of data set 'mine' was changed since this run was planned; run again"
    ):
        pool.compute(spec | {"digest": "abd"}, {}, {"paths": {}})
