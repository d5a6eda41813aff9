"""The real workflow on the smoke grid: the same bytes every time, and only what is missing is computed."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import ROOT, Project
from glitchmark.lock import hold

SIGNAL = '''
"""A signal in one file."""
from glitchmark.signals import signal

@signal("{name}", targets="mislabeled", reads="{reads}", reference="test")
def score(influence):
    """The larger of all class sums, turned."""
    return {expression}
'''
ESTIMATOR = '''
"""An estimator in one file."""
from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators.grad_dot import GradDot

@estimator("my_dot", reference="test")
class MyDot(GradDot):
    """Twice Grad-Dot."""

    def __init__(self, factors):
        super().__init__(factors)
        self.weights, self.targets = 2 * self.weights, 2 * self.targets
'''
FEW = ["fig1a"]  # where a test is not about figures, which take seconds each
MLP = {"name": "mlp", "trained": "all", "epochs": 4, "learning_rate": 0.1, "batch_size": 32}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished smoke run; tests work on copies of it."""
    project = Project(tmp_path_factory.mktemp("finished"))
    project.run(cores=2, hash_seed="1")
    return project


@pytest.fixture
def copy(finished, tmp_path):
    """A moved copy of the finished run, without Snakemake's own records."""
    shutil.copytree(finished.folder / "results", tmp_path / "results")
    shutil.copytree(finished.folder / "figures", tmp_path / "figures")
    return Project(tmp_path)


def computed(project: Project, before: dict[str, dict]) -> list[dict]:
    """Records of the results that a run added; those that were there must be untouched."""
    after = project.entries()
    assert {key: after.get(key) for key in before} == before
    return [record for key, record in after.items() if key not in before]


def write_signal(
    project: Project,
    name="my_signal",
    expression="-influence.class_sums().total.max(axis=1)",
    reads="influence",
):
    text = SIGNAL.format(name=name, expression=expression, reads=reads)
    (project.folder / f"{name}.py").write_text(text)


def signals(*more):
    return [*yaml.safe_load(Project.configfile.read_text())["signals"], *more]


def of(metrics: pd.DataFrame, **values):
    """The rows with these values, without the columns' names of the frame that they come from."""
    for column, value in values.items():
        metrics = metrics[metrics[column] == value]
    return metrics.reset_index(drop=True)


def test_a_run_leaves_tables_and_figures(finished):
    metrics = pd.read_parquet(finished.results / "metrics.parquet")
    assert set(metrics["status"]) <= {"ok", "constant"}
    detection = metrics[(metrics["metric"] == "average_precision") & (metrics["class"] == "")]
    cells = detection.groupby(["dataset", "glitch", "seed", "validation_ratio"]).size()
    assert set(cells.index.get_level_values("dataset")) == {"digits", "wine"}
    assert (detection.groupby("method").size().loc[["cnci", "pcid"]] == (2 * 2 + 1 * 2) * 2).all()  # cells x ratios
    wine = metrics[(metrics["dataset"] == "wine") & (metrics["metric"] == "f1") & (metrics["validation_ratio"] == 0.2)]
    f1 = wine.groupby("method")["value"].mean()
    assert f1["cnci"] > 0.6
    assert f1["cnci"] > f1["mi"]
    assert "none" not in set(detection["glitch"])
    turned = json.loads((finished.results / "notes.json").read_text())["turned"]
    assert turned.keys() == {"mi"}  # MI is large for samples that help
    for name in ("fig1a", "fig4a", "fig5a", "fig5b", "overview", "influence_by_epoch", "cancellation"):
        assert (finished.folder / "figures" / "smoke" / f"{name}.pdf").read_bytes()[:4] == b"%PDF"
        assert (finished.folder / "figures" / "smoke" / f"{name}.png").stat().st_size > 5000
    samples = pd.read_parquet(finished.results / "samples.parquet")
    mixed = samples[(samples["glitch"] == "mixed") & (samples["seed"] == 0) & (samples["method"] == "cfrank")]
    assert mixed["glitch_kind"].value_counts().to_dict() == {"": 108, "mislabeled": 12, "anomalous": 12}
    assert sorted(mixed["rank"]) == list(range(1, 133))
    assert mixed.loc[mixed["glitch_kind"] == "anomalous", "sample_id"].str.startswith("letters:").all()
    costs = pd.read_parquet(finished.results / "costs.parquet")
    assert len(costs) == len(finished.entries())
    assert (costs["seconds"] > 0).all()


def test_signals_of_every_kind(finished):
    """Those that read no influence have no estimator, and those that read no validation samples have no ratio."""
    metrics = pd.read_parquet(finished.results / "metrics.parquet")
    found = metrics[metrics["method"] != ""].groupby(["method", "estimator"])["validation_ratio"].unique()
    expected = {(name, "tracin"): [0.1, 0.2] for name in signals()}
    del expected["mahalanobis", "tracin"], expected["loss", "tracin"]
    expected |= {("mahalanobis", ""): [0.1, 0.2], ("loss", ""): [0.0]}
    expected |= {(name, ""): [0.0] for name in ("cleanlab", "iforest", "iforest_features")}
    assert {key: sorted(ratios) for key, ratios in found.items()} == expected
    assert set(metrics["subset"]) == {0}
    stages = pd.Series([r["stage"] for r in finished.entries().values()]).value_counts()
    assert stages["dynamics"] == stages["influence"] == stages["train"] == 10
    series = pd.read_parquet(finished.results / "series.parquet")
    epochs = series[series["series"] == "mi_by_epoch"].groupby("dataset")["x"].unique().map(sorted).to_dict()
    assert epochs == {"digits": [1, 2], "wine": [1, 2, 3, 4]}


def test_data_without_known_glitches_get_a_ranked_list(finished):
    ranked = pd.read_csv(finished.results / "ranked" / "wine-mlp.csv")
    assert ranked["rank_cfrank"].is_monotonic_increasing
    assert {"sample_id", "observed_label", "suggested_label", "kind", "seeds", "rank_cnci"} <= set(ranked.columns)
    assert ranked["suggested_label"].isin(["class_0", "class_1", "class_2"]).all()


def test_one_core_and_another_hash_seed_give_the_same_bytes(finished, project):
    done = project.run(cores=1, hash_seed="2")
    for name in ("metrics", "samples", "series"):
        mine, theirs = (p.results / f"{name}.parquet" for p in (project, finished))
        assert mine.read_bytes() == theirs.read_bytes(), name
    assert "below chance on the glitches that they look for, by mean AUROC: mi (0." in done.stdout
    assert set(project.entries()) == set(finished.entries())


def test_a_killed_run_goes_on_where_it_was(finished, project):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(project.folder), "--configfile", str(project.configfile)]
    running = subprocess.Popen(command, cwd=project.folder, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not any(r["stage"] == "train" for r in project.entries().values()) and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = project.entries()
    assert 0 < len(before) < len(finished.entries())
    project.run()
    computed(project, before)
    assert (project.results / "metrics.parquet").read_bytes() == (finished.results / "metrics.parquet").read_bytes()


def test_a_job_that_was_killed_after_its_last_write_holds_nothing_up(copy):
    """Snakemake's marker of a running job outlives a kill -9; the manifest that the job wrote is whole all the same."""
    (manifest,) = copy.results.glob("manifests/train/wine-*.json")
    markers = copy.folder / ".snakemake" / "incomplete"
    markers.mkdir(parents=True)
    name = base64.urlsafe_b64encode(str(manifest.relative_to(copy.folder)).encode()).decode()
    (markers / name).write_text("{}")
    (copy.results / "metrics.parquet").unlink()
    (copy.folder / "figures" / "smoke" / "fig1a.png").unlink()
    copy.run()
    assert (copy.results / "metrics.parquet").is_file()
    assert (copy.folder / "figures" / "smoke" / "fig1a.png").is_file()


def test_nothing_runs_twice(copy):
    before = copy.entries()
    for path in (copy.folder / "results").rglob("*.json"):
        path.touch()
    times = {p: p.stat().st_mtime_ns for p in copy.folder.glob("figures/smoke/*")}
    copy.run()
    assert computed(copy, before) == []
    assert times == {p: p.stat().st_mtime_ns for p in copy.folder.glob("figures/smoke/*")}


def test_a_seed_more_computes_its_cells_only(copy):
    before = copy.entries()
    copy.run(seeds=[0, 1, 2], figures=FEW)
    new = computed(copy, before)
    assert {r["spec"]["seed"] for r in new if "seed" in r["spec"]} == {2}
    stages = pd.Series([r["stage"] for r in new]).value_counts()
    # five cells a seed: digits x (none, uniform, mixed), wine x (none, uniform)
    assert all(stages[name] == 5 for name in ("train", "influence", "dynamics", "crossval", "inject"))
    assert stages["score"] == 5 * len(signals())
    # raw inputs are the same with and without label noise: digits twice, wine once
    assert stages["detect"] == 5 * 2 + 3
    assert "pool" not in stages
    assert set(pd.read_parquet(copy.results / "metrics.parquet")["seed"]) == {0, 1, 2}


def test_a_signal_is_one_file(copy):
    before = copy.entries()
    write_signal(copy)
    copy.run(signals=signals("./my_signal.py"), figures=FEW)
    new = computed(copy, before)
    assert [r["stage"] for r in new] == ["score"] * 10
    assert {r["spec"]["signal"]["name"] for r in new} == {"my_signal"}
    metrics = pd.read_parquet(copy.results / "metrics.parquet")
    assert metrics.loc[metrics["method"] == "my_signal", "value"].notna().all()

    before = copy.entries()
    source = (copy.folder / "my_signal.py").read_text()
    (copy.folder / "my_signal.py").write_text("# a comment\n" + source.replace("A signal in", "Another docstring,\nin"))
    copy.run(signals=signals("./my_signal.py"), figures=FEW)
    assert computed(copy, before) == []

    write_signal(copy, expression="influence.class_sums().total.min(axis=1)")
    copy.run(signals=signals("./my_signal.py"), figures=FEW)
    assert {r["spec"]["signal"]["name"] for r in computed(copy, before)} == {"my_signal"}

    before = copy.entries()
    copy.run(signals=signals(), figures=FEW)
    assert computed(copy, before) == []
    assert "my_signal" not in set(pd.read_parquet(copy.results / "metrics.parquet")["method"])


def test_estimators_a_reference_and_more_validation_draws(copy):
    before = copy.entries()
    old = pd.read_parquet(copy.results / "metrics.parquet")
    copy.run(
        estimators=["tracin", {"name": "grad_dot", "id": "train_dot", "against": "training"}],
        reference="loo",
        validation_bootstraps=2,
        figures=["overview", "influence_by_epoch", "cancellation", "loo_correlation"],
    )
    new = computed(copy, before)
    assert not [r["failure"] for r in new if r["failure"]]
    stages = pd.Series([r["stage"] for r in new]).value_counts().to_dict()
    # ten cells: influence of both, the rest of the new estimator; seven signals of both, and mahalanobis
    assert stages == {"influence": 20, "dynamics": 10, "matrix": 10, "agreement": 10, "score": 10 * (7 * 2 + 1)}

    metrics = pd.read_parquet(copy.results / "metrics.parquet")
    assert set(metrics["status"]) <= {"ok", "constant"}
    draws = {
        name: set(zip(r["validation_ratio"], r["subset"], strict=True)) for name, r in metrics.groupby("estimator")
    }
    of_validation = {(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)}
    assert draws == {"": of_validation | {(0.0, 0)}, "tracin": of_validation, "train_dot": {(0.0, 0)}}
    cells = metrics[metrics["metric"] == "auroc"].groupby(["method", "estimator"]).size()
    assert (cells["mi"] == pd.Series({"tracin": 6 * 4, "train_dot": 6})).all()
    for method in ("loss", "iforest", "cleanlab"):
        pd.testing.assert_frame_equal(of(metrics, method=method), of(old, method=method))
    kept = of(metrics, method="mahalanobis", subset=0)
    pd.testing.assert_frame_equal(kept, of(old, method="mahalanobis"))
    ratio = of(metrics, method="si", estimator="tracin")  # self-influence reads no validation sample
    assert (ratio.groupby(["dataset", "glitch", "seed", "class", "metric"])["value"].nunique() == 1).all()

    store = copy.folder / "results" / "store"
    by_draws = {1: {}, 2: {}}
    for key, record in copy.entries().items():
        if record["stage"] == "influence" and record["spec"]["estimator"]["against"] == "validation":
            by_draws[record["spec"]["validation_bootstraps"]][record["inputs"]["train"]] = store / key
    assert by_draws[1].keys() == by_draws[2].keys()
    for train, two in by_draws[2].items():
        one, drawn = by_draws[1][train], np.load(two / "validation.npy")
        np.testing.assert_array_equal(drawn[::2], np.load(one / "validation.npy"))
        assert (drawn[0] != drawn[1]).any()
        np.testing.assert_allclose(np.load(two / "neg.npy")[::2], np.load(one / "neg.npy"), rtol=1e-4, atol=1e-5)

    series = pd.read_parquet(copy.results / "series.parquet")
    agreement = series[series["series"] == "agreement"]
    assert set(agreement["estimator"]) == {"tracin"}
    sizes = agreement.groupby(["dataset", "glitch", "seed"]).size()
    assert {(dataset, n) for (dataset, *_), n in sizes.items()} == {("digits", 30), ("wine", 28)}  # validation samples
    assert agreement["value"].between(-1, 1).all()
    assert agreement.loc[agreement["dataset"] == "wine", "value"].mean() > 0.5
    assert set(series.loc[series["series"] == "mi_by_epoch", "estimator"]) == {"tracin", "train_dot"}
    for name in ("overview", "influence_by_epoch", "cancellation", "loo_correlation"):
        assert (copy.folder / "figures" / "smoke" / f"{name}.png").stat().st_size > 5000


def test_an_estimator_is_one_file_and_signals_read_what_they_declare(copy):
    (copy.folder / "my_dot.py").write_text(ESTIMATOR)
    undeclared = {
        "sums_of_training": ("training", "-influence.class_sums().total.min(axis=1)", "sums"),
        "self_of_factors": ("factors", "influence.self_influence", "sums"),
        "matrix_of_factors": ("factors", "influence.matrix().sum(axis=1)", "build"),
        "dynamics_of_influence": ("influence", "influence.dynamics.self_influence.sum(axis=0)", "dynamics"),
    }
    for name, (reads, expression, _) in undeclared.items():
        write_signal(copy, name, expression, reads)
    before = copy.entries()
    done = copy.run(
        check=False,
        datasets=["wine"],
        models=[MLP],
        glitches=["none", {"name": "uniform", "ratio": 0.1}],
        estimators=["grad_dot", "./my_dot.py"],
        signals=["si", "cnci", "cancellation", "loss", *(f"./{name}.py" for name in undeclared)],
        figures=[],
    )
    assert done.returncode == 1
    new = computed(copy, before)
    failed = [r for r in new if r["failure"]]
    # four cells; the one that reads influence has a result for each estimator
    assert f"FAILED: {4 * 5} results" in done.stdout
    assert pd.Series([r["spec"]["signal"]["name"] for r in failed]).value_counts().to_dict() == {
        name: 8 if reads == "influence" else 4 for name, (reads, _, _) in undeclared.items()
    }
    metrics = pd.read_parquet(copy.results / "metrics.parquet")
    for name, (_, _, reader) in undeclared.items():
        needed = "dynamics" if reader == "dynamics" else "influence"
        sentence = f'the signal reads {needed}, but declares less; add reads="{needed}" to its decorator'
        assert {r["failure"] for r in failed if r["spec"]["signal"]["name"] == name} == {sentence}
        assert set(of(metrics, method=name)["status"]) == {f"failed: {sentence}"}
    assert of(metrics, method="loss")["status"].eq("ok").all()
    for method in ("si", "cnci", "cancellation"):  # twice the influence ranks samples as the influence does
        mine, theirs = (of(metrics, method=method, estimator=name) for name in ("my_dot", "grad_dot"))
        assert len(mine) > 0
        pd.testing.assert_frame_equal(mine.drop(columns="estimator"), theirs.drop(columns="estimator"))


def test_signals_that_fail_take_nothing_along(copy):
    reasons = {
        "not_finite": ("influence.labels / 0.0", "NaN or infinite"),
        "wrong_shape": ("influence.labels[1:]", "expected one number a training sample"),
        "raises": ("1 / 0", "ZeroDivisionError"),
        "exits": ("exit(3)", "SystemExit"),
        "writes_to_its_input": ("influence.labels.sort()", "read-only"),
    }
    before = copy.entries()
    for name, (expression, _) in reasons.items():
        write_signal(copy, name, expression)
    done = copy.run(signals=signals(*(f"./{name}.py" for name in reasons)), check=False, figures=FEW)
    assert done.returncode == 1
    assert "FAILED: 50 results" in done.stdout
    assert len(computed(copy, before)) == 50
    metrics = pd.read_parquet(copy.results / "metrics.parquet")
    assert metrics.loc[metrics["method"] == "cnci", "status"].eq("ok").all()
    for name, (_, reason) in reasons.items():
        mine = metrics[metrics["method"] == name]
        assert mine["value"].isna().all()
        assert mine["status"].str.match(f"failed: .*{reason}").all()
        assert reason in done.stdout


def test_a_diverged_model_is_recorded_and_can_be_retried(copy):
    before = copy.entries()
    training = [{"dataset": "wine", "learning_rate": 1e30}]
    done = copy.run(training=training, check=False, figures=FEW)
    assert done.returncode == 1
    assert "training diverged" in done.stdout
    failed = [r for r in computed(copy, before) if r["failure"]]
    assert {r["stage"] for r in failed} == {"train", "crossval", "influence", "dynamics", "score", "detect"}
    metrics = pd.read_parquet(copy.results / "metrics.parquet")
    wine = metrics[(metrics["dataset"] == "wine") & (metrics["method"] != "iforest")]
    assert wine["status"].str.startswith("failed: training diverged").all()
    assert metrics.loc[metrics["dataset"] == "digits", "status"].isin(["ok", "constant"]).all()

    again = copy.run(training=training, check=False, figures=FEW)
    assert again.returncode == 1
    before = copy.entries()
    copy.run("retry_failed=true", training=training, check=False, figures=FEW)
    after = copy.entries()
    retried = [k for k in before if before[k] != after[k]]
    assert retried
    assert all(before[k]["failure"] for k in retried)


FAR_AWAY = '''
"""A source that is there now and then."""
from pathlib import Path

import numpy as np

from glitchmark.datasets import Description, Pool, dataset
from glitchmark.errors import Unavailable

@dataset(
    "far_away", modality="table", source="test", licence="test", inspect=lambda **_: Description("table", 60, 2)
)
def far_away(*, cache: str = "cache") -> Pool:
    """Sixty rows, if the cache has them."""
    if not (Path(cache) / "there").exists():
        raise Unavailable("nobody answers")
    y = np.arange(60) % 2
    return Pool(np.c_[y, -y].astype(np.float32), y, ("a", "b"))
'''


def test_what_is_unavailable_stops_nothing_else_and_is_tried_again(project):
    (project.folder / "far_away.py").write_text(FAR_AWAY)
    wanted = {
        "datasets": ["wine", {"name": "far_away", "path": "./far_away.py"}],
        "models": [{"name": "mlp", "epochs": 2}],
        "glitches": [{"name": "uniform", "ratio": 0.1}],
        "signals": ["si"],
        "detectors": [],
        "figures": FEW,
        "seeds": [0],
        "cache_dir": str(project.folder),
    }
    done = project.run(check=False, **wanted)
    assert done.returncode == 1
    assert "To try them again: run again" in done.stdout
    metrics = pd.read_parquet(project.results / "metrics.parquet").set_index("dataset")
    assert (metrics.loc["wine", "status"] == "ok").all()
    assert (metrics.loc["far_away", "status"] == "failed: unavailable: nobody answers").all()
    counts = pd.read_csv(project.results / "class_counts.csv").set_index("dataset")["status"]
    assert set(counts["wine"]) == {"ok"}
    assert counts["far_away"] == "failed: unavailable: nobody answers"

    before = project.entries()
    (project.folder / "there").touch()
    project.run(**wanted)
    metrics = pd.read_parquet(project.results / "metrics.parquet")
    assert (metrics["status"] == "ok").all()
    after = project.entries()
    assert {key: after[key] for key in before if not before[key]["failure"]} == {
        key: record for key, record in before.items() if not record["failure"]
    }


def test_a_lost_or_damaged_result_is_computed_again(copy):
    before = copy.entries()
    lost, damaged = [k for k, r in before.items() if r["stage"] == "influence"][:2]
    shutil.rmtree(copy.folder / "results" / "store" / lost)
    path = copy.folder / "results" / "store" / damaged / "neg.npy"
    path.write_bytes(path.read_bytes()[:-8])
    (copy.results / "metrics.parquet").unlink()
    write_signal(copy)  # reads every influence
    done = copy.run(signals=signals("./my_signal.py"), check=False, figures=FEW)
    assert done.returncode != 0
    assert f"{damaged}/neg.npy is damaged" in done.stderr
    copy.run(signals=signals("./my_signal.py"), figures=FEW)
    after = copy.entries()
    assert {k: r["digests"] for k, r in before.items()} == {k: after[k]["digests"] for k in before}
    n_classes = {"digits": 10, "wine": 3}[before[damaged]["spec"]["dataset"]]
    assert np.load(path).shape[:2] == (2, n_classes)  # a row a validation subset


def test_a_second_run_is_refused(copy):
    with hold(copy.folder / "results"):
        done = copy.run(check=False)
    assert done.returncode == 2
    assert "another run is using 'results'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"signals": ["gd_clas"]}, "signals[0]: unknown signal 'gd_clas'; did you mean 'gd_class'?"),
        ({"datasets": ["digit"]}, "datasets[0]: unknown dataset 'digit'; did you mean 'digits'?"),
        ({"glitches": [{"name": "uniform", "ratio": 1.5}]}, "glitches[0].ratio"),
        ({"sedes": [1]}, "unknown key 'sedes'; did you mean 'seeds'?"),
    ],
)
def test_a_broken_config_is_one_sentence(project, keys, message):
    done = project.run(check=False, **keys)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not project.entries()


def test_a_users_own_file_is_scored_without_truth(project):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 30)
    x = (5 * np.eye(3)[y] + rng.normal(size=(90, 3))).astype(np.float32)
    np.savez(project.folder / "mine.npz", x=x, y=y, class_names=["ant", "bee", "cat"])
    overlay = {
        "run": "smoke",
        "seeds": [0],
        "test": 0,
        "data_dir": ".",
        "datasets": [{"name": "mine", "loader": "npz", "file": "mine.npz"}],
        "models": [{"name": "mlp", "epochs": 4, "learning_rate": 0.1, "batch_size": 16}],
        "glitches": ["none"],
        "signals": signals(),
        "figures": FEW,
        "folds": 2,
    }
    project.configfile = project.folder / "mine.yaml"
    project.configfile.write_text(json.dumps(overlay))
    project.run()
    ranked = pd.read_csv(project.results / "ranked" / "mine-mlp.csv")
    assert len(ranked) == 72
    assert set(ranked["suggested_label"]) <= {"ant", "bee", "cat"}
    metrics = pd.read_parquet(project.results / "metrics.parquet")
    assert set(metrics["metric"]) == {
        "validation_accuracy",
        "training_loss",
        "training_accuracy",
        "training_loss_published",
        # how many samples stand out, which takes no truth
        *(f"flagged_{rule}" for rule in ("gap", "mixture", "mad", "own")),
    }
    samples = pd.read_parquet(project.results / "samples.parquet")
    assert (samples["true_label"] == "").all()

    before = project.entries()
    x[0, 0] += 1
    np.savez(project.folder / "mine.npz", x=x, y=y, class_names=["ant", "bee", "cat"])
    project.run()
    assert "pool" in {r["stage"] for r in computed(project, before)}


def test_a_dry_run_changes_nothing(copy):
    before = {p: p.stat().st_mtime_ns for p in (copy.folder / "results").rglob("*")}
    done = copy.run("retry_failed=true", seeds=[1, 2], more=["--dry-run"])
    assert "train" in done.stdout + done.stderr
    assert {p: p.stat().st_mtime_ns for p in (copy.folder / "results").rglob("*")} == before


def test_a_lost_table_is_written_again(copy):
    before = copy.entries()
    text = (copy.results / "metrics.parquet").read_bytes()
    (copy.results / "metrics.parquet").unlink()
    copy.run(figures=FEW)
    assert (copy.results / "metrics.parquet").read_bytes() == text
    assert computed(copy, before) == []


def test_tables_follow_the_config_there_and_back(copy):
    text = (copy.results / "metrics.parquet").read_bytes()
    copy.run(seeds=[0], figures=FEW)
    assert (copy.results / "metrics.parquet").read_bytes() != text
    before = copy.entries()
    copy.run(figures=FEW)
    assert (copy.results / "metrics.parquet").read_bytes() == text
    assert computed(copy, before) == []


def test_code_edited_during_a_run_is_not_stored_under_the_old_key(copy):
    """A job that starts after the edit refuses; the next run has the new key."""
    write_signal(copy)
    copy.run(signals=signals("./my_signal.py"), figures=FEW)
    (order,) = (copy.results / "plan" / "score").glob("my_signal-*.json")
    keys = [node["key"] for node in json.loads(order.read_text())["nodes"]]
    for key in keys:
        shutil.rmtree(copy.folder / "results" / "store" / key)
    write_signal(copy, expression="influence.class_sums().total.min(axis=1)")
    job = [sys.executable, "-m", "glitchmark.job", str(order.relative_to(copy.folder)), "manifest.json"]
    done = subprocess.run(job, cwd=copy.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "edited since this run was planned" in done.stderr
    assert not set(keys) & set(copy.entries())


def test_a_helper_beside_a_plug_in_counts_as_its_code(copy):
    (copy.folder / "my_helper.py").write_text("SIGN = 1\n")
    write_signal(copy, expression="SIGN * influence.class_sums().total.max(axis=1)")
    path = copy.folder / "my_signal.py"
    path.write_text(path.read_text().replace("from glitchmark", "from my_helper import SIGN\nfrom glitchmark"))
    copy.run(signals=signals("./my_signal.py"), figures=FEW)
    before = copy.entries()
    (copy.folder / "my_helper.py").write_text("SIGN = -1\n")
    copy.run(signals=signals("./my_signal.py"), figures=FEW)
    assert len(computed(copy, before)) == 10
