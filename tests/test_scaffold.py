"""`glitchmark new`, and the page on adding a signal: what it shows works as it stands there."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import ROOT
from glitchmark import registry
from glitchmark.cli import main
from glitchmark.errors import CellError
from glitchmark.scores import Scores, checked

PAGE = (ROOT / "docs" / "add-a-signal.md").read_text()


def block(language):
    """The page's one code block in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture
def new(tmp_path, monkeypatch, capsys):
    """``glitchmark new signal NAME`` in a folder of its own: (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_loaded_files", {})
    monkeypatch.setattr(sys, "path", list(sys.path))  # loading a file adds its folder

    def call(name):
        status = main(["new", "signal", name])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def python(*arguments, folder, **environment):
    """Run a module of Python's; its output, if it succeeds."""
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def linted(*files):
    """Ruff, as this project sets it, has nothing to say."""
    python("ruff", "check", "--no-cache", "--config", ROOT / "pyproject.toml", *files, folder=ROOT)
    python("ruff", "format", "--check", "--no-cache", "--config", ROOT / "pyproject.toml", *files, folder=ROOT)


@pytest.mark.parametrize("name", ["my_signal", "z", "a_rather_long_name_for_a_signal_42"])
def test_a_new_signal_is_complete(new, name, tmp_path):
    status, out, err = new(name)
    assert (status, err) == (0, "")
    assert f"add ./{name}.py to the list `signals`" in out
    assert f"pytest test_{name}.py" in out
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.py", f"test_{name}.py"}
    linted(tmp_path / f"{name}.py", tmp_path / f"test_{name}.py")
    plugin = registry.load("signal", "", tmp_path / f"{name}.py")
    assert (plugin.name, plugin.parameters) == (name, {"own_class": False})
    assert "2 passed" in python("pytest", "-p", "no:cacheprovider", "-q", f"test_{name}.py", folder=tmp_path)


@pytest.mark.parametrize("change", [("harm.sum(axis=1)", "-harm.sum(axis=1)"), ("harm.sum(axis=1)", "harm[:, 0] * 0")])
def test_its_test_notices_a_wrong_signal(new, change, tmp_path):
    new("my_signal")
    path = tmp_path / "my_signal.py"
    path.write_text(path.read_text().replace(*change))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "test_my_signal.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 failed" in done.stdout or "2 failed" in done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MySignal", "use lower snake case, such as my_signal"),
        ("my-signal", "use lower snake case"),
        ("1st", "use lower snake case"),
        ("lambda", "'lambda' cannot name a signal"),
        ("../x", "cannot name a signal"),
        ("cnci", "glitchmark ships a signal that is called 'cnci'"),
        ("cleanlab", "glitchmark ships a detector that is called 'cleanlab'"),
        ("signal", "'signal' is the name of a Python module; choose another one, such as my_signal"),
        ("numpy", "'numpy' is the name of a Python module"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(new, name, message, tmp_path):
    status, out, err = new(name)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["my_signal.py", "test_my_signal.py"])
def test_nothing_is_overwritten(new, there, tmp_path):
    (tmp_path / there).write_text("mine\n")
    status, _, err = new("my_signal")
    assert status == 2
    assert f"'{there}' is there already" in err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "mine\n"}


# The page


def test_the_signal_of_the_page_is_short_and_passes_its_test(new, tmp_path):
    lines = block("python").splitlines()
    assert len(lines) < 25
    new("other_harm")
    (tmp_path / "other_harm.py").write_text(block("python"))
    linted(tmp_path / "other_harm.py")
    assert "2 passed" in python("pytest", "-p", "no:cacheprovider", "-q", "test_other_harm.py", folder=tmp_path)


def test_the_page_on_a_real_run(project):
    """After an earlier run, only the two new entries are scored; they are in every table and in the figure."""
    project.run(detectors=[], figures=["fig1a"], signals=["si", "gd_class", "cnci", "cfrank"])
    figure = (project.folder / "figures" / "smoke" / "fig1a.png").read_bytes()
    before = project.entries()

    (project.folder / "other_harm.py").write_text(block("python"))
    overlay = yaml.safe_load(project.configfile.read_text()) | yaml.safe_load(block("yaml")) | {"detectors": []}
    project.configfile = project.folder / "mine.yaml"
    project.configfile.write_text(yaml.safe_dump(overlay))
    project.run()

    new = [record for key, record in project.entries().items() if key not in before]
    # five cells a seed: digits x (none, uniform, mixed), wine x (none, uniform)
    assert [(r["stage"], r["spec"]["signal"]["name"]) for r in new] == [("score", "other_harm")] * (2 * 5 * 2)
    metrics = pd.read_parquet(project.results / "metrics.parquet")
    for method, variant in (("other_harm", ""), ("worst_harm", "worst_only=True")):
        mine = metrics[metrics["method"] == method]
        assert {"f1", "average_precision", "auroc", "repair_accuracy"} <= set(mine["metric"])
        assert np.isfinite(mine["value"]).all()
        assert (mine["status"] == "ok").all()
        assert (mine["variant"].fillna("") == variant).all()
    samples = pd.read_parquet(project.results / "samples.parquet")
    assert (samples.loc[samples["method"] == "other_harm", "suggested_label"] != "").all()
    assert "rank_other_harm" in (project.results / "ranked" / "wine-mlp.csv").read_text()
    assert (project.folder / "figures" / "smoke" / "fig1a.png").read_bytes() != figure


def test_moved_into_the_package_it_is_listed(tmp_path):
    shutil.copytree(ROOT / "src" / "glitchmark", tmp_path / "glitchmark")
    (tmp_path / "glitchmark" / "signals" / "other_harm.py").write_text(block("python"))
    listed = python("glitchmark.cli", "list", "signals", folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert "other_harm         Negative influence on the classes other than the observed one" in listed
    assert "parameters: worst_only" in listed


@pytest.mark.parametrize(
    ("row", "result"),
    [
        ("one number too few", np.zeros(103, np.float32)),
        ("0 / 0 for some samples", np.where(np.arange(104) < 5, np.nan, 0)),
        ("labels as text", Scores(np.zeros(104), suggested=np.full(104, "a"))),
    ],
)
def test_errors_look_as_the_page_says(row, result):
    (status,) = re.findall(rf"\| {re.escape(row)} \| `failed: (.*)` \|", PAGE)
    with pytest.raises(CellError) as caught:
        checked(result, "signal 'my_signal'", 104, 3)
    assert str(caught.value) == status


def test_a_wrong_parameter_is_refused_as_the_page_says(project, monkeypatch):
    (project.folder / "other_harm.py").write_text(block("python"))
    entries = ["si", "gd_class", "cnci", "cfrank", "./other_harm.py"]
    done = project.run(check=False, signals=[*entries, {"path": "./other_harm.py", "id": "x", "worst": True}])
    assert done.returncode == 2
    assert re.search(r"^    (glitchmark: config: .*)$", PAGE, re.MULTILINE)[1] in done.stderr
