"""The real workflow with frozen layers: features computed once, by content, and the same numbers as without a store."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from conftest import Project
from glitchmark import seeds
from glitchmark.feature_store import factor_arrays
from glitchmark.stages._samples import training_inputs
from glitchmark.store import Store
from glitchmark.training.inputs import forward, image_tensor
from glitchmark.training.network import build
from glitchmark.training.sgd import Settings, fit

SETTINGS = {"epochs": 3, "learning_rate": 0.05, "batch_size": 32}
RESNET = {"name": "resnet20", "weights": "resnet20.safetensors"}
MODELS = [
    RESNET | SETTINGS | {"id": "block", "trained": "last_block"},
    RESNET | SETTINGS | {"id": "head", "trained": "head"},
]
GRID = {
    "models": MODELS,
    "datasets": ["digits"],
    "glitches": ["none", {"name": "uniform", "ratio": 0.1}, {"name": "far_ca", "ratio": 0.1}],
    "signals": ["si", "cnci", "mahalanobis"],
    "detectors": ["iforest_features"],
    "figures": [{"name": "fig1a"}],
}


def write_weights(folder, seed=0):
    parts = build({"name": "resnet20", "params": {}}, (3, 8, 8), 10, seed, (), None)
    folder.mkdir()
    state = {name: tensor.contiguous() for name, tensor in parts.network.state_dict().items()}
    save_file(state, folder / "resnet20.safetensors")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("frozen"))
    write_weights(project.folder / "weights")
    project.run(**GRID)
    return project


@pytest.fixture
def copy(finished, tmp_path):
    for name in ("results", "figures", "weights"):
        shutil.copytree(finished.folder / name, tmp_path / name)
    return Project(tmp_path)


def segments(project):
    """Folder -> content of every segment's ids."""
    found = sorted((project.folder / "results" / "features").glob("*/*/ids.npy"))
    return {path.parent: np.load(path) for path in found}


def of_stage(project, stage):
    return {key: record for key, record in project.entries().items() if record["stage"] == stage}


def metrics(project):
    return (project.results / "metrics.parquet").read_bytes()


def test_every_sample_passes_a_frozen_part_once(finished):
    """Two seeds draw overlapping subsets; labels do not matter, and anomalies count where they are."""
    by_trunk: dict[Path, list] = {}
    for folder, ids in segments(finished).items():
        by_trunk.setdefault(folder.parent, []).extend(ids)
    assert len(by_trunk) == 2  # one frozen part a model
    pool = Store(finished.folder / "results" / "store")
    used = set()
    for record in of_stage(finished, "inject").values():
        if record["spec"]["dataset"] == "digits":
            inputs = {name: pool.get(key) for name, key in record["inputs"].items()}
            val = inputs["pool"].arrays["x"][inputs["subset"].arrays["val"]]
            test = inputs["pool"].arrays["x"][inputs["subset"].arrays["test"]]
            key = next(k for k, r in finished.entries().items() if r == record)
            train = training_inputs(inputs | {"inject": pool.get(key)})
            used |= {x.tobytes() for x in (*train, *val, *test)}
    for ids in by_trunk.values():
        assert len(ids) == len(set(ids)) == len(used)


def test_a_cell_of_a_frozen_backbone_keeps_no_copy_of_its_features(finished):
    folder = finished.folder / "results" / "store"
    for key, record in of_stage(finished, "train").items():
        there = {path.stem for path in (folder / key).glob("*.npy")}
        assert ("features_train" in there) == (record["spec"]["trained"] == "last_block")
        assert ("feature_ids_train" in there) == (record["spec"]["trained"] == "head")


class Through(nn.Module):
    """A frozen part that every batch passes again, without gradients and in eval mode."""

    def __init__(self, frozen, block):
        super().__init__()
        self._frozen, self.block = [frozen], block  # in a list, so that its parameters are not trained

    def forward(self, x):
        with torch.no_grad():
            features = self._frozen[0].eval()(x)
        return self.block(features)


def trained_through(finished, spec, inputs):
    """(features, logits) at each checkpoint, of the training and the validation samples each, without any store."""
    cell, weights = ("digits", "resnet20"), str(finished.folder / "weights" / "resnet20.safetensors")
    parts = build(spec["model"], (3, 8, 8), 10, spec["seed"], cell, weights)
    through = Through(*parts.split(spec["trained"]))
    x = image_tensor(training_inputs(inputs))
    x_val = image_tensor(inputs["pool"].arrays["x"][inputs["subset"].arrays["val"]])
    y = torch.from_numpy(np.array(inputs["inject"].arrays["observed_label"]))
    read = []

    def checkpoint():
        features = [forward(through, part) for part in (x, x_val)]
        read.append((features, [forward(parts.head, f) for f in features]))

    rng = seeds.generator(spec["seed"], "batches", *cell)
    fit(through, parts.head, x, y, Settings(**spec["settings"], checkpoints=10), rng, checkpoint)
    return read


@pytest.mark.parametrize("trained", ["head", "last_block"])
def test_training_from_the_store_is_training_through_the_network(finished, trained):
    store = Store(finished.folder / "results" / "store")
    cells = {k: r for k, r in of_stage(finished, "train").items() if r["spec"]["trained"] == trained}
    assert len(cells) == 2 * 3
    for key, record in cells.items():
        inputs = {name: store.get(k) for name, k in record["inputs"].items()}
        factors = factor_arrays(store.get(key), finished.folder / "results" / "features")
        assert len(factors["features_train"]) == (1 if trained == "head" else 3)
        for t, (features, logits) in enumerate(trained_through(finished, record["spec"], inputs)):
            for part, f, z in zip(("train", "val"), features, logits, strict=True):
                stored = factors[f"features_{part}"]
                for found, wanted in ((stored[min(t, len(stored) - 1)], f), (factors[f"logits_{part}"][t], z)):
                    # rounding in the frozen part grows with each step through the activations of a trained block
                    largest = wanted.abs().max().item()
                    close = {"rtol": 1e-4, "atol": 1e-4} if trained == "head" else {"atol": 1e-2 * largest}
                    np.testing.assert_allclose(found, wanted.numpy(), **close)


def test_a_seed_more_computes_features_of_new_samples_only(copy):
    before, entries = segments(copy), copy.entries()
    copy.run(**GRID, seeds=[0, 1, 2])
    after = segments(copy)
    assert all((after[folder] == ids).all() for folder, ids in before.items())
    for trunk in {folder.parent for folder in after}:
        known = np.concatenate([ids for folder, ids in before.items() if folder.parent == trunk])
        new = np.concatenate([ids for folder, ids in after.items() if folder.parent == trunk and folder not in before])
        assert len(new) == len(set(new))
        assert not set(new) & set(known)
    assert len(of_stage(copy, "train")) == len([r for r in entries.values() if r["stage"] == "train"]) * 3 // 2


def test_another_run_and_another_head_share_the_features(copy):
    before = segments(copy)
    copy.run("run=other", **GRID | {"glitches": [{"name": "uniform", "ratio": 0.2}], "training": [{"epochs": 2}]})
    assert segments(copy).keys() == before.keys()


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content)


def forget(project, *stages):
    """Remove results and manifests of some stages, as if they had not been computed."""
    for key in [k for stage in stages for k in of_stage(project, stage)]:
        shutil.rmtree(project.folder / "results" / "store" / key)
    for stage in stages:
        shutil.rmtree(project.results / "manifests" / stage)
    shutil.rmtree(project.results / "manifests" / "evaluate")


def test_training_mends_damaged_features_by_itself(copy):
    before = metrics(copy)
    for folder in segments(copy):
        damage(folder / "features.npy")
    forget(copy, "train", "influence", "score")
    copy.run(**GRID)
    assert metrics(copy) == before


def test_what_reads_damaged_features_of_a_head_says_so_and_the_next_run_mends_it(copy):
    before = metrics(copy)
    for folder in segments(copy):
        damage(folder / "features.npy")
    forget(copy, "influence")
    done = copy.run(**GRID, check=False)
    assert done.returncode != 0
    assert "Run again" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "refers to features in" in done.stdout + done.stderr
    copy.run(**GRID)
    assert metrics(copy) == before


def test_jobs_that_are_killed_at_any_moment_leave_the_same_results(copy):
    """Features and trainings, killed twice a job at times that no seed fixes, and started again."""
    digests = {key: record["digests"] for key, record in copy.entries().items()}
    rows = {folder.name: (folder / "features.npy").read_bytes() for folder in segments(copy)}
    forget(copy, "features", "train")
    shutil.rmtree(copy.folder / "results" / "features")
    for stage in ("features", "train"):
        for order in sorted((copy.results / "plan" / stage).glob("*.json")):
            command = [sys.executable, "-m", "glitchmark.job", str(order), str(copy.folder / "m-0.json")]
            for delay in np.random.default_rng().uniform(0.5, 4, 2):
                with subprocess.Popen(command, cwd=copy.folder, stderr=subprocess.DEVNULL) as job:
                    time.sleep(delay)
                    job.kill()
            subprocess.run(command, cwd=copy.folder, check=True)
    assert {key: record["digests"] for key, record in copy.entries().items()} == digests
    assert {folder.name: (folder / "features.npy").read_bytes() for folder in segments(copy)}.items() >= rows.items()


def test_half_precision_is_close_and_its_own_key(copy):
    before = segments(copy)
    copy.run("feature_precision=half", **GRID | {"seeds": [0]})
    new = [folder for folder in segments(copy) if folder not in before]
    assert new
    assert {np.load(folder / "features.npy").dtype for folder in new} == {np.dtype(np.float16)}
    for folder in new:
        ids, half = np.load(folder / "ids.npy"), np.load(folder / "features.npy")
        single = [np.load(f / "features.npy") for f, others in before.items() if ids.tolist() == others.tolist()]
        assert len(single) == 2  # of both models
        (same,) = (features for features in single if features.shape == half.shape)
        np.testing.assert_allclose(half, same, rtol=2e-3, atol=2e-3)


def test_a_gpu_that_is_not_there_is_said_in_one_sentence(copy):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = copy.run("device=cuda", **GRID | {"seeds": [0], "detectors": []}, check=False)
    assert done.returncode != 0
    assert "torch finds no GPU here" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
