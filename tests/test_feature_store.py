"""The feature store: rows by content, computed once, and anew where they were damaged."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from glitchmark import feature_store
from glitchmark.errors import CellError, Unavailable
from glitchmark.feature_store import FeatureStore, MissingFeatures, clean, content_ids, fill, read
from glitchmark.store import Store
from glitchmark.training.inputs import BATCH, image_tensor
from glitchmark.training.network import build
from glitchmark.training.trunk import Trunk


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    monkeypatch.setattr(feature_store, "SEGMENT", 8)


class Features:
    """A frozen part that remembers what it computed: (2, 3) values a sample, in batches of ``size``."""

    def __init__(self, x, size=3, stop_after=None, dtype=np.float32):
        self.x, self.size, self.stop_after, self.dtype, self.computed = x, size, stop_after, dtype, []

    def of(self, rows):
        flat = self.x[rows].reshape(len(rows), -1).astype(np.float64)
        return np.stack([flat[:, :3], np.sin(flat[:, :3])], axis=1).astype(self.dtype)

    def __call__(self, positions):
        for start in range(0, len(positions), self.size):
            if self.stop_after is not None and len(self.computed) >= self.stop_after:
                raise KeyboardInterrupt
            rows = positions[start : start + self.size]
            self.computed += rows.tolist()
            yield self.of(rows)


def samples(seed, n=30):
    return np.random.default_rng(seed).integers(0, 256, (n, 4, 4), dtype=np.uint8)


def segments(folder):
    return sorted(path.parent for path in folder.glob("*/entry.json"))


def test_ids_tell_content_shape_and_dtype_apart():
    x = samples(0)
    ids = content_ids(x)
    assert len(set(ids)) == len(x)
    assert (content_ids(x[::-1]) == ids[::-1]).all()
    assert set(content_ids(x.reshape(30, 2, 8))) | set(content_ids(x.view(np.int8))) != set(ids)
    assert not set(content_ids(x.reshape(30, 2, 8))) & set(ids)
    assert not set(content_ids(x.view(np.int8))) & set(ids)
    assert content_ids(x[:0]).shape == (0,)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 3, 8, 50])
def test_each_row_is_computed_once_and_returned_in_any_order(tmp_path, seed, size):
    x = samples(seed)
    features, rng = Features(x, size), np.random.default_rng(seed)
    store, ids = FeatureStore(tmp_path), content_ids(x)
    fill(store, ids[:20], features, dict)
    asked = rng.integers(0, 30, 50)
    np.testing.assert_array_equal(read(store, ids[asked], lambda rows: features(asked[rows])), features.of(asked))
    assert sorted(features.computed) == sorted(set(range(20)) | set(asked.tolist()))
    again = FeatureStore(tmp_path)  # another process
    np.testing.assert_array_equal(again.rows(ids[asked]), features.of(asked))
    assert len(again.missing(ids[:20])) == 0


def test_half_precision_is_returned_as_single(tmp_path):
    x = samples(1)
    features = Features(x, dtype=np.float16)
    found = read(FeatureStore(tmp_path), content_ids(x), features)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, features.of(np.arange(30)).astype(np.float32))
    stored = sum(np.load(folder / "features.npy").nbytes for folder in segments(tmp_path))
    assert stored == 30 * 2 * 3 * 2


def test_an_interrupted_pass_keeps_its_whole_segments(tmp_path):
    x = samples(2)
    ids, stopped = content_ids(x), Features(x, stop_after=18)
    with pytest.raises(KeyboardInterrupt):
        fill(FeatureStore(tmp_path), ids, stopped, dict)
    rest = Features(x)
    np.testing.assert_array_equal(read(FeatureStore(tmp_path), ids, rest), rest.of(np.arange(30)))
    assert rest.computed == list(range(16, 30))  # two segments of 8 were whole


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "features flipped": lambda folder: flip(folder / "features.npy"),
    "features cut short": lambda folder: (folder / "features.npy").write_bytes(
        (folder / "features.npy").read_bytes()[:-7]
    ),
    "features gone": lambda folder: (folder / "features.npy").unlink(),
    "ids flipped": lambda folder: flip(folder / "ids.npy"),
    "record cut short": lambda folder: (folder / "entry.json").write_text('{"info"'),
    "record gone": lambda folder: (folder / "entry.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("number", range(4))
def test_a_damaged_segment_is_computed_anew(tmp_path, damage, number):
    x = samples(3)
    ids, features = content_ids(x), Features(x)
    fill(FeatureStore(tmp_path), ids, features, dict)
    damage(segments(tmp_path)[number])
    again = Features(x)
    np.testing.assert_array_equal(read(FeatureStore(tmp_path), ids, again), features.of(np.arange(30)))
    assert 0 < len(again.computed) <= 8
    np.testing.assert_array_equal(FeatureStore(tmp_path).rows(ids), features.of(np.arange(30)))


def test_without_the_means_to_compute_them_missing_rows_are_named(tmp_path):
    x = samples(4)
    ids = content_ids(x)
    fill(FeatureStore(tmp_path), ids[10:], lambda rows: Features(x)(rows + 10), dict)
    with pytest.raises(MissingFeatures) as error:
        FeatureStore(tmp_path).rows(ids[[12, 3, 25, 3, 0]])
    assert error.value.positions.tolist() == [1, 4]


def test_two_writers_do_not_disturb_each_other(tmp_path):
    x = samples(5)
    ids, one, other = content_ids(x), FeatureStore(tmp_path), FeatureStore(tmp_path)
    features = Features(x)
    one.missing(ids), other.missing(ids)  # both have looked, neither has written
    fill(one, ids, features, lambda: {"parameters": 3})
    assert other.about() == {"parameters": 3}
    other.add(ids[5:25], features(np.arange(5, 25)), {"parameters": 3})
    for store in (one, other):
        np.testing.assert_array_equal(store.rows(ids), features.of(np.arange(30)))


def test_clean_removes_what_no_result_refers_to(tmp_path):
    x = samples(6)
    ids, features, results = content_ids(x), Features(x), Store(tmp_path / "store")
    for trunk in ("a", "b"):
        fill(FeatureStore(tmp_path / "features" / trunk), ids, features, dict)
    results.put("k1", {"train": ids[:9], "val": ids[9:10]}, {"trunk": "a"})
    results.put("k2", {"changed": ids[29:]}, {"trunk": "a"})
    results.put("k3", {"train": np.arange(3)}, {})  # of another stage
    entries = [results.open(key) for key in sorted(results.keys())]
    assert clean(tmp_path / "features", entries, dry_run=True) == 1 + 4
    assert len(segments(tmp_path / "features" / "a")) == 4
    assert clean(tmp_path / "features", entries, dry_run=False) == 1 + 4
    kept = FeatureStore(tmp_path / "features" / "a")
    np.testing.assert_array_equal(kept.rows(ids[[0, 9, 29]]), features.of(np.array([0, 9, 29])))
    assert not (tmp_path / "features" / "b").exists()


def test_a_dry_run_of_clean_leaves_damaged_segments_alone(tmp_path):
    x = samples(8)
    fill(FeatureStore(tmp_path / "features" / "a"), content_ids(x), Features(x), dict)
    flip(segments(tmp_path / "features" / "a")[0] / "ids.npy")
    assert clean(tmp_path / "features", [], dry_run=True) == 4
    assert len(segments(tmp_path / "features" / "a")) == 4
    assert clean(tmp_path / "features", [], dry_run=False) == 4
    assert not (tmp_path / "features" / "a").exists()


def test_a_disk_that_damages_what_is_written_is_said(tmp_path, monkeypatch):
    x = samples(9)
    monkeypatch.setattr(FeatureStore, "add", lambda *_: None)
    with pytest.raises(Unavailable, match="damaged when they are read"):
        read(FeatureStore(tmp_path), content_ids(x), Features(x))


def test_infinite_features_are_an_error_of_the_cell(tmp_path):
    parts = build({"name": "resnet20", "params": {}}, (3, 8, 8), 2, 0, (), None)
    torch.nn.init.constant_(parts.network.layer3[1].bn2.bias, 1e6)  # beyond half precision
    save_file({k: v.contiguous() for k, v in parts.network.state_dict().items()}, tmp_path / "w.safetensors")
    spec = {"model": {"name": "resnet20", "params": {}}, "trained": "last_block", "weights": "", "input_size": None}
    x = samples(10)
    for precision in ("single", "half"):
        trunk = Trunk(spec | {"precision": precision, "device": "cpu"}, (4, 4), str(tmp_path / "w.safetensors"))
        if precision == "half":
            with pytest.raises(CellError, match="feature_precision"):
                trunk.features(x)
        else:
            assert np.isfinite(trunk.features(x)).all()


MODELS = [("resnet20", "last_block", None), ("resnet20", "head", None), ("vit_cifar", "head", 32)]


@pytest.mark.parametrize(("name", "trained", "size"), [*MODELS, ("convnext_cifar", "head", 32)])
@pytest.mark.parametrize("seed", range(2))
def test_a_sample_s_features_do_not_depend_on_its_company(name, trained, size, seed):
    """Bit for bit: which other samples are missing depends on what ran before."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (BATCH + 30, 12, 12), dtype=np.uint8)
    spec = {"model": {"name": name, "params": {}}, "trained": trained, "weights": "", "input_size": size}
    trunk = Trunk(spec | {"precision": "single", "device": "cpu"}, (12, 12), "")
    whole = np.concatenate(list(trunk.batches(x.__getitem__, np.arange(len(x)))))
    some = rng.permutation(len(x))[:41]
    np.testing.assert_array_equal(np.concatenate(list(trunk.batches(x.__getitem__, some))), whole[some])
    parts = build(spec["model"], (3, size or 12, size or 12), 2, 0, (), None)
    frozen = parts.split(trained)[0].eval()
    with torch.no_grad():
        close = frozen(image_tensor(x[:BATCH], size)).numpy()
    np.testing.assert_allclose(whole[:BATCH], close, atol=1e-4)


def test_the_record_of_a_segment_has_no_time_or_machine_in_what_is_read(tmp_path):
    """Equal rows give equal files, so that runs on equal machines can be compared."""
    x = samples(7)
    for name in ("one", "other"):
        fill(FeatureStore(tmp_path / name), content_ids(x), Features(x), dict)

    def digests(name):
        return {f.name: json.loads((f / "entry.json").read_text())["digests"] for f in segments(tmp_path / name)}

    assert digests("one") == digests("other")
    assert len(digests("one")) == 4
