"""Proponents and opponents against the full matrix, and the command on a real run."""

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT, Project, random_factors
from glitchmark import explain, registry
from glitchmark.chunks import Workflow
from glitchmark.cli import main
from glitchmark.config import read, validated
from glitchmark.explain import explain_training, explain_validation
from glitchmark.influence import engine
from glitchmark.influence.estimators import Rows
from glitchmark.influence.estimators.grad_cos import GradCos
from glitchmark.influence.estimators.tracin import TracIn
from glitchmark.influence.factors import Factors
from glitchmark.influence.view import Influence

SEEDS = range(4)
BUILDS = {"tracin": TracIn, "tracin without bias": partial(TracIn, bias=False), "grad_cos": GradCos}


def slow(influence, labels, k):
    """One row or column of the full matrix, sorted in plain Python."""
    sides = []
    for sign in (1, -1):
        pairs = sorted((-sign * value, i) for i, value in enumerate(influence.tolist()) if sign * value > 0)[:k]
        index = [i for _, i in pairs]
        sides.append((index, influence[index], labels[index]))
    return sides


def check(found, expected):
    """The same samples and labels; influence up to rounding."""
    for side, (index, influence, labels) in zip(found, expected, strict=True):
        assert side.index.tolist() == index
        assert side.labels.tolist() == labels.tolist()
        np.testing.assert_allclose(side.influence, influence, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
@pytest.mark.parametrize("k", [1, 4, 1000])
def test_explanations_are_those_of_the_full_matrix(seed, frozen, build, k, monkeypatch):
    f = random_factors(seed, n=150, frozen=frozen)
    matrix = Influence.from_factors(f, build).matrix()
    monkeypatch.setattr(engine, "BLOCK", 16)  # several blocks
    for row, found in zip([0, 149, 7], explain_training(build, f, [0, 149, 7], k), strict=True):
        check(found, slow(matrix[row], f.labels_val, k))
    for column, found in zip([24, 3], explain_validation(build, f, [24, 3], k), strict=True):
        check(found, slow(matrix[:, column], f.labels_train, k))


@pytest.mark.parametrize("name", registry.names("estimator"))
@pytest.mark.parametrize("frozen", [True, False])
def test_every_estimator_can_be_explained(name, frozen):
    """A column does not depend on which other columns are asked for."""
    f, build = random_factors(1, n=150, frozen=frozen), registry.load("estimator", name).function
    matrix = Influence.from_factors(f, build).matrix()
    check(explain_training(build, f, [7], 4)[0], slow(matrix[7], f.labels_val, 4))
    for column, found in zip([24, 3], explain_validation(build, f, [24, 3], 4), strict=True):
        check(found, slow(matrix[:, column], f.labels_train, 4))


class Whole:
    """An estimator whose influence is made of small whole numbers, so that ties are exact: <feature, feature>."""

    def __init__(self, factors: Factors):
        self.f = factors

    def rows(self, start, stop):
        return Rows(self.f.features_train[0, start:stop] @ self.f.features_val[0].T, None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 5, 40])
def test_ties_go_by_index_whatever_the_blocks(seed, k, monkeypatch):
    f = random_factors(seed, n=300, frozen=True)
    rng = np.random.default_rng(seed)
    for features in (f.features_train, f.features_val):
        features[:] = rng.integers(-1, 2, features.shape)
    matrix = f.features_train[0] @ f.features_val[0].T
    for block in (16, 1 << 19):
        monkeypatch.setattr(engine, "BLOCK", block)
        columns = list(range(f.n_val))
        for column, found in zip(columns, explain_validation(Whole, f, columns, k), strict=True):
            check(found, slow(matrix[:, column], f.labels_train, k))
    for row, found in enumerate(explain_training(Whole, f, range(f.n_train), k)):
        check(found, slow(matrix[row], f.labels_val, k))


def test_only_what_is_asked_for_is_computed(monkeypatch):
    """One row at a time for training samples; for validation samples blocks of no other columns."""
    f, shapes = random_factors(0, n=5000), []

    class Watched(TracIn):
        def rows(self, start, stop):
            shapes.append((stop - start, self.m))
            return super().rows(start, stop)

    explain_training(Watched, f, [4999, 3], 2)
    assert shapes == [(1, 25), (1, 25)]
    shapes.clear()
    explain_validation(Watched, f, [2], 2)
    assert {m for _, m in shapes} == {1}
    assert max(b for b, _ in shapes) <= 1024
    assert explain_validation(Watched, f, [], 2) == explain_training(Watched, f, [], 2) == []


def test_a_sample_without_influence_has_nobody():
    f = random_factors(0, frozen=True)
    f.features_train[:, 5] = 0
    for side in explain_training(Whole, f, [5], 3)[0]:
        assert side.index.size == side.influence.size == side.labels.size == 0


# The command


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished smoke run."""
    project = Project(tmp_path_factory.mktemp("explained"))
    project.run(detectors=["iforest"], figures=[])
    return project


@pytest.fixture
def command(finished, monkeypatch, capsys):
    """``glitchmark explain`` on that run: (exit status, standard output, standard error)."""
    monkeypatch.chdir(ROOT)

    def call(*arguments, **keys):
        settings = {"results_dir": str(finished.folder / "results"), "detectors": ["iforest"], "figures": []} | keys
        config = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
        status = main(["explain", *arguments, "--configfile", str(finished.configfile), "--config", *config])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def cell_of(finished, **labels):
    """A trained cell's entry and factors."""
    settings = [f"results_dir={finished.folder}/results", "detectors=[iforest]", "figures=[]"]
    run = Workflow(validated(read(ROOT, [str(finished.configfile)], settings), ROOT))
    (cell,) = [m for m in run.plan.measurements if m.stage == "train" and labels.items() <= m.labels.items()]
    entry = run.store.get(cell.key)
    return run, cell, entry, Factors.from_arrays(entry.arrays)


def test_a_training_and_a_validation_sample(finished, command):
    cell = {"dataset": "digits", "glitch": "mixed", "seed": 1}
    run, measurement, entry, factors = cell_of(finished, **cell)
    ids_train, ids_val = entry.arrays["ids_train"], entry.arrays["ids_val"]
    truth = run.store.get(measurement.inject).arrays
    wrong = int(np.flatnonzero(truth["kind"] == "mislabeled")[0])
    options = [x for name, value in cell.items() for x in (f"--{name}", str(value))]
    status, out, err = command(ids_train[wrong], ids_val[4], *options, "--top", "3")
    assert (status, err) == (0, "")
    heading, training, validation = out.strip().split("\n\n")
    assert heading == "run 'smoke', digits/resnet20/mixed 0.2 seed 1, estimator tracin"
    observed, true = truth["observed_label"][wrong], truth["true_label"][wrong]
    first = f"training sample {ids_train[wrong]}: observed {observed}, true {true}, glitch mislabeled"
    assert training.splitlines()[0] == first
    matrix = Influence.from_factors(factors, TracIn).matrix()
    expected = slow(matrix[wrong], np.arange(factors.n_val), 3)
    shown = [line.split() for line in training.splitlines()[2:]]
    assert [(sign, name) for sign, name, *_ in shown] == [
        (sign, ids_val[j]) for sign, (index, *_) in zip("+-", expected, strict=True) for j in index
    ]
    assert [int(label) for _, _, label, _ in shown] == [factors.labels_val[j] for side in expected for j in side[0]]
    values = [value for side in expected for value in side[1]]
    np.testing.assert_allclose([float(line[-1]) for line in shown], values, rtol=2e-3)
    assert validation.splitlines()[0] == f"validation sample {ids_val[4]}: label {factors.labels_val[4]}"
    assert validation.splitlines()[1].split() == ["id", "observed", "true", "glitch", "influence"]
    names = [line.split()[1] for line in validation.splitlines()[2:]]
    sides = slow(matrix[:, 4], np.arange(factors.n_train), 3)
    assert names == [ids_train[i] for side in sides for i in side[0]]


def test_without_ids_the_most_suspicious_samples(finished, command):
    status, out, _ = command("--dataset", "wine", "--glitch", "uniform", "--seed", "0", "--top", "2")
    samples = pd.read_parquet(finished.results / "samples.parquet")
    mine = samples[(samples["dataset"] == "wine") & (samples["glitch"] == "uniform") & (samples["seed"] == 0)]
    first = mine[(mine["method"] == "cfrank") & (mine["rank"] <= 2)].sort_values("rank")
    assert status == 0
    assert [line.split()[2].rstrip(":") for line in out.splitlines() if "sample" in line] == list(first["sample_id"])
    out = command("--dataset", "wine", "--glitch", "uniform", "--seed", "0", "--top", "1", ranking="iforest")[1]
    assert "training sample" not in out  # the tables are those of another config


def test_truth_is_shown_only_where_it_is_known(command, finished):
    _, _, entry, _ = cell_of(finished, dataset="wine", glitch="none", seed=0)
    status, out, _ = command(entry.arrays["ids_train"][0], "--glitch", "none", "--seed", "0")
    assert status == 0
    assert "true" not in out


def test_a_choice_between_cells_is_said(command, finished):
    _, _, entry, _ = cell_of(finished, dataset="wine", glitch="none", seed=0)
    status, out, _ = command(entry.arrays["ids_train"][0], "--seed", "0")
    assert status == 0
    assert "wine/mlp/none 0 seed 0" in out.splitlines()[0]
    assert "the first of 2 cells that fit; choose with --model, --glitch, --ratio, --seed" in out.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "keys", "message"),
    [
        ([], {}, "choose one with --dataset: digits, wine"),
        (["--dataset", "digts"], {}, "--dataset digts: no such cell in this grid; did you mean 'digits'?"),
        (["--dataset", "wine", "--glitch", "mixed"], {}, "--glitch mixed: no such cell in this grid; there are: none"),
        (["--seed", "9"], {}, "--seed 9: no such cell in this grid; there are: 0, 1."),
        (["--ratio", "0.3"], {}, "--ratio 0.3: no such cell"),
        (["--estimator", "tracn"], {}, "did you mean 'tracin'?"),
        (["--top", "0"], {}, "--top 0: give a whole number of at least 1"),
        (["digits:99999"], {}, "sample 'digits:99999' is neither training nor validation data of any of the 10"),
        (
            ["digits:99999", "--dataset", "wine", "--glitch", "none", "--seed", "0"],
            {},
            "data of wine/mlp/none 0 seed 0",
        ),
        (["--seed", "5"], {"seeds": [0, 5]}, "call 'glitchmark run' with the same --configfile and --config first"),
        (["--dataset", "wine"], {"signals": ["si"]}, "has no tables of this config and code yet"),
        ([], {"estimators": [{"name": "tracin", "against": "training"}]}, "add one to 'estimators'"),
    ],
)
def test_a_mistake_is_one_sentence(command, arguments, keys, message):
    status, out, err = command(*arguments, **keys)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_samples_of_two_data_sets_are_in_no_cell_together(command, finished):
    ids = [cell_of(finished, dataset=d, glitch="none", seed=0)[2].arrays["ids_val"][0] for d in ("digits", "wine")]
    assert "no cell holds all of" in command(*ids)[2]


def test_a_failed_cell_says_why(finished, command):
    keys = {"run": "diverged", "datasets": ["wine"], "models": ["mlp"], "glitches": ["none"], "seeds": [0]}
    keys |= {"training": [{"dataset": "wine", "learning_rate": 10**18}]}
    finished.run(check=False, detectors=["iforest"], figures=[], **keys)
    status, _, err = command(**keys)
    assert status == 2
    assert "wine/mlp/none 0 seed 0 failed: training diverged" in err


def test_an_estimator_that_fails_says_why(command, monkeypatch):
    def fails(*_):
        raise explain.CellError("too few samples")

    monkeypatch.setattr(explain, "explain_training", fails)
    status, _, err = command("--dataset", "wine", "--glitch", "none", "--seed", "0")
    assert status == 2
    assert "estimator 'tracin': too few samples." in err


def test_the_other_commands_do_not_load_what_this_one_needs():
    heavy = "{'pandas', 'numba', 'torch', 'sklearn'}"
    code = f"import sys, glitchmark.cli; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
