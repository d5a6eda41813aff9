"""Rows of series.parquet against closed-form values, and how estimators agree with a reference."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import spearmanr

from conftest import random_factors
from glitchmark import registry
from glitchmark.evaluation.series import (
    SERIES,
    accuracy_curves,
    agreement,
    influence_by_epoch,
    pairs,
    toy,
    training_curves,
)
from glitchmark.influence.dynamics import dynamics
from glitchmark.influence.view import Influence
from glitchmark.stages import agreement as agreement_stage
from glitchmark.stages import dynamics as dynamics_stage
from glitchmark.stages import matrix as matrix_stage
from glitchmark.stages.agreement import column_correlation

KIND = np.array(["", "", "mislabeled", "anomalous"])
# at two checkpoints, of four samples on two classes with five validation samples in all
SELF = np.array([[1.0, 3.0, 5.0, -2.0], [2.0, 6.0, 7.0, 2.0]])
NEG = np.array([[[-1, 0], [0, 0], [-4, 0], [0, 0]], [[-1, -2], [0, 0], [-4, -8], [0, 0]]], np.float32)
POS = np.array([[[3, 0], [0, 0], [0, 4], [1, 1]], [[1, 2], [0, 0], [0, 0], [3, 3]]], np.float32)


def entry(arrays=None, **info):
    return SimpleNamespace(arrays=arrays or {}, info=info)


def rows(found):
    """(series, class) -> x -> value."""
    values = {}
    for curve in found:
        assert (curve.series, curve.group) not in values
        values[curve.series, curve.group] = dict(zip(curve.x, curve.value, strict=True))
    return values


def by_epoch(kind=KIND):
    arrays = {"self_influence": SELF, "neg": NEG, "pos": POS, "n_validation": np.int64(5)}
    return rows(influence_by_epoch(entry(arrays, epochs=[3, 7]), kind))


def ref(name, against="validation", **params):
    return {"estimator": {"name": name, "params": params, "against": against}}


def of_train(factors, epochs=(1, 2, 3)):
    return entry(vars(factors), curves={"epochs": list(epochs)})


def test_stages_with_series():
    assert set(SERIES) == {"train", "retrain", "dynamics", "agreement", "pairs", "toy"}


def test_training_curves():
    curves = {"loss": [2.0, 1.0, 0.5], "epochs": [1, 3], "validation_accuracy": [0.25, 0.75]}
    # of two classes, the margin of the observed one: at first none, then of the two clean samples log 3 and -log 3
    margins = np.array([[0, 0, 0, 0], [np.log(3), -np.log(3), 1000, -1000]])
    labels = np.array([0, 1, 1, 0])
    logits = np.zeros((2, 4, 2), np.float32)
    logits[:, np.arange(4), labels] = margins
    found = rows(training_curves(entry({"logits_train": logits, "labels_train": labels}, curves=curves), KIND))
    mean_of_clean = -(np.log(3 / 4) + np.log(1 / 4)) / 2
    assert found == {
        ("training_loss", ""): {1: 2.0, 2: 1.0, 3: 0.5},
        ("validation_accuracy", ""): {1: 0.25, 3: 0.75},
        ("training_loss_by_epoch", "clean"): {1: pytest.approx(np.log(2)), 3: pytest.approx(mean_of_clean, rel=1e-6)},
        ("training_loss_by_epoch", "mislabeled"): {1: pytest.approx(np.log(2)), 3: 0.0},
        ("training_loss_by_epoch", "anomalous"): {1: pytest.approx(np.log(2)), 3: 1000.0},
        ("training_accuracy_by_epoch", "clean"): {1: 0.5, 3: 0.5},  # equal logits: the first class
        ("training_accuracy_by_epoch", "mislabeled"): {1: 0.0, 3: 1.0},
        ("training_accuracy_by_epoch", "anomalous"): {1: 1.0, 3: 0.0},
    }


def test_accuracy_of_the_test_part_by_checkpoint():
    """Where there is no test part there is no such curve."""
    curves = {"epochs": [1, 3], "validation_accuracy": [0.25, 0.75], "test_accuracy": [0.5, 0.625]}
    found = rows(accuracy_curves(entry(curves=curves), None))
    assert found == {("validation_accuracy", ""): {1: 0.25, 3: 0.75}, ("test_accuracy", ""): {1: 0.5, 3: 0.625}}
    logits = np.zeros((2, 4, 2), np.float32)
    trained = entry({"logits_train": logits, "labels_train": np.zeros(4, int)}, curves=curves | {"loss": [1.0]})
    assert rows(training_curves(trained, KIND))["test_accuracy", ""] == {1: 0.5, 3: 0.625}


def test_pairs():
    """Bins by their centres, shares and magnitudes at 0, for pairs of the same class and of different ones."""
    arrays = {"edges": np.array([-2.0, 0, 1, 4]), "same": np.array([0.0, 0.25, 0.75]), "cross": np.array([0.5, 0.5, 0])}
    same, cross = {"positive": 1.0, "magnitude": 2.5, "pairs": 4}, {"positive": 0.5, "magnitude": 0.5, "pairs": 6}
    assert rows(pairs(entry(arrays, same=same, cross=cross), KIND)) == {
        ("pair_histogram", "same"): {-1: 0, 0.5: 0.25, 2.5: 0.75},
        ("pair_histogram", "cross"): {-1: 0.5, 0.5: 0.5, 2.5: 0},
        ("pair_positive", "same"): {0: 1.0},
        ("pair_positive", "cross"): {0: 0.5},
        ("pair_magnitude", "same"): {0: 2.5},
        ("pair_magnitude", "cross"): {0: 0.5},
    }


def test_toy():
    told = [["gradient_iforest", "clean", "gradient_1", [0, 2], [1.5, -1.0]], ["", "", "train_x", [0], [3.0]]]
    first, second = toy(entry(series=told), None)
    assert (first.method, second.method) == ("gradient_iforest", "")
    assert rows([first, second]) == {("gradient_1", "clean"): {0: 1.5, 2: -1.0}, ("train_x", ""): {0: 3.0}}


def test_influence_by_epoch():
    """The mean over each kind's samples of SI, of MI = sum of influence, and of AAI = mean of absolute influence."""
    found = by_epoch()
    assert {key: found[key] for key in found if key[0].endswith("_by_epoch")} == {
        ("si_by_epoch", "clean"): {3: 2.0, 7: 4.0},
        ("mi_by_epoch", "clean"): {3: 1.0, 7: 0.0},
        ("aai_by_epoch", "clean"): {3: pytest.approx(0.4), 7: pytest.approx(0.6)},
        ("si_by_epoch", "mislabeled"): {3: 5.0, 7: 7.0},
        ("mi_by_epoch", "mislabeled"): {3: 0.0, 7: -12.0},
        ("aai_by_epoch", "mislabeled"): {3: pytest.approx(1.6), 7: pytest.approx(2.4)},
        ("si_by_epoch", "anomalous"): {3: -2.0, 7: 2.0},
        ("mi_by_epoch", "anomalous"): {3: 2.0, 7: 6.0},
        ("aai_by_epoch", "anomalous"): {3: pytest.approx(0.4), 7: pytest.approx(1.2)},
    }


def test_cancellation():
    """1 - |sum| / sum of absolute values: of the first clean sample, MI is 6 - 4 of 10, and GD-class is 4 - 2 of 6, or
    2 - 2 of 4 for its second class, which has the smaller sum; the second clean sample has no influence."""
    found = by_epoch()
    assert {key: found[key] for key in found if key[0].endswith("_cancellation")} == {
        ("si_cancellation", "clean"): {0: 0.0},
        ("mi_cancellation", "clean"): {0: pytest.approx((1 - 2 / 10) / 2)},
        ("aai_cancellation", "clean"): {0: 0.0},
        ("gd_class_cancellation", "clean"): {0: pytest.approx((1 - 0 / 4) / 2)},
        ("si_cancellation", "mislabeled"): {0: 0.0},
        ("mi_cancellation", "mislabeled"): {0: pytest.approx(1 - 12 / 20)},
        ("aai_cancellation", "mislabeled"): {0: 0.0},
        ("gd_class_cancellation", "mislabeled"): {0: 0.0},  # -8 of 8; the other class has -8 + 4
        ("si_cancellation", "anomalous"): {0: 1.0},  # -2 + 2
        ("mi_cancellation", "anomalous"): {0: 0.0},
        ("aai_cancellation", "anomalous"): {0: 0.0},
        ("gd_class_cancellation", "anomalous"): {0: 0.0},
    }


@pytest.mark.parametrize("kinds", [{""}, {"", "mislabeled"}, {"anomalous"}])
def test_kinds_that_are_not_there_have_no_rows(kinds):
    kind = np.array(sorted(kinds))[np.arange(4) % len(kinds)]
    assert {group for _, group in by_epoch(kind)} == {k or "clean" for k in kinds}


def test_agreement():
    found = rows(agreement(entry({"correlation": np.array([1.0, np.nan, -0.5])}), KIND))
    assert found.keys() == {("agreement", "")}
    assert found["agreement", ""] == pytest.approx({0: 1.0, 1: np.nan, 2: -0.5}, nan_ok=True)


@pytest.mark.parametrize("decimals", [None, 0], ids=["no ties", "ties"])
def test_correlation_is_spearman_s(decimals):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 8))
    a = a if decimals is None else a.round(decimals)
    expected = [spearmanr(a[:, j], b[:, j]).statistic for j in range(8)]
    np.testing.assert_allclose(column_correlation(a, b), expected, rtol=1e-12)
    np.testing.assert_allclose(column_correlation(a, a), 1, rtol=1e-12)
    np.testing.assert_allclose(column_correlation(a, -a), -1, rtol=1e-12)
    np.testing.assert_allclose(column_correlation(np.exp(a), b), expected, rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_constant_influence_has_no_correlation():
    a = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    b = a.copy()
    b[:, 1] = 0
    np.testing.assert_array_equal(np.isnan(column_correlation(a, b)), [False, True, False])


@pytest.mark.parametrize("against", ["validation", "training"])
def test_an_estimator_agrees_with_itself(against):
    f = random_factors(0)
    spec = ref("tracin", against)
    arrays, _ = matrix_stage.compute(spec, {"train": of_train(f)}, {"threads": 1, "features": ""})
    assert arrays["influence"].shape == (40, 40 if against == "training" else 25)
    found, _ = agreement_stage.compute(
        spec, {"train": of_train(f), "matrix": entry(arrays)}, {"threads": 1, "features": ""}
    )
    np.testing.assert_allclose(found["correlation"], 1, rtol=1e-12)


def test_agreement_is_about_the_columns_of_both_matrices():
    """One correlation for each validation sample, over the training samples."""
    f = random_factors(1)
    arrays, _ = matrix_stage.compute(ref("grad_dot"), {"train": of_train(f)}, {"threads": 1, "features": ""})
    inputs = {"train": of_train(f), "matrix": entry(arrays)}
    found = agreement_stage.compute(ref("tracin", bias=False), inputs, {"threads": 1, "features": ""})[0]["correlation"]
    one, other = (
        Influence.from_factors(f, build).matrix()
        for build in (
            registry.load("estimator", "grad_dot").function,
            partial(registry.load("estimator", "tracin").function, bias=False),
        )
    )
    expected = [spearmanr(one[:, j], other[:, j]).statistic for j in range(25)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("against", ["validation", "training"])
def test_influence_by_checkpoint_sums_up_to_tracin(against):
    f = random_factors(2)
    arrays, info = dynamics_stage.compute(
        ref("tracin", against), {"train": of_train(f)}, {"threads": 2, "features": ""}
    )
    whole = Influence.from_factors(
        f.against_training() if against == "training" else f, registry.load("estimator", "tracin").function
    )
    assert info == {"epochs": [1, 2, 3]}
    assert arrays["neg"].shape == arrays["pos"].shape == (3, 40, 4)
    assert arrays["n_validation"] == (40 if against == "training" else 25)
    total = (arrays["neg"] + arrays["pos"]).sum(axis=0)
    np.testing.assert_allclose(total, whole.class_sums().total, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(arrays["self_influence"].sum(axis=0), whole.self_influence, rtol=1e-6)


def test_influence_by_checkpoint_does_not_depend_on_threads():
    f = random_factors(3, n=300)
    build = registry.load("estimator", "tracin").function
    one, two = (vars(dynamics(build, f, threads)) for threads in (1, 2))
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name])
