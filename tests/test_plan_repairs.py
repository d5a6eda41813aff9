"""Detectors, repairs and toys in the plan: what is computed for each, and what one result serves."""

import copy

import pytest

from conftest import ROOT
from glitchmark.chunks import Workflow
from glitchmark.config import read, validated
from glitchmark.errors import UserError
from glitchmark.products import FIGURES_PER_JOB

SMOKE = str(ROOT / "config" / "smoke.yaml")
MODEL = {"name": "vit_cifar", "weights": "embedded", "trained": "head", "input_size": 32}
MLP = {"name": "mlp", "d_block": 8}
UNIFORM, FAR = {"name": "uniform", "ratio": 0.1}, {"name": "far_ca", "ratio": 0.1}


def workflow(**overlay) -> Workflow:
    """The smoke grid on digits with one seed, some keys replaced."""
    defaults = {"datasets": ["digits"], "models": [MODEL], "seeds": [0], "signals": ["loss"], "detectors": []}
    config = read(ROOT, [SMOKE], []) | defaults | {"glitches": ["none", UNIFORM, FAR], "figures": []} | overlay
    return Workflow(validated(copy.deepcopy(config), ROOT))


def of_stage(run: Workflow, stage: str) -> dict:
    return {key: node for key, node in run.plan.nodes.items() if node.stage == stage}


def measured(run: Workflow, stage: str) -> list:
    return [m for m in run.plan.measurements if m.stage == stage]


@pytest.mark.parametrize("detector", ["iforest", "iforest_features"])
def test_a_detector_that_reads_no_labels_is_shared_by_the_glitches_that_leave_inputs_alone(detector):
    run = workflow(detectors=[detector])
    assert len(of_stage(run, "detect")) == 2  # of the subset, and of that with far anomalies
    found = {m.labels["glitch"]: m.key for m in measured(run, "detect")}
    assert found["none"] == found["uniform"] != found["far_ca"]
    assert len({m.inject for m in measured(run, "detect")}) == 3  # each with its own truth


def test_features_that_are_trained_differ_with_the_labels():
    trained = MODEL | {"name": "resnet20", "trained": "last_block"}
    run = workflow(detectors=["iforest_features"], models=[trained])
    assert len(of_stage(run, "detect")) == 3


def test_a_detector_on_some_models():
    models = [MODEL, MODEL | {"id": "other"}]
    run = workflow(models=models, detectors=[{"name": "cleanlab", "models": ["other"]}], glitches=[UNIFORM])
    assert [m.labels["model"] for m in measured(run, "detect")] == ["other"]
    assert len(of_stage(run, "crossval")) == 1
    with pytest.raises(UserError, match=r"detectors\[0\].models: 'othre' is not in this grid; did you mean 'other'"):
        workflow(models=models, detectors=[{"name": "cleanlab", "models": ["othre"]}])


def test_a_detector_that_trains_reads_what_training_reads():
    run = workflow(detectors=["model_based"], glitches=[UNIFORM])
    (refit,), (train,) = of_stage(run, "refit").values(), of_stage(run, "train").values()
    assert refit.inputs == train.inputs
    assert refit.spec["settings"] == train.spec["settings"]
    assert refit.spec["detector"]["name"] == "model_based"


def test_each_repair_of_what_each_method_found():
    repairs = [
        {"action": "remove", "methods": ["loss", "cnci", "iforest"], "budget": [0.05, 0.1]},
        {"action": "relabel", "methods": ["cnci"], "training": "continue"},
        {"action": "perfect"},
    ]
    estimators = ["tracin", "grad_dot"]
    run = workflow(signals=["loss", "cnci"], detectors=["iforest"], estimators=estimators, repairs=repairs)
    found = [
        tuple(m.labels[c] for c in ("glitch", "method", "estimator", "action", "budget"))
        for m in measured(run, "retrain")
    ]
    expected = {
        (glitch, method, estimator, "remove", budget)
        for glitch in ("uniform", "far_ca")  # nothing to repair in the control
        for method, estimator in [("loss", ""), ("cnci", "tracin"), ("cnci", "grad_dot"), ("iforest", "")]
        for budget in (0.05, 0.1)
    }
    for glitch in ("uniform", "far_ca"):
        expected |= {(glitch, "cnci", e, "relabel_continue", 0.0) for e in estimators}
        expected |= {(glitch, "", "", "perfect", 0.0)}
    assert len(found) == len(set(found))
    assert set(found) == expected
    scored = {m.key for m in run.plan.measurements if m.rows}
    for m in measured(run, "retrain"):
        node = run.plan.nodes[m.key]
        assert ("judge" in node.inputs) == (m.labels["method"] != "")
        assert node.inputs.get("judge", next(iter(scored))) in scored
        assert ("epochs" in node.spec["repair"]) == m.labels["action"].endswith("_continue")


def test_a_repair_of_some_cells():
    repair = {"action": "remove", "methods": ["loss"], "budget": 0.1, "models": ["other"], "glitches": ["uniform"]}
    run = workflow(models=[MODEL, MODEL | {"id": "other"}], repairs=[repair])
    assert [(m.labels["model"], m.labels["glitch"]) for m in measured(run, "retrain")] == [("other", "uniform")]


def test_repairs_follow_the_largest_validation_ratio_and_the_cleanest_labels():
    repairs = [{"action": "remove", "methods": ["cnci"], "budget": 0.1}]
    run = workflow(
        signals=["cnci"], repairs=repairs, validation_ratios=[0.2, 0.1], validation_noise=[0.2, 0], glitches=[UNIFORM]
    )
    (retrained,) = of_stage(run, "retrain").values()
    judge = next(m for m in run.plan.measurements if m.key == retrained.inputs["judge"])
    assert judge.rows[retrained.spec["row"]] == (0.2, 0)
    assert judge.labels["validation_noise"] == 0


def test_repairs_follow_what_reads_no_validation_samples_whatever_their_noise():
    repairs = [{"action": "remove", "methods": ["cnci", "loss", "iforest"], "budget": 0.1}]
    run = workflow(
        signals=["cnci", "loss"], detectors=["iforest"], repairs=repairs, validation_noise=[0.2], glitches=[UNIFORM]
    )
    assert {m.labels["method"] for m in measured(run, "retrain")} == {"cnci", "loss", "iforest"}


def test_the_same_glitch_under_two_names_is_repaired_under_both():
    twin = {"id": "twin", "parts": [UNIFORM]}
    run = workflow(repairs=[{"action": "remove", "methods": ["loss"], "budget": 0.1}], glitches=[UNIFORM, twin])
    assert [m.labels["glitch"] for m in measured(run, "retrain")] == ["uniform", "twin"]


@pytest.mark.parametrize(
    ("repair", "said"),
    [
        ({"action": "remove"}, r"repairs\[0\]: 'remove' acts on what methods found; name them under 'methods'"),
        ({"action": "perfect", "methods": ["loss"]}, r"repairs\[0\]: 'perfect' .* remove its 'methods'"),
        (
            {"action": "perfect", "budget": 0.1},
            r"repairs\[0\].budget: 'perfect' repairs everything; remove its budget",
        ),
        ({"action": "remove", "methods": ["los"]}, r"repairs \(remove\): 'los' is none .* did you mean 'loss'"),
        ({"action": "remove", "methods": ["loss"], "models": ["vit"]}, r"repairs \(remove\).models: 'vit' is not in"),
        ({"action": "remove", "methods": ["loss"], "glitches": ["x"]}, r"repairs \(remove\).glitches: 'x' is not in"),
        ({"action": "remove", "methods": ["loss"], "budget": 1.5}, r"repairs\[0\].budget: 1.5 must be less than 1"),
        ({"action": "remove", "methods": ["loss"], "budget": [0.1, 0]}, r"repairs\[0\].budget\[1\]: 0 must be greater"),
        ({"action": "fix", "methods": ["loss"]}, r"repairs\[0\].action: 'fix' is unknown; allowed: remove, relabel"),
        ({"action": "remove", "methods": ["loss"], "budgt": 0.1}, r"unknown key 'repairs\[0\].budgt'; did you mean"),
    ],
)
def test_what_is_wrong_with_a_repair_is_said(repair, said):
    with pytest.raises(UserError, match=said):
        workflow(repairs=[repair])


def test_repairs_that_stand_there_twice_and_repairs_without_a_test_part():
    repair = {"action": "remove", "methods": ["loss"], "budget": 0.1}
    with pytest.raises(UserError, match=r"'remove' of 'loss' with budget 0\.1 stands there twice for"):
        workflow(repairs=[repair, repair | {"models": ["vit_cifar"]}])
    apart = [repair | {"glitches": ["uniform"]}, repair | {"glitches": ["far_ca"]}]
    assert len(measured(workflow(repairs=apart), "retrain")) == 2
    with pytest.raises(UserError, match="repairs: what they bring is measured on test data; set 'test' above 0"):
        workflow(repairs=[repair], test=0)


def test_toys_are_computed_once_a_seed():
    run = workflow(toys=["half_moons", "blobs"], seeds=[0, 1])
    assert sorted((n.spec["toy"]["name"], n.spec["seed"]) for n in of_stage(run, "toy").values()) == [
        ("blobs", 0), ("blobs", 1), ("half_moons", 0), ("half_moons", 1),
    ]  # fmt: skip
    assert {m.labels["modality"] for m in measured(run, "toy")} == {"toy"}


# Figures: several a job, each with a digest of its own


def figures(run: Workflow) -> dict:
    return {f["id"]: f for part in run.names("figures") for f in run.chunks["figures", part].order["figures"]}


def test_a_figure_depends_on_the_tables_its_parameters_and_its_code_alone():
    entry = {"name": "fig1a", "ratio": 0.1}
    before = figures(workflow(figures=[entry, "fig5a"]))
    edited = figures(workflow(figures=[entry | {"ratio": 0.2}, "fig5a"]))
    assert before["fig1a"]["digest"] != edited["fig1a"]["digest"]
    assert before["fig5a"] == edited["fig5a"]
    other = figures(workflow(figures=[entry, "fig5a"], seeds=[1]))
    assert before["fig5a"]["digest"] != other["fig5a"]["digest"]


def test_figures_are_spread_over_jobs():
    ids = [f"figure_{i}" for i in range(FIGURES_PER_JOB + 1)]
    run = workflow(figures=[{"name": "fig1a", "id": i} for i in ids])
    assert run.names("figures") == ["part-0", "part-1"]
    assert list(figures(run)) == ids
    assert ("report", "report") in run.chunks
    assert not any(chunk.startswith("report") for chunk in run.unfinished())  # made only when asked for
