"""A config that cannot work is refused with one clear sentence; one that works has stable keys."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from glitchmark import registry
from glitchmark.chunks import Workflow
from glitchmark.config import SCHEMA, read, retyped, validated
from glitchmark.errors import UserError

ROOT = Path(__file__).parents[1]
SMOKE = str(ROOT / "config" / "smoke.yaml")
SCHEMA_TEXT = yaml.safe_load((ROOT / SCHEMA).read_text())

UNIFORM = {"name": "uniform", "ratio": 0.1}
FAR = {"name": "far_ca", "ratio": 0.1}
RESNET = {"name": "resnet20", "epochs": 2}
MLP = {"name": "mlp", "epochs": 4}
LOCAL = {"name": "mine", "loader": "npz"}


@pytest.fixture(autouse=True)
def no_loaded_files(monkeypatch):
    """Plug-in files that one test loads are unknown to the next."""
    monkeypatch.setattr(registry, "_loaded_files", {})


def workflow(overlay: dict[Any, Any]) -> Workflow:
    """The smoke grid with some keys replaced."""
    return Workflow(validated(copy.deepcopy(read(ROOT, [SMOKE], []) | overlay), ROOT))


def refusal(overlay: dict[Any, Any]) -> str:
    with pytest.raises(UserError) as caught:
        workflow(overlay)
    return str(caught.value)


# Broken configs: what the sentence must contain is where, what, and what to do

BROKEN = {
    # top level
    "misspelt key": ({"sede": [0]}, ["'sede'", "did you mean 'seeds'", "allowed here: run,"]),
    "unknown key": ({"xyzzy": 1}, ["'xyzzy'", "allowed here", "cells_per_job"]),
    "key that is no text": ({1: 2, "sede": 3}, ["unknown key", "allowed here"]),
    "seeds empty": ({"seeds": []}, ["seeds:", "at least 1"]),
    "seeds twice": ({"seeds": [0, 1, 0]}, ["seeds:", "twice"]),
    "seeds text": ({"seeds": "all"}, ["seeds:", "'all'", "array"]),
    "seed negative": ({"seeds": [0, -1]}, ["seeds[1]", "-1", "at least 0"]),
    "seed fraction": ({"seeds": [1.5]}, ["seeds[0]", "1.5", "integer"]),
    "seed boolean": ({"seeds": [True]}, ["seeds[0]", "integer"]),
    "subset zero": ({"subset": 0}, ["subset", "0 ", "(0, 1)"]),
    "subset negative": ({"subset": -5}, ["subset", "-5", "(0, 1)"]),
    "subset text": ({"subset": "all"}, ["subset", "'all'", "(0, 1)"]),
    "subset above one": ({"subset": 1.5}, ["subset", "1.5", "less than 1"]),
    "subset too small": ({"subset": 12}, ["datasets[0] (digits)", "10, 2, 3 samples", "10 classes", "larger 'subset'"]),
    "own subset too small": (
        {"datasets": ["digits", {"name": "wine", "subset": 0.02}]},
        ["datasets[1] (wine)", "3, 1, 1 samples", "3 classes", "larger 'subset'"],
    ),
    "validation one": ({"validation": 1.0}, ["validation:", "less than 1"]),
    "validation zero": ({"validation": 0}, ["validation:", "greater than 0"]),
    "validation ratio too large": (
        {"validation_ratios": [0.1, 0.3]},
        ["validation_ratios", "0.3", "'validation", "0.2"],
    ),
    "validation ratio twice": ({"validation_ratios": [0.1, 0.1]}, ["validation_ratios", "twice"]),
    "no bootstraps": ({"validation_bootstraps": 0}, ["validation_bootstraps:", "0 ", "at least 1"]),
    "bootstraps fraction": ({"validation_bootstraps": 1.5}, ["validation_bootstraps:", "1.5", "integer"]),
    "no validation ratios": ({"validation_ratios": []}, ["validation_ratios", "at least 1"]),
    "folds": ({"folds": 1}, ["folds:", "at least 2"]),
    "checkpoints": ({"checkpoints": 0}, ["checkpoints:", "at least 1"]),
    "threads text": ({"threads": "two"}, ["threads:", "'two'", "integer"]),
    "cells_per_job": ({"cells_per_job": 0}, ["cells_per_job:", "at least 1"]),
    "retry_failed": ({"retry_failed": "yes"}, ["retry_failed:", "'yes'", "boolean"]),
    "run": ({"run": "My Run"}, ["run:", "'My Run'", "a-z0-9"]),
    "results_dir": ({"results_dir": ""}, ["results_dir:", "''"]),
    "ranking": ({"ranking": "cfrnk"}, ["ranking:", "'cfrnk'", "cfrank", "cleanlab"]),
    "null": ({"detectors": None}, ["detectors:", "None", "array"]),
    # data sets
    "dataset": ({"datasets": ["digts", "wine"]}, ["datasets[0]", "'digts'", "did you mean 'digits'", "breast_cancer"]),
    "loader": (
        {"datasets": ["digits", LOCAL | {"loader": "nzp"}]},
        ["datasets[1]", "'nzp'", "did you mean 'npz'", "breast_cancer"],
    ),
    "no datasets": ({"datasets": []}, ["datasets:", "at least 1"]),
    "dataset number": ({"datasets": ["digits", 5]}, ["datasets[1]", "5", "string or object"]),
    "dataset without a name": ({"datasets": [{"loader": "digits"}]}, ["datasets[0]", "'name'"]),
    "dataset name": (
        {"datasets": [{"name": "My Digits", "loader": "digits"}]},
        ["datasets[0].name", "lower snake case"],
    ),
    "dataset twice": ({"datasets": ["digits", "digits", "wine"]}, ["datasets", "'digits'", "twice", "'name'"]),
    "dataset key": (
        {"datasets": [{"name": "digits", "anomaly_sorce": "letters"}, "wine"]},
        ["datasets[0]", "'anomaly_sorce'", "did you mean 'anomaly_source'"],
    ),
    "dataset parameter": (
        {"datasets": ["digits", "wine", {"name": "letters", "n_sample": 99}]},
        ["datasets[2]", "'n_sample'", "did you mean 'n_samples'", "seed"],
    ),
    "data file not given": ({"datasets": ["digits", "wine", LOCAL]}, ["datasets[2]", "'npz'", "needs the key 'file'"]),
    "data file missing": (
        {"datasets": ["digits", "wine", LOCAL | {"file": "no.npz"}]},
        ["datasets[2] (mine)", "no.npz", "does not exist", "'data_dir'"],
    ),
    "data file a number": ({"datasets": ["digits", "wine", LOCAL | {"file": 5}]}, ["datasets[2]", "file", "5"]),
    "dataset without a model": ({"models": [RESNET]}, ["no model", "'wine'", "table"]),
    # far anomalies
    "anomaly source": (
        {"datasets": [{"name": "digits", "anomaly_source": "leters"}, "wine"]},
        ["datasets[0] (digits)", "anomaly_source", "'leters'", "did you mean 'letters'"],
    ),
    "anomaly source itself": (
        {"datasets": [{"name": "digits", "anomaly_source": "digits"}, "wine"]},
        ["datasets[0] (digits)", "anomaly_source: digits", "itself"],
    ),
    "anomaly source a table": (
        {"datasets": [{"name": "digits", "anomaly_source": "wine"}, "wine"]},
        ["datasets[0] (digits)", "'wine'", "table"],
    ),
    "anomaly source with a file": (
        {"datasets": [{"name": "digits", "anomaly_source": "npz"}, "wine"]},
        ["datasets[0] (digits)", "anomaly_source", "'npz'", "'file'"],
    ),
    # models
    "model": ({"models": ["resnet200", MLP]}, ["models[0]", "'resnet200'", "did you mean 'resnet20'", "mlp"]),
    "no models": ({"models": []}, ["models:", "at least 1"]),
    "model twice": ({"models": [RESNET, MLP, MLP]}, ["models", "'mlp'", "twice", "'id'"]),
    "model id": ({"models": [RESNET, MLP | {"id": "MLP-1"}]}, ["models[1].id", "'MLP-1'", "lower snake case"]),
    "model key": ({"models": [RESNET, MLP | {"learning_rat": 1}]}, ["models[1]", "did you mean 'learning_rate'"]),
    "model parameter": (
        {"models": [RESNET, MLP | {"n_block": 3}]},
        ["models[1]", "did you mean 'n_blocks'", "dropout"],
    ),
    "model without data": ({"datasets": ["digits"]}, ["models", "'mlp'", "table"]),
    "trained": (
        {"models": [RESNET | {"trained": "last_blok"}, MLP]},
        ["models[0].trained", "did you mean 'last_block'", "all, last_block, head"],
    ),
    "last_block without weights": (
        {"models": [RESNET | {"trained": "last_block"}, MLP]},
        ["models[0]", "trained: last_block", "'weights'"],
    ),
    "trained unsupported": (
        {"models": [RESNET, MLP | {"trained": "head", "weights": "w.safetensors"}]},
        ["models[1]", "'mlp'", "'head'", "allowed: all"],
    ),
    "weights missing": (
        {"models": [RESNET | {"weights": "no.safetensors"}, MLP]},
        ["models[0]", "no.safetensors", "does not exist", "'weights_dir'"],
    ),
    "input_size of a table": ({"models": [RESNET, MLP | {"input_size": 12}]}, ["models[1]", "'input_size'", "table"]),
    "learning rate zero": (
        {"models": [RESNET, MLP | {"learning_rate": 0}]},
        ["models[1].learning_rate", "greater than 0"],
    ),
    "learning rate text": (
        {"models": [RESNET, MLP | {"learning_rate": "fast"}]},
        ["models[1].learning_rate", "number"],
    ),
    "epochs": ({"models": [RESNET, MLP | {"epochs": 0}]}, ["models[1].epochs", "at least 1"]),
    # training
    "training key": (
        {"training": [{"dataset": "wine", "learning_rat": 0.1}]},
        ["training[0].learning_rat", "did you mean 'learning_rate'", "batch_size"],
    ),
    "training dataset": (
        {"training": [{"epochs": 3}, {"dataset": "win", "epochs": 2}]},
        ["training[1].dataset", "'win'", "did you mean 'wine'", "digits, wine"],
    ),
    "training model": ({"training": [{"model": "mpl", "epochs": 2}]}, ["training[0].model", "did you mean 'mlp'"]),
    # glitches
    "glitch": (
        {"glitches": ["unifrm"]},
        ["glitches[0]", "'unifrm'", "did you mean 'uniform'", "far_ca, far_cluster"],
    ),
    "glitch without ratio": ({"glitches": ["none", "uniform"]}, ["glitches[1]", "'uniform'", "needs the key 'ratio'"]),
    "glitch key": ({"glitches": [{"name": "uniform", "ration": 0.1}]}, ["glitches[0]", "did you mean 'ratio'"]),
    "glitch without a name": ({"glitches": [{"id": "mixed"}]}, ["glitches[0]", "'name'", "'parts'"]),
    "glitch twice": ({"glitches": [UNIFORM, UNIFORM]}, ["glitches", "'uniform-0.1'", "twice", "'id'"]),
    "glitch in a sweep twice": (
        {"glitches": [UNIFORM, {"name": "uniform", "ratio": [0.1, 0.2]}]},
        ["glitches", "'uniform-0.1'", "twice"],
    ),
    "glitch for images only": (
        {"datasets": ["wine"], "models": [MLP], "glitches": ["none", FAR]},
        ["glitches", "'far_ca'", "no data set"],
    ),
    "ratio one": ({"glitches": [UNIFORM | {"ratio": 1}]}, ["glitches[0].ratio", "less than 1"]),
    "ratio zero": ({"glitches": [UNIFORM | {"ratio": 0}]}, ["glitches[0].ratio", "greater than 0"]),
    "ratio text": ({"glitches": [UNIFORM | {"ratio": "some"}]}, ["glitches[0].ratio", "'some'", "(0, 1)"]),
    "ratio in a sweep": ({"glitches": [UNIFORM | {"ratio": [0.1, 1.5]}]}, ["glitches[0].ratio[1]", "less than 1"]),
    "ratios empty": ({"glitches": [UNIFORM | {"ratio": []}]}, ["glitches[0].ratio", "at least 1"]),
    "mixture key": (
        {"glitches": [{"id": "m", "parts": [UNIFORM], "ratio": 0.1}]},
        ["glitches[0]", "'id' and 'parts'", "ratio"],
    ),
    "mixture without id": ({"glitches": [{"parts": [UNIFORM]}]}, ["glitches[0]", "'id' and 'parts'"]),
    "mixture empty": ({"glitches": [{"id": "m", "parts": []}]}, ["glitches[0].parts", "at least 1"]),
    "mixture part": (
        {"glitches": [{"id": "m", "parts": [UNIFORM, {"name": "far_cb", "ratio": 0.1}]}]},
        ["glitches[0].parts[1]", "did you mean 'far_ca'"],
    ),
    "mixture part key": (
        {"glitches": [{"id": "m", "parts": [UNIFORM | {"ratoi": 0.1}]}]},
        ["glitches[0].parts[0]", "did you mean 'ratio'"],
    ),
    "mixture part sweep": (
        {"glitches": [{"id": "m", "parts": [UNIFORM | {"ratio": [0.1, 0.2]}]}]},
        ["glitches[0].parts[0].ratio", "number"],
    ),
    "mixture part name": ({"glitches": [{"id": "m", "parts": ["uniform"]}]}, ["glitches[0].parts[0]", "object"]),
    # methods
    "estimator": ({"estimators": ["tracim"]}, ["estimators[0]", "'tracim'", "did you mean 'tracin'"]),
    "estimator parameter": (
        {"estimators": [{"name": "tracin", "bais": False}]},
        ["estimators[0]", "did you mean 'bias'"],
    ),
    "estimator against": (
        {"estimators": ["tracin", {"name": "grad_dot", "against": "trainng"}]},
        ["estimators[1].against", "'trainng'", "did you mean 'training'", "validation, training"],
    ),
    "estimator twice": (
        {"estimators": ["tracin", {"name": "tracin", "against": "training"}]},
        ["estimators", "'tracin'", "twice", "'id'"],
    ),
    "reference": ({"reference": "lo"}, ["config: reference:", "'lo'", "did you mean 'loo'", "tracin"]),
    "reference parameter": (
        {"reference": {"name": "loo", "ridg": 1}},
        ["config: reference:", "'ridg'", "did you mean 'ridge'", "against"],
    ),
    "reference without a name": ({"reference": {"against": "training"}}, ["config: reference:", "'name'"]),
    "text for a switch": (
        {"estimators": [{"name": "tracin", "bias": "false"}]},
        ["estimators[0].bias", "'false'", "true or false", "default True"],
    ),
    "number for a switch": ({"estimators": [{"name": "tracin", "bias": 1}]}, ["estimators[0].bias", "true or false"]),
    "null for a seed": ({"estimators": [{"name": "lissa", "seed": None}]}, ["estimators[0].seed", "a whole number"]),
    "text for a number": (
        {"estimators": [{"name": "influence_function", "damping": "small"}]},
        ["estimators[0].damping", "'small'", "a number"],
    ),
    "switch for a number": ({"estimators": [{"name": "ekfac", "damping_scale": True}]}, ["damping_scale", "a number"]),
    "number for text": ({"signals": [{"name": "pcid", "pcf": 1}]}, ["signals[0].pcf", "text"]),
    "number for a list": ({"figures": [{"name": "fig1a", "methods": 1}]}, ["figures[0].methods", "a list"]),
    "reference of other targets": (
        {"reference": {"name": "loo", "against": "training"}},
        ["config: reference:", "'loo'", "training", "'against'"],
    ),
    "several references": ({"reference": ["loo"]}, ["reference"]),
    "no estimators": ({"estimators": []}, ["estimators", "at least 1"]),
    "signal": ({"signals": ["cfrank", "pcdi"]}, ["signals[1]", "'pcdi'", "did you mean 'pcid'", "neg_mi, pcid"]),
    "signal twice": ({"signals": ["cfrank", "cfrank"]}, ["signals", "'cfrank'", "twice", "'id'"]),
    "signal called like a detector": (
        {"signals": ["cfrank", {"name": "si", "id": "cleanlab"}]},
        ["signals and detectors", "'cleanlab'", "twice"],
    ),
    "signal parameter": ({"signals": ["cfrank", {"name": "si", "power": 2}]}, ["signals[1]", "'power'", "'si'"]),
    "signal without a name": ({"signals": ["cfrank", {"id": "mine"}]}, ["signals[1]", "'name'"]),
    "no signals": ({"signals": []}, ["signals", "at least 1"]),
    "detector": ({"detectors": ["iforst"]}, ["detectors[0]", "'iforst'", "did you mean 'iforest'", "cleanlab"]),
    "detector key": ({"detectors": [{"nme": "iforest"}]}, ["detectors[0]", "'name'"]),
    "figure": (
        {"figures": ["fig5c"]},
        ["figures[0]", "'fig5c'", "did you mean 'fig", "fig5a, fig5b, fig6"],
    ),
    "figure parameter": ({"figures": [{"name": "fig5b", "glitc": "mixed"}]}, ["figures[0]", "did you mean 'glitch'"]),
    "figure twice": ({"figures": ["fig1a", "fig1a"]}, ["figures", "'fig1a'", "twice", "'id'"]),
    "plug-in file missing": ({"signals": ["cfrank", "no/mine.py"]}, ["signals[1]", "no/mine.py", "does not exist"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_config_is_refused(case):
    overlay, fragments = BROKEN[case]
    message = refusal(overlay)
    missing = [fragment for fragment in ("config:", *fragments) if fragment not in message]
    assert not missing, f"{missing} not in: {message}"
    assert "\n" not in message


@pytest.mark.parametrize(
    "key", ["seeds", "datasets", "models", "glitches", "estimators", "signals", "validation_ratios"]
)
def test_what_a_grid_needs_cannot_be_empty(key):
    assert key in refusal({key: []})


@pytest.mark.parametrize(
    ("key", "whole", "fraction"),
    [
        ("seeds", [1], [1.0]),
        ("subset", 150, 150.0),
        ("folds", 2, 2.0),
        ("threads", 1, 1.0),
        ("models", [RESNET, MLP], [RESNET, MLP | {"epochs": 4.0}]),
    ],
)
def test_whole_numbers_with_a_point_mean_integers_or_are_refused(key, whole, fraction):
    try:
        found = keys(workflow({key: fraction}))
    except UserError as error:
        found = str(error)
    assert key in found if isinstance(found, str) else found == keys(workflow({key: whole}))


# Plug-in files

HEAD = "from glitchmark.signals import signal\n\n\n"
MINE = HEAD + '@signal("mine", targets="both", reference="me")\ndef mine(influence, *, power=2):\n    """Mine."""\n'
MINE += "    return influence.labels * 1.0\n"
BROKEN_FILES = {
    "syntax error": (HEAD + "def mine(:\n", ["line 4", "SyntaxError"]),
    "import error": ("import no_such_library\n", ["ModuleNotFoundError", "no_such_library"]),
    "error of several lines": ("raise RuntimeError('one\\ntwo')\n", ["RuntimeError", "one"]),
    "exits": ("import sys\n\nsys.exit(0)\n", ["SystemExit"]),
    "nothing marked": (HEAD + "def mine(influence):\n    return 1\n", ["expected one", "@signal", "found 0"]),
    "two marked": (MINE + MINE.replace("mine", "mine2").replace(HEAD, ""), ["expected one", "@signal", "found 2"]),
    "another kind": (
        "from glitchmark.detectors import detector\n\n\n"
        '@detector("mine", targets="both", reads=("inputs",), reference="me")\ndef mine(data):\n    return 1\n',
        ["expected one", "@signal", "found 0"],
    ),
    "shipped name": (MINE.replace('"mine"', '"cfrank"'), ["'cfrank'", "rename"]),
    "misused decorator": (MINE.replace("targets", "target"), ["TypeError", "target"]),
    "name that is no id": (MINE.replace('"mine"', '"My Signal"'), ["My Signal", "lower snake case"]),
}


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_broken_plugin_file_is_refused(tmp_path, case):
    text, fragments = BROKEN_FILES[case]
    path = write(tmp_path / "my_signal.py", text)
    message = refusal({"signals": ["cfrank", path]})
    missing = [fragment for fragment in ("signals[1]", path, *fragments) if fragment not in message]
    assert not missing, f"{missing} not in: {message}"
    assert "\n" not in message


def test_plugin_file_must_be_a_python_file(tmp_path):
    path = write(tmp_path / "mine.txt", MINE)
    message = refusal({"signals": ["cfrank", {"name": "mine", "path": path}]})
    assert "signals[1]" in message
    assert path in message


def test_parameters_of_a_plugin_file_are_checked(tmp_path):
    path = write(tmp_path / "mine.py", MINE)
    message = refusal({"signals": ["cfrank", {"name": "mine", "path": path, "powr": 3}]})
    assert "signals[1]" in message
    assert "did you mean 'power'" in message


def test_two_plugin_files_cannot_have_one_name(tmp_path):
    """A job finds a plug-in by its name: with two of one name, one's results would be stored as the other's."""
    first, second = write(tmp_path / "a.py", MINE), write(tmp_path / "b.py", MINE.replace("* 1.0", "* 2.0"))
    message = refusal({"signals": ["cfrank", {"id": "one", "path": first}, {"id": "two", "path": second}]})
    assert "'mine'" in message


def test_plugin_file_is_planned_and_its_code_is_in_its_keys_only(tmp_path):
    shipped = keys(workflow({"signals": ["cfrank"]}))
    planned = []
    for i, text in enumerate([MINE, MINE.replace("* 1.0", "* 2.0"), MINE + "\n# a remark\n"]):
        registry._loaded_files.clear()
        planned.append(keys(workflow({"signals": ["cfrank", write(tmp_path / f"{i}.py", text)]})))
    assert all(shipped < k for k in planned)
    assert planned[0] - shipped
    assert not (planned[0] - shipped) & (planned[1] - shipped)
    assert planned[0] == planned[2]


# The schema, config.yaml and config/*.yaml do not drift apart


def test_the_schema_s_defaults_make_a_working_config():
    config = validated({}, ROOT)
    assert set(config) == set(SCHEMA_TEXT["properties"])
    assert Workflow(config).plan.nodes


def test_config_yaml_and_the_schema_have_the_same_keys():
    assert list(yaml.safe_load((ROOT / "config.yaml").read_text())) == list(SCHEMA_TEXT["properties"])


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_config_is_valid(path):
    config = validated(read(ROOT, [str(path)], []), ROOT)
    assert config["run"] == yaml.safe_load(path.read_text())["run"] != "default"


def test_every_key_of_the_schema_is_described():
    bare = [key for key, value in SCHEMA_TEXT["properties"].items() if not value.get("description")]
    assert not bare


def test_short_and_long_entries_are_the_same():
    """The defaults of a model stand in the schema, for mappings, and in the grid, for names."""
    short = workflow({"datasets": ["digits", "wine"], "models": ["resnet20", "mlp"], "signals": ["cfrank", "si"]})
    long = workflow(
        {
            "datasets": [{"name": "digits"}, {"name": "wine"}],
            "models": [{"name": "resnet20"}, {"name": "mlp"}],
            "signals": [{"name": "cfrank"}, {"name": "si"}],
        }
    )
    assert keys(short) == keys(long)


def test_numbers_on_snakemakes_command_line():
    """Snakemake hands over ``--config seeds=[0,1]`` as text."""
    given = {"seeds": ["0", "1"], "subset": 0.5, "datasets": [{"name": "wine", "subset": "1e2"}, "digits"], "run": "x"}
    assert retyped(given) == {
        "seeds": [0, 1],
        "subset": 0.5,
        "datasets": [{"name": "wine", "subset": 100.0}, "digits"],
        "run": "x",
    }


def test_a_number_that_yaml_reads_as_text_is_explained():
    assert "1.0e-2" in refusal({"models": [RESNET, MLP | {"learning_rate": "1e-2"}]})


def test_text_of_digits_stays_text_where_text_belongs(tmp_path):
    np.savez(tmp_path / "mine.npz", x=np.eye(60), y=np.arange(60) % 2, split=np.full(60, "2024"))
    mine = LOCAL | {"file": "mine.npz", "split": "2024"}
    planned = workflow({"run": "2024", "data_dir": str(tmp_path), "datasets": ["digits", "wine", mine]})
    assert planned.config["run"] == "2024"
    assert planned.grid.pool("mine").params == {"split": "2024"}


def test_overlays_merge_mappings_and_replace_lists(tmp_path):
    overlay = write(tmp_path / "one.yaml", "seeds: [7]\nthreads: 2\n")
    config = read(ROOT, [SMOKE, overlay], ["threads=3", "run=mine", "subset=0.5"])
    assert (config["seeds"], config["threads"], config["run"], config["subset"]) == ([7], 3, "mine", 0.5)
    smoke, default = (yaml.safe_load(path.read_text()) for path in (Path(SMOKE), ROOT / "config.yaml"))
    assert config["folds"] == smoke["folds"]
    assert config["signals"] == smoke["signals"] != default["signals"]
    assert config["models"] == smoke["models"] != default["models"]
    assert config["training"] == default["training"]


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"seeds: [0, 1\n", "not valid YAML"),
        (b"- seeds\n", "mapping"),
        (b"", "mapping"),
        (b"run: \xff\xfe\n", "cannot be read"),
    ],
    ids=["syntax", "list", "empty", "not UTF-8"],
)
def test_unreadable_config_file_is_refused(tmp_path, content, fragment):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=fragment) as caught:
        read(ROOT, [str(path)], [])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_config_file_is_refused():
    with pytest.raises(UserError, match=r"'no\.yaml' cannot be read"):
        read(ROOT, ["no.yaml"], [])


@pytest.mark.parametrize("setting", ["threads", "seeds=[0, 1", "run: mine"])
def test_unreadable_setting_is_refused(setting):
    with pytest.raises(UserError) as caught:
        read(ROOT, [], [setting])
    assert setting in str(caught.value)


# The command


def glitchmark(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "glitchmark.cli", *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | environment, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--config", "sede=[0]"], "did you mean 'seeds'"),
        (["--config", "datasets=[digts]"], "did you mean 'digits'"),
        (["--config", "seeds=[0,1"], "seeds"),
        (["--configfile", "no.yaml"], "no.yaml"),
        (["--cores", "2"], "--cores"),
    ],
)
def test_plan_refuses_a_bad_config_in_one_line(arguments, fragment):
    done = glitchmark("plan", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("glitchmark: ")
    assert done.stderr.count("\n") == 1
    assert fragment in done.stderr


def test_a_plan_imports_nothing_slow():
    """What it takes to refuse a config, or to plan a run, needs none of the libraries that take seconds to import."""
    code = (
        "import sys; from glitchmark.cli import main; status = main(sys.argv[1:]); "
        "slow = {'torch', 'pandas', 'matplotlib', 'seaborn', 'sklearn', 'pyod', 'cleanlab'} & set(sys.modules); "
        "sys.exit(f'imported {slow}' if slow else status)"
    )
    command = [sys.executable, "-c", code, "plan", "--configfile", SMOKE]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_verbose_shows_the_traceback():
    done = glitchmark("--verbose", "plan", "--config", "sede=[0]")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "did you mean 'seeds'" in done.stderr


def test_plan_outside_a_project_says_so(tmp_path):
    done = glitchmark("plan", cwd=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_counts_and_writes_nothing(tmp_path):
    done = glitchmark("plan", "--configfile", SMOKE, "--config", f"results_dir={tmp_path / 'results'}")
    assert done.returncode == 0, done.stderr
    planned = workflow({})
    train = sum(node.stage == "train" for node in planned.plan.nodes.values())
    assert f"run 'smoke': {train} cells (data set, model, glitch, seed), " in done.stdout
    assert f" {len(planned.plan.nodes)} results in {len(planned.chunks)} jobs" in done.stdout
    assert ["train", str(train), str(train)] in [line.split()[:3] for line in done.stdout.splitlines()]
    assert "mixed on wine" in done.stdout
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("listing", "folder"),
    [
        ("signals", "signals"),
        ("glitches", "glitches"),
        ("estimators", "influence/estimators"),
        ("detectors", "detectors"),
    ],
)
def test_list_names_every_module(listing, folder):
    modules = {path.stem for path in (ROOT / "src" / "glitchmark" / folder).glob("[!_]*.py")}
    done = glitchmark("list", listing)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert {line.split()[0] for line in lines} == modules
    assert all(len(line.split()) > 2 for line in lines)  # a summary each


# Keys: what is computed again after a change


def keys(planned: Workflow) -> set[str]:
    return set(planned.plan.nodes)


def reordered(value: Any) -> Any:
    """The same value, with the keys of every mapping the other way round."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(v) for v in value] if isinstance(value, list) else value


def dataset_of(planned: Workflow, key: str) -> str:
    """The data set that a node is about: its own, or that of what it reads."""
    node = planned.plan.nodes[key]
    return node.spec["dataset"] if "dataset" in node.spec else dataset_of(planned, next(iter(node.inputs.values())))


def test_the_order_of_keys_does_not_matter():
    models = [RESNET, MLP | {"n_blocks": 3, "d_block": 8, "dropout": 0.1}]
    config = validated(read(ROOT, [SMOKE], []) | {"models": models}, ROOT)
    turned = reordered(config)
    assert list(turned) != list(config)
    assert list(turned["models"][0]) != list(config["models"][0])
    before, after = Workflow(config), Workflow(turned)
    assert keys(before) == keys(after)
    assert {c: chunk.digest for c, chunk in before.chunks.items()} == {c: h.digest for c, h in after.chunks.items()}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"seeds": [0, 1]}, {"seeds": [0, 1, 2]}),
        ({"seeds": [0, 1]}, {"seeds": [5, 1, 0]}),
        ({"signals": ["si", "cfrank"]}, {"signals": ["mi", "cfrank", "si"]}),
        ({"detectors": []}, {"detectors": ["iforest", "cleanlab"]}),
        ({"datasets": ["digits", "wine"]}, {"datasets": ["breast_cancer", "digits", "wine", "letters"]}),
        ({"models": [RESNET, MLP]}, {"models": [RESNET, MLP, MLP | {"id": "small", "d_block": 8}]}),
        ({"glitches": [UNIFORM]}, {"glitches": ["none", UNIFORM | {"ratio": [0.1, 0.2]}, FAR]}),
        (
            {"estimators": ["tracin"]},
            {"estimators": ["tracin", {"name": "tracin", "id": "without_bias", "bias": False}]},
        ),
        ({"signals": ["si"]}, {"signals": ["si", "cancellation", "mahalanobis", "loss"]}),
        ({"reference": None}, {"reference": "loo"}),
    ],
    ids=[
        "seed",
        "seeds reordered",
        "signal",
        "detectors",
        "datasets",
        "model",
        "glitches",
        "estimator",
        "other signals",
        "reference",
    ],
)
def test_an_addition_keeps_all_keys(before, after):
    assert keys(workflow(before)) < keys(workflow(after))


@pytest.mark.parametrize(
    "overlay",
    [
        {"run": "other"},
        {"results_dir": "elsewhere"},
        {"cells_per_job": 1},
        {"retry_failed": True},
        {"ranking": "si"},
        {"figures": []},
    ],
    ids=lambda overlay: next(iter(overlay)),
)
def test_what_results_do_not_depend_on_is_not_in_their_keys(overlay):
    assert keys(workflow(overlay)) == keys(workflow({}))


@pytest.mark.parametrize(
    "setting", [{"learning_rate": 0.07}, {"epochs": 9}, {"batch_size": 7}], ids=lambda s: next(iter(s))
)
def test_training_settings_of_one_dataset_change_its_trainings_and_what_follows(setting):
    before, after = workflow({}), workflow({"training": [{"dataset": "wine"} | setting]})
    stages = {"train", "crossval", "influence", "dynamics", "score", "detect"}
    for this, other in ((before, after), (after, before)):
        changed = keys(this) - keys(other)
        assert {this.plan.nodes[key].stage for key in changed} == stages
        assert {dataset_of(this, key) for key in changed} == {"wine"}
        kept = keys(this) & keys(other)
        assert not [
            k for k in kept if this.plan.nodes[k].stage in stages - {"detect"} and dataset_of(this, k) == "wine"
        ]
        same = {this.plan.nodes[k].spec["detector"]["name"] for k in kept if this.plan.nodes[k].stage == "detect"}
        assert same == {
            "cleanlab",
            "iforest",
            "iforest_features",
        }  # iforest reads the inputs only, and digits is as before
        again = {this.plan.nodes[k].spec["detector"]["name"] for k in changed if this.plan.nodes[k].stage == "detect"}
        assert again == {"cleanlab", "iforest_features"}


@pytest.mark.parametrize(
    ("overlay", "kept"),
    [
        ({"folds": 3}, {"pool", "subset", "inject", "train", "influence", "dynamics", "score"}),
        ({"checkpoints": 3}, {"pool", "subset", "inject", "crossval"}),
        ({"validation_ratios": [0.1]}, {"pool", "subset", "inject", "train", "crossval", "dynamics", "detect"}),
        ({"validation_bootstraps": 2}, {"pool", "subset", "inject", "train", "crossval", "dynamics", "detect"}),
        ({"validation": 0.3}, {"pool"}),
        ({"subset": 140}, {"pool"}),
        ({"threads": 2}, set()),
    ],
    ids=["folds", "checkpoints", "validation_ratios", "bootstraps", "validation", "subset", "threads"],
)
def test_a_change_keeps_the_stages_that_do_not_depend_on_it(overlay, kept):
    before, after = workflow({}), workflow(overlay)
    by_stage = {
        stage: {k for k, node in before.plan.nodes.items() if node.stage == stage}
        for stage in ("pool", "subset", "inject", "train", "crossval", "influence", "dynamics", "score", "detect")
    }
    assert {stage for stage, nodes in by_stage.items() if nodes <= keys(after)} == kept


def test_a_data_file_s_content_and_not_its_name_is_in_the_keys(tmp_path):
    x, y = np.arange(240.0).reshape(60, 4), np.arange(60) % 2
    np.savez(tmp_path / "a.npz", x=x, y=y)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes())
    np.savez(tmp_path / "c.npz", x=x + 1, y=y)
    planned = [
        keys(
            workflow(
                {
                    "data_dir": str(tmp_path),
                    "datasets": [LOCAL | {"file": f"{name}.npz"}],
                    "models": [MLP],
                    "glitches": ["none"],
                }
            )
        )
        for name in "abc"
    ]
    assert planned[0] == planned[1]
    assert not planned[0] & planned[2]


def test_weights_content_and_not_their_name_is_in_the_keys(tmp_path):
    for name, content in {"a": 1, "b": 1, "c": 2}.items():
        save_file({"w": np.array([content])}, tmp_path / name)
    a, b, c = (
        keys(workflow({"weights_dir": str(tmp_path), "models": [RESNET | {"trained": "head", "weights": name}, MLP]}))
        for name in "abc"
    )
    assert a == b
    assert a != c


def test_keys_do_not_depend_on_the_hash_seed():
    code = (
        "import sys; from pathlib import Path; from glitchmark.config import retyped, read, validated\n"
        "from glitchmark.chunks import Workflow\n"
        "root = Path(sys.argv[1]); run = Workflow(validated(read(root, [sys.argv[2]], []), root))\n"
        "print(*run.plan.nodes, *(chunk.digest for chunk in run.chunks.values()))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code, str(ROOT), SMOKE],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(printed) == 1
    assert printed.pop().split()[0] in keys(workflow({}))
