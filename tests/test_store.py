"""The store gives back what was put in, or says that it cannot."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from glitchmark.store import DamagedEntry, Store, UpstreamFailure, file_digest, write_text

ARRAYS = {
    "matrix": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    "labels": np.array([3, -1, 2**40]),
    "names": np.array(["digits:0", "größer", "", "字"]),
    "flags": np.array([True, False]),
    "images": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3),
    "nothing": np.empty((0, 3), np.float64),
    "single": np.array(2.5),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "gaps": np.array([np.nan, np.inf, -0.0]),
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def damage(path, *, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_round_trip(store):
    info = {"classes": ["a", "ß"], "ratio": 0.1, "none": None}
    store.put("k", ARRAYS, info, cost={"seconds": 1.5}, stage="train")
    entry = store.get("k")
    assert dict(entry.arrays).keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert entry.arrays[name].dtype == array.dtype, name
        np.testing.assert_array_equal(entry.arrays[name], array, err_msg=name, strict=True)
    assert entry.info == info
    assert entry.key == "k"
    assert entry.failure is None
    assert entry.record["cost"] == {"seconds": 1.5}
    assert entry.record["stage"] == "train"
    assert "k" in store
    assert store.keys() == {"k"}


@pytest.mark.parametrize("name", sorted(set(ARRAYS) - {"nothing"}))
def test_arrays_are_read_only(store, name):
    store.put("k", ARRAYS, {})
    array = store.get("k").arrays[name]
    with pytest.raises(ValueError, match="read-only"):
        array[...] = array.copy()
    np.testing.assert_array_equal(store.get("k").arrays[name], ARRAYS[name])


def test_unknown_arrays_are_key_errors(store):
    store.put("k", ARRAYS, {})
    arrays = store.get("k").arrays
    assert "missing" not in arrays
    with pytest.raises(KeyError, match="missing"):
        arrays["missing"]


@pytest.mark.parametrize("at", [-1, 10, 0])
def test_a_changed_array_is_damaged(store, at):
    store.put("k", ARRAYS, {})
    damage(store.folder / "k" / "matrix.npy", at=at)
    entry = store.get("k")
    np.testing.assert_array_equal(entry.arrays["labels"], ARRAYS["labels"])
    with pytest.raises(DamagedEntry, match=r"matrix\.npy") as caught:
        entry.arrays["matrix"]
    assert caught.value.key == "k"


def test_a_truncated_or_missing_array_is_damaged(store):
    store.put("k", ARRAYS, {})
    path = store.folder / "k" / "matrix.npy"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(DamagedEntry):
        store.get("k").arrays["matrix"]
    path.unlink()
    with pytest.raises(DamagedEntry):
        store.get("k").arrays["matrix"]


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_record_is_damaged(store, share):
    store.put("k", ARRAYS, {"a": 1})
    path = store.folder / "k" / "entry.json"
    os.truncate(path, int((path.stat().st_size - 2) * share))
    with pytest.raises(DamagedEntry) as caught:
        store.open("k")
    assert caught.value.key == "k"
    with pytest.raises(DamagedEntry):
        store.get("k")


def test_a_missing_entry_is_damaged(store):
    with pytest.raises(DamagedEntry) as caught:
        store.get("absent")
    assert caught.value.key == "absent"
    assert "absent" not in store


def test_a_damaged_entry_can_be_removed_and_computed_anew(store):
    store.put("k", {"a": np.zeros(3)}, {})
    damage(store.folder / "k" / "a.npy", at=-1)
    store.remove("k")
    store.put("k", {"a": np.zeros(3)}, {})
    np.testing.assert_array_equal(store.get("k").arrays["a"], np.zeros(3))


def test_an_entry_that_lost_its_record_can_be_computed_anew(store):
    store.put("k", {"a": np.zeros(3)}, {})
    (store.folder / "k" / "entry.json").unlink()
    assert "k" not in store
    store.put("k", {"a": np.ones(3)}, {})
    np.testing.assert_array_equal(store.get("k").arrays["a"], np.ones(3))


def test_a_failed_entry_passes_its_reason_on(store):
    store.put("k", {}, {}, failure="the loss is nan", trace="Traceback ...")
    assert store.open("k").failure == "the loss is nan"
    assert store.open("k").record["trace"] == "Traceback ..."
    assert "k" in store
    with pytest.raises(UpstreamFailure, match="the loss is nan"):
        store.get("k")


def test_the_first_writer_wins(store):
    store.put("k", {"a": np.zeros(3)}, {"writer": 1})
    store.put("k", {"a": np.ones(3), "b": np.ones(1)}, {"writer": 2})
    entry = store.get("k")
    assert entry.info == {"writer": 1}
    assert list(entry.arrays) == ["a"]
    np.testing.assert_array_equal(entry.arrays["a"], np.zeros(3))
    assert os.listdir(store.folder) == ["k"]


def test_concurrent_writers_leave_one_whole_entry(store):
    def write(i):
        store.put("k", {"a": np.full(1000, i), "b": np.full(1000, i)}, {"writer": i})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(32)))
    entry = store.get("k")
    assert set(entry.arrays["a"]) == set(entry.arrays["b"]) == {entry.info["writer"]}
    assert os.listdir(store.folder) == ["k"]


@pytest.mark.parametrize(
    "array", [np.array([{}, "a"], object), np.array([(1, "x")], [("a", int), ("b", object)])], ids=["object", "fields"]
)
def test_object_arrays_are_refused(store, array):
    with pytest.raises(ValueError, match="Object arrays"):
        store.put("k", {"good": np.zeros(2), "bad": array}, {})
    assert os.listdir(store.folder) == []


def test_a_pickle_is_never_loaded(store):
    store.put("k", {"a": np.zeros(2)}, {})
    folder = store.folder / "k"
    np.save(folder / "a.npy", np.array([{}], object), allow_pickle=True)
    record = json.loads((folder / "entry.json").read_text())
    record["digests"]["a"] = file_digest(folder / "a.npy")
    (folder / "entry.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"Python objects|allow_pickle=False"):
        store.get("k").arrays["a"]


def test_info_that_is_not_json_leaves_nothing_behind(store):
    with pytest.raises(TypeError):
        store.put("k", {"a": np.zeros(2)}, {"x": object()})
    assert os.listdir(store.folder) == []


def test_keys_are_entries_only(store):
    assert store.keys() == set()
    store.put("a", {}, {})
    store.put("b", {}, {}, failure="no")
    (store.folder / ".new-abc").mkdir()
    (store.folder / ".old-abc" / "c").mkdir(parents=True)
    (store.folder / "a file").write_text("")
    assert store.keys() == {"a", "b"}


def test_remove(store):
    store.put("a", ARRAYS, {})
    store.put("b", {}, {"stays": True})
    store.remove("a")
    store.remove("never there")
    assert store.keys() == {"b"}
    assert os.listdir(store.folder) == ["b"]
    assert store.get("b").info == {"stays": True}


def test_entries_can_be_read_by_others(store):
    store.put("k", {}, {})
    assert (store.folder / "k").stat().st_mode & 0o777 == 0o755


def test_write_text_leaves_equal_content_alone(tmp_path):
    path = tmp_path / "deep" / "file.json"
    write_text(path, "one")
    os.utime(path, ns=(1, 1))
    inode = path.stat().st_ino
    write_text(path, "one")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (1, inode)
    write_text(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mtime_ns > 1
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["file.json"]


def test_write_text_is_atomic(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    write_text(path, "old")
    seen = []

    def killed(source, target):
        seen.append((path.read_text(), Path(source).read_text(), Path(source).parent == Path(target).parent))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert seen == [("old", "new", True)]  # whole, beside the target, and the target still the old one
    assert path.read_text() == "old"
