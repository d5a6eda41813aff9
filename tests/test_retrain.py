"""Training again after a repair, through the real stages: image models with frozen parts, and a table."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from glitchmark import registry, seeds
from glitchmark.errors import CellError
from glitchmark.ranking import ranking, tie_break
from glitchmark.stages import features, inject, retrain, subset, train
from glitchmark.training.classifier import Accuracy
from glitchmark.training.settings import learning_rate
from glitchmark.training.sgd import fit

pytestmark = pytest.mark.usefixtures("one_thread")

CASES = {"head": ("digits", "resnet20"), "last_block": ("digits", "resnet20"), "all": ("wine", "mlp")}
SETTINGS = {"epochs": 3, "learning_rate": 0.3, "batch_size": 16, "momentum": 0.5, "schedule": "cosine"}
WEIGHTS = Path(registry.__file__).parent / "pretrained" / "resnet20.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the features that frozen parts compute."""
    return tmp_path_factory.mktemp("features")


def entry(result):
    arrays, info = result
    return SimpleNamespace(arrays=arrays, info=info)


def pool(name):
    loaded = registry.load("dataset", name).function()
    info = {"class_names": list(loaded.class_names), "categories": list(loaded.categories)}
    return SimpleNamespace(arrays={"x": loaded.x, "y": loaded.y}, info=info)


class Cell:
    """The spec and inputs of a training, as the plan would make them. parts: of the glitch."""

    def __init__(self, folder, trained, seed, parts=(), test=0.25):
        data, model = CASES[trained]
        params = {"d_block": 16, "dropout": 0.2} if model == "mlp" else {}
        network = {"model": {"name": model, "params": params}, "trained": trained, "weights": ""}
        network["input_size"] = 16 if model == "resnet20" else None
        drawn = {"dataset": data, "seed": seed}
        self.runtime = {"threads": 1, "features": folder, "paths": {}}
        self.spec = drawn | network | {"settings": SETTINGS, "checkpoints": 2, "device": "cpu"}
        self.inputs = {"pool": pool(data)}
        split = {"split": {"subset": 140, "validation": 0.25, "test": test}}
        self.inputs["subset"] = entry(subset.compute(drawn | split, self.inputs, self.runtime))
        sources = {"anomaly_pool": pool("letters")} if data == "digits" else {}
        glitched = drawn | {"parts": [{"name": n, "params": p} for n, p in parts], "anomaly_source": "letters"}
        self.inputs["inject"] = entry(inject.compute(glitched, self.inputs | sources, self.runtime))
        self.truth = self.inputs["inject"].arrays
        if trained != "all":
            self.runtime["paths"] = {"weights": str(WEIGHTS)}
            self.spec["trunk"] = network | {"precision": "single", "device": "cpu"}
            only = {name: self.inputs[name] for name in ("pool", "subset")}
            made = {name: self.inputs[name] for name in ("pool", "inject")}
            self.inputs["features"] = entry(features.compute(self.spec, only, self.runtime))
            self.inputs["changed_features"] = entry(features.compute(self.spec, made, self.runtime))

    def train(self):
        return train.compute(self.spec, self.inputs, self.runtime)[1]

    def retrain(self, action, score=None, *, budget=None, suggested=None, training="restart", epochs=2, row=0):
        repair = {"action": action, "budget": budget, "training": training, "epochs": epochs}
        arrays = {"score": np.atleast_2d(np.zeros(1) if score is None else score)}
        if suggested is not None:
            arrays["suggested"] = np.atleast_2d(suggested)
        judge = {} if action == "perfect" else {"judge": SimpleNamespace(arrays=arrays)}
        arrays, info = retrain.compute(self.spec | {"repair": repair, "row": row}, self.inputs | judge, self.runtime)
        assert arrays == {}
        return info


def same_training(info, other):
    assert info["curves"] == other["curves"]
    for name in ("test_accuracy", "validation_accuracy"):
        assert info[name] == info["curves"][name][-1]


UNIFORM = ("uniform", {"ratio": 0.3})
ADDED = {"digits": ("far_ca", {"ratio": 0.2}), "wine": ("far_cluster", {"ratio": 0.2})}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("trained", CASES)
def test_perfect_repair_is_training_on_what_was_there_before_the_glitches(trained, seed, folder):
    """Labels put right and anomalies gone, a table is even encoded as if these had never been there."""
    clean = Cell(folder, trained, seed)
    broken = Cell(folder, trained, seed, [UNIFORM, ADDED[CASES[trained][0]]])
    plain = clean.train()
    info = broken.retrain("perfect")
    same_training(info, plain)
    assert info["changed"] == np.count_nonzero(broken.truth["kind"] != "")
    assert info["budget"] == info["changed"] / len(broken.truth["kind"])
    same_training(clean.retrain("perfect"), plain)  # nothing to repair
    assert broken.train()["curves"]["loss"] != plain["curves"]["loss"]
    assert plain["test_accuracy"] > 0.45


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("trained", CASES)
def test_a_perfect_judge_repairs_perfectly(trained, seed, folder):
    """Annotating exactly the glitches, or relabelling them rightly, is the perfect repair; so is removing additions."""
    flipped = Cell(folder, trained, seed, [UNIFORM])
    wrong = flipped.truth["kind"] != ""
    perfect = flipped.retrain("perfect")
    for info in (
        flipped.retrain("annotate", wrong.astype(float)),
        flipped.retrain("relabel", wrong.astype(float), suggested=flipped.truth["true_label"]),
    ):
        same_training(info, perfect)
        assert info["changed"] == wrong.sum() == round(info["budget"] * len(wrong))
    added = Cell(folder, trained, seed, [ADDED[CASES[trained][0]]])
    odd = added.truth["kind"] != ""
    perfect = added.retrain("perfect")
    same_training(added.retrain("remove", odd.astype(float)), perfect)
    same_training(added.retrain("annotate", odd.astype(float)), perfect)  # they are of no class


@pytest.mark.parametrize("trained", CASES)
def test_repaired_trainings_differ_and_repeat(trained, folder):
    cell = Cell(folder, trained, 0, [UNIFORM])
    score, found = np.random.default_rng(0).normal(size=len(cell.truth["kind"])), []
    suggested = (cell.truth["observed_label"] + 1) % 3
    for action in ("remove", "relabel", "annotate"):
        for training in ("restart", "continue"):
            options = {"budget": 0.5, "suggested": suggested, "training": training}
            info = cell.retrain(action, score, **options)
            assert cell.retrain(action, score, **options) == info
            found.append(tuple(info["curves"]["loss"]))
    assert len(set(found)) == 6


@pytest.mark.parametrize("trained", CASES)
def test_continued_training_starts_from_the_trained_model(trained, folder):
    """On the broken data, encoded as that was, exactly as it was trained; then at the last learning rate."""
    cell = Cell(folder, trained, 0, [UNIFORM, ADDED[CASES[trained][0]]])
    plain, info = cell.train(), cell.retrain("perfect", training="continue", epochs=4)
    assert plain["curves"]["epochs"] == [2, 3]
    assert info["curves"]["epochs"] == [2, 3, 5, 7]
    assert len(info["curves"]["loss"]) == 3 + 4
    for name, values in plain["curves"].items():
        assert info["curves"][name][: len(values)] == values


def test_continued_training_by_hand(folder):
    """Two calls of the trainer on the table's encoded samples, the second with those that a method's flags leave."""
    cell = Cell(folder, "all", 0, [UNIFORM])
    score = np.random.default_rng(1).normal(size=len(cell.truth["kind"]))
    info = cell.retrain("remove", score, budget=0.3, training="continue", epochs=2)
    prepared = retrain.prepare(cell.spec, cell.inputs, cell.runtime, test=True)
    block, head = prepared.trainable()
    name = ("wine", "mlp")
    x, y = prepared.x_train, prepared.y_train
    fit(block, head, x, y, prepared.settings, seeds.generator(0, "batches", *name))
    stay = torch.from_numpy(np.sort(np.argsort(-score)[round(0.3 * len(score)) :]))
    rate = learning_rate(prepared.settings, 3)
    more = retrain.replace(prepared.settings, epochs=2, learning_rate=rate, schedule="constant")
    losses = fit(block, head, x[stay], y[stay], more, seeds.generator(0, "continued batches", *name))
    test = Accuracy(block, head, prepared.x_test, prepared.y_test)
    test()
    assert info["test_accuracy"] == test.shares[0]
    assert info["curves"]["loss"][3:] == losses


@pytest.mark.parametrize(("budget", "expected"), [(0.001, 1), (0.1, 10), (0.5, 52), (None, 32)])
def test_the_budget_takes_the_highest_ranks_of_the_scores_row(budget, expected, folder):
    """Of 105 samples, 32 of them flipped; equal scores are taken in the order of the tables."""
    cell = Cell(folder, "all", 0, [UNIFORM])
    ids = cell.truth["id"]
    score = np.stack([np.zeros(len(ids)), np.random.default_rng(0).integers(3, size=len(ids))]).astype(float)
    for row in range(2):
        repair = {"action": "remove", "budget": budget, "training": "restart", "epochs": 1}
        inputs = cell.inputs | {"judge": SimpleNamespace(arrays={"score": score})}
        labels, kept, acted_on = retrain.repaired({"repair": repair, "row": row}, inputs)
        removed = np.setdiff1d(np.arange(len(ids)), kept)
        assert len(removed) == acted_on == expected
        order = sorted(range(len(ids)), key=lambda i, row=row: (-score[row, i], tie_break(ids[i : i + 1])[0]))
        assert set(removed) == set(order[:expected])
        assert ranking(score[row], tie_break(ids))[order[0]] == 1
        np.testing.assert_array_equal(labels, cell.truth["observed_label"])


def test_changed_inputs_are_removed_by_a_perfect_repair_alone(folder):
    cell = Cell(folder, "head", 0, [("corruption", {"ratio": 0.2})])
    n, odd = len(cell.truth["kind"]), cell.truth["kind"] != ""
    assert cell.retrain("perfect")["changed"] == odd.sum() == round(0.2 * n)
    assert cell.retrain("annotate", odd.astype(float))["changed"] == 0  # their labels are right
    assert cell.retrain("annotate", odd.astype(float))["budget"] == odd.mean()


def test_what_cannot_be_done_says_so(folder):
    clean = Cell(folder, "all", 0)
    n = len(clean.truth["kind"])
    with pytest.raises(CellError, match="give 'budget'"):
        clean.retrain("remove", np.arange(n))
    with pytest.raises(CellError, match="suggests no labels"):
        clean.retrain("relabel", np.arange(n), budget=0.1)
    for budget in (1.0, 1 - 1 / n):
        with pytest.raises(CellError, match="lower 'budget'"):
            clean.retrain("remove", np.arange(n), budget=budget)
    with pytest.raises(CellError, match="set 'test' above 0"):
        Cell(folder, "all", 0, [UNIFORM], test=0.0).retrain("perfect")


@pytest.mark.parametrize("trained", CASES)
def test_training_without_a_test_part_reports_no_test_accuracy_and_is_the_same(trained, folder):
    """What is read of the test part moves nothing: here the parts without it are those with it."""
    cell = Cell(folder, trained, 0, [UNIFORM])
    arrays, info = train.compute(cell.spec, cell.inputs, cell.runtime)
    rows = cell.inputs["subset"].arrays["test"]
    assert len(info["curves"]["test_accuracy"]) == len(info["curves"]["epochs"])
    assert {round(share * len(rows), 9) % 1 for share in info["curves"]["test_accuracy"]} == {0}
    cell.inputs["subset"].arrays["test"] = rows[:0]
    if trained != "all":
        cell.inputs["features"].arrays["test"] = cell.inputs["features"].arrays["test"][:0]
    without, less = train.compute(cell.spec, cell.inputs, cell.runtime)
    assert "test_accuracy" not in less
    assert "test_accuracy" not in less["curves"]
    assert less["curves"]["loss"] == info["curves"]["loss"]
    for name, values in arrays.items():
        np.testing.assert_array_equal(without[name], values)


@pytest.mark.parametrize("trained", CASES)
def test_accuracy_on_the_test_part_is_that_of_its_own_samples(trained, folder):
    """The validation samples in the place of the test part give the validation accuracy."""
    cell = Cell(folder, trained, 0, [UNIFORM])
    cell.inputs["subset"].arrays["test"] = cell.inputs["subset"].arrays["val"]
    if trained != "all":
        cell.inputs["features"].arrays["test"] = cell.inputs["features"].arrays["val"]
    info = cell.train()
    assert info["curves"]["test_accuracy"] == info["curves"]["validation_accuracy"]


@pytest.mark.parametrize("trained", ["head", "last_block"])
def test_lost_features_of_the_samples_that_stay_are_computed_anew(trained, folder, tmp_path):
    cell = Cell(folder, trained, 0, [UNIFORM, ADDED["digits"]])
    score = np.random.default_rng(0).normal(size=len(cell.truth["kind"]))
    before = cell.retrain("remove", score, budget=0.4)
    cell.runtime["features"] = tmp_path / "empty"
    assert cell.retrain("remove", score, budget=0.4) == before
