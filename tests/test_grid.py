"""What a config's data sets, parts and glitches make of the plan, before anything is loaded."""

import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from glitchmark.chunks import Workflow
from glitchmark.config import read, validated
from glitchmark.errors import UserError
from glitchmark.manifests import write_manifest
from glitchmark.products import STAGES

SMOKE = str(ROOT / "config" / "smoke.yaml")
PAPER = ROOT / "config" / "paper.yaml"
PRETRAINED = {"name": "resnet20", "trained": "last_block", "weights": "https://x.org/resnet20-12fca82f.th"}


def workflow(**changes) -> Workflow:
    return Workflow(validated(read(ROOT, [SMOKE], []) | changes, ROOT))


def stages(run: Workflow) -> Counter:
    return Counter(node.stage for node in run.plan.nodes.values())


def of_stage(run: Workflow, stage: str) -> dict:
    return {key: node for key, node in run.plan.nodes.items() if node.stage == stage}


# The papers' grid


@pytest.fixture
def no_network(monkeypatch):
    """Whoever opens a connection fails."""

    def refuse(*_, **__):
        raise AssertionError("planning opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_the_papers_grid_is_planned_without_downloading(tmp_path, no_network):
    cache = tmp_path / "cache"
    run = Workflow(validated(read(ROOT, [str(PAPER)], [f"cache_dir={cache}"]), ROOT))
    assert not cache.exists()
    # ResNet-20 on three image sets, two foundation models on four; three kinds of models on three tables
    images, tables = 3 + 2 * 4, 3 * 3
    everywhere = 1 + 7 + 1 + 1  # none, the sweep of uniform noise, class-dependent, singular
    on_images = 7 + 2 + 1  # the sweep of far anomalies, two corruptions, the mixture
    cells = 5 * (images * (everywhere + on_images) + tables * everywhere)
    assert stages(run)["train"] == cells == 1550
    assert len(run.grid.settings(run.grid.pool("cifar10"), run.grid.models[0])) == 10
    assert run.grid.settings(run.grid.pool("cifar10"), run.grid.models[0])["learning_rate"] == 0.01
    assert run.config["seeds"] == [0, 1, 2, 3, 4]
    assert run.config["validation_noise"] == [0, 0.2]


def test_plan_takes_a_file_after_config_and_counts_cells(tmp_path):
    command = [
        sys.executable,
        "-m",
        "glitchmark.cli",
        "plan",
        "--config",
        "config/paper.yaml",
        f"results_dir={tmp_path}/r",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "run 'paper': 1550 cells (data set, model, glitch, seed), " in done.stdout
    assert done.stdout.count("mixed on jannis") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_papers_pairs_of_anomalies():
    run = Workflow(validated(read(ROOT, [str(PAPER)], []), ROOT))
    pairs = {d.id: d.anomaly_source for d in run.grid.datasets if d.description.modality == "image"}
    assert pairs == {
        "mnist": "fashion_mnist", "fashion_mnist": "mnist",
        "cifar10": "fashion_mnist", "imagenet_dogs": "fashion_mnist",
    }  # fmt: skip


def test_the_default_grid_has_all_embedded_sets():
    named = yaml.safe_load((ROOT / "config.yaml").read_text())["datasets"]
    assert [d if isinstance(d, str) else d["name"] for d in named] == [
        "digits",
        "letters",
        "shapes",
        "breast_cancer",
        "wine",
        "clusters",
    ]


# Downloads


def test_where_downloads_are_kept_is_in_no_key(tmp_path):
    entries = ["cifar10", {"name": "adult", "loader": "openml", "id": 1590, "cache": str(tmp_path)}]
    models = [PRETRAINED, {"name": "mlp", "trained": "all"}]
    runs = [workflow(datasets=entries, models=models, cache_dir=folder) for folder in ("cache", "~/elsewhere")]
    assert set(runs[0].plan.nodes) == set(runs[1].plan.nodes)
    paths = [{n.spec["dataset"]: n.paths for n in of_stage(run, "pool").values()} for run in runs]
    assert [p["cifar10"]["cache"] for p in paths] == ["cache", str(Path.home() / "elsewhere")]
    assert [p["adult"]["cache"] for p in paths] == [str(tmp_path)] * 2
    assert {n.paths["weights"] for n in of_stage(runs[0], "train").values() if n.paths} == {"cache/weights"}


# Labels by people


def test_labels_by_people_bring_their_own_glitches():
    entries = ["digits", {"name": "worst", "loader": "cifar10n", "labels": "worst"}]
    for glitches in (["none", {"name": "uniform", "ratio": 0.1}], ["none", "human", {"name": "uniform", "ratio": 0.1}]):
        run = workflow(datasets=entries, models=[{"name": "resnet20"}], glitches=glitches)
        parts = {(n.spec["dataset"], *(p["name"] for p in n.spec["parts"])) for n in of_stage(run, "inject").values()}
        assert parts == {("digits", "none"), ("digits", "uniform"), ("worst", "human")}


def test_labels_by_people_are_of_such_data_sets_only():
    with pytest.raises(UserError, match="'human' applies to no data set"):
        workflow(datasets=["digits"], models=[{"name": "resnet20"}], glitches=["human"])


# Parts


def test_the_validation_part_can_come_from_the_sources_own_test_split():
    entries = ["mnist", {"name": "cifar10", "validation_from": "subset"}]
    run = workflow(datasets=entries, models=[{"name": "resnet20"}], glitches=["none"], validation_from="test")
    assert [d.split.validation_from for d in run.grid.datasets] == ["test", "subset"]
    with pytest.raises(UserError, match=r"datasets\[0\] \(digits\): .*'validation_from: test' needs a test split"):
        workflow(datasets=["digits"], models=[{"name": "resnet20"}], glitches=["none"], validation_from="test")


def test_a_ratio_leaves_room_for_the_test_part_or_is_refused():
    assert workflow(subset=0.75, test=0.25)
    with pytest.raises(UserError, match=r"'subset: 0\.9' of 1797 samples leaves 180 for the untouched test part"):
        workflow(subset=0.9, test=0.25)
    assert workflow(subset=0.9, test=0)


# Noise in the validation labels


def test_noise_in_validation_labels_adds_to_the_plan_and_trains_nothing():
    clean, both = workflow(), workflow(validation_noise=[0, 0.2])
    assert set(clean.plan.nodes) < set(both.plan.nodes)
    more = stages(both) - stages(clean)
    assert not {"train", "crossval", "features", "inject", "detect"} & set(more)
    assert more["influence"] == stages(clean)["influence"]
    assert more["validation"] == 2 * 2  # data sets x seeds
    noisy = {(m.labels["method"], m.labels["validation_noise"]) for m in both.plan.measurements if m.stage == "score"}
    assert ("cnci", 0.2) in noisy
    assert ("mahalanobis", 0.2) in noisy
    assert ("loss", 0.2) not in noisy  # reads no validation samples


# Models and glitches


def test_a_model_can_be_kept_to_some_data_sets():
    kept = {"name": "resnet20", "id": "kept", "datasets": ["letters"]}
    models = [kept, {"name": "resnet20"}, {"name": "mlp"}]
    run = workflow(datasets=["digits", "letters", "wine"], models=models)
    pairs = [("digits", "resnet20"), ("letters", "kept"), ("letters", "resnet20"), ("wine", "mlp")]
    assert [(d.id, m.id) for d, m in run.grid.pairs()] == pairs
    with pytest.raises(UserError, match=r"'kept' names the data set 'leters'.*did you mean 'letters'"):
        workflow(datasets=["digits", "letters", "wine"], models=[kept | {"datasets": ["leters"]}, *models[1:]])
    with pytest.raises(UserError, match="no model of 'models' reads 'digits'"):
        workflow(datasets=["digits", "letters", "wine"], models=[models[0], models[2]])


def test_features_are_shared_but_for_inputs_that_a_glitch_changes():
    glitches = ["none", {"name": "uniform", "ratio": 0.1}, {"name": "corruption", "ratio": 0.1}]
    run = workflow(datasets=["digits"], models=[PRETRAINED], glitches=glitches, seeds=[0])
    assert stages(run)["features"] == 2  # of the subset, and of the corrupted images
    by_glitch = {n.spec["parts"][0]["name"]: key for key, n in of_stage(run, "inject").items()}
    of_changed = [n for n in of_stage(run, "features").values() if "inject" in n.inputs]
    assert [n.inputs["inject"] for n in of_changed] == [by_glitch["corruption"]]


# What a run forgets before it starts


def made(run: Workflow, failed: dict[tuple[str, str], str]) -> None:
    """A manifest of every chunk, and an entry of every key, as after a run; ``failed``: chunk -> reason."""
    for chunk, content in run.chunks.items():
        keys = [] if chunk[0] in STAGES else content.order["identity"]
        reasons = dict.fromkeys(keys, failed[chunk]) if chunk in failed else {}
        if chunk == ("evaluate", "tables"):
            reasons = {str(i): reason for i, reason in enumerate(failed.values())}  # it repeats them all
        for key in keys:
            run.store.put(key, {}, {}, failure=reasons.get(key))
        write_manifest(run.manifest(*chunk), run.order(*chunk), keys, reasons)


def there(run: Workflow) -> set:
    return {chunk for chunk in run.chunks if Path(run.manifest(*chunk)).is_file()}


def test_what_was_unavailable_runs_again_with_all_that_it_comes_from(tmp_path):
    run = workflow(results_dir=str(tmp_path))
    made(run, {("inject", "wine"): "unavailable: nobody answers", ("inject", "digits"): "it cannot be"})
    run.forget_lost()
    # and whatever is made from the tables, which may be others under the same keys
    gone = {("pool", "wine"), ("subset", "wine"), ("inject", "wine")}
    assert set(run.chunks) - there(run) == gone | {chunk for chunk in run.chunks if chunk[0] in STAGES}
    assert run.store.keys() == set(run.plan.nodes)  # the jobs know what to compute


def test_failures_that_another_run_mended_are_not_removed(tmp_path):
    run = workflow(results_dir=str(tmp_path), retry_failed=True)
    made(run, {("inject", "wine"): "it cannot be"})
    mended, *others = [node["key"] for node in run.chunks["inject", "wine"].order["nodes"]]
    run.store.remove(mended)
    run.store.put(mended, {}, {})
    run.forget_lost()
    assert set(run.plan.nodes) - run.store.keys() == set(others)
    assert ("inject", "wine") not in there(run)
    assert ("pool", "wine") in there(run)
