"""Signals, estimators, validation subsets and a reference in the plan: what is computed for each, and once only."""

import copy
from collections import Counter

import pytest

from conftest import ROOT
from glitchmark import registry
from glitchmark.chunks import Workflow
from glitchmark.config import read, validated
from glitchmark.products import STAGES

SMOKE = str(ROOT / "config" / "smoke.yaml")
CELLS = 2 * (3 + 2)  # two seeds; digits with none, uniform and mixed, wine with none and uniform
INFLUENCE, DYNAMICS, FACTORS, TRAINING = ["si", "cnci"], ["cancellation"], ["mahalanobis"], ["loss", "random"]
SIGNALS = INFLUENCE + DYNAMICS + FACTORS + TRAINING
BOTH = ["tracin", {"name": "grad_dot", "id": "train_dot", "against": "training"}]

MINE = '''from glitchmark.signals import signal


@signal("mine", targets="both", reads="{reads}", reference="me")
def mine(influence):
    """Mine."""
    return influence.labels * 1.0
'''
ESTIMATOR = '''from glitchmark.influence.estimators import estimator
from glitchmark.influence.estimators.grad_dot import GradDot


@estimator("my_dot", reference="me")
class MyDot(GradDot):
    """{docstring}"""

    def __init__(self, factors, *, sign: float = 1.0):
        super().__init__(factors)
        self.weights = {weights}
'''


@pytest.fixture(autouse=True)
def no_loaded_files(monkeypatch):
    """Plug-in files that one test loads are unknown to the next."""
    monkeypatch.setattr(registry, "_loaded_files", {})


def planned(**overlay):
    """The plan of the smoke grid with some keys replaced."""
    defaults = {"signals": SIGNALS, "detectors": ["iforest", "cleanlab"]}
    config = read(ROOT, [SMOKE], []) | defaults | overlay
    return Workflow(validated(copy.deepcopy(config), ROOT)).plan


def added(before, after):
    """(stage, signal, estimator) -> how many results the second plan has that the first has not; it must lack none."""
    assert before.nodes.keys() <= after.nodes.keys()
    return counts(after.nodes[key] for key in after.nodes.keys() - before.nodes.keys())


def counts(nodes):
    return Counter((node.stage, name(node, "signal"), name(node, "estimator")) for node in nodes)


def name(node, kind):
    return node.spec[kind]["name"] if kind in node.spec else ""


def scores(plan):
    """Signal -> keys of its results, by the estimator that they are labelled with."""
    found = {}
    for m in plan.measurements:
        if m.stage == "score":
            found.setdefault((m.labels["method"], m.labels["estimator"]), []).append(m.key)
    return found


def rows(plan):
    """(signal or detector, estimator) -> the rows of its results."""
    found = {}
    for m in plan.measurements:
        if m.labels["method"]:
            found.setdefault((m.labels["method"], m.labels["estimator"]), set()).add(tuple(m.rows))
    assert all(len(each) == 1 for each in found.values())
    return {method: list(each.pop()) for method, each in found.items()}


def test_each_signal_has_the_inputs_that_it_reads():
    nodes = [node for node in planned().nodes.values() if node.stage == "score"]
    inputs = {name(node, "signal"): set(node.inputs) for node in nodes}
    wanted = {
        "influence": (INFLUENCE, {"train", "influence"}),
        "dynamics": (DYNAMICS, {"train", "influence", "dynamics"}),
        "factors": (FACTORS, {"train"}),
        "training": (TRAINING, {"train"}),
    }
    assert inputs == {signal: read for names, read in wanted.values() for signal in names}
    assert Counter(name(node, "signal") for node in nodes) == dict.fromkeys(SIGNALS, CELLS)


@pytest.mark.parametrize("signal", registry.names("signal"))
def test_every_shipped_signal_is_planned(signal):
    plan = planned(signals=[signal], detectors=[], estimators=BOTH)
    read = registry.load("signal", signal).info["reads"]
    of_estimator = read in ("influence", "dynamics")
    assert scores(plan).keys() == {(signal, e) for e in (("tracin", "train_dot") if of_estimator else ("",))}
    assert Counter(n.stage for n in plan.nodes.values())["dynamics"] == (2 * CELLS if read == "dynamics" else 0)


@pytest.mark.parametrize(
    "overlay",
    [
        {},
        {"estimators": BOTH, "reference": "loo", "validation_bootstraps": 2},
        {"estimators": BOTH, "reference": {"name": "tracin", "against": "training"}},
    ],
    ids=["smoke", "reference", "reference against training"],
)
def test_inputs_come_before_what_reads_them(overlay):
    """So no result is its own input, not even through others."""
    seen = set()
    for key, node in planned(**overlay).nodes.items():
        assert node.key == key
        assert set(node.inputs.values()) <= seen
        seen.add(key)


def test_an_estimator_more():
    """The signals that read no influence have nothing to do with it."""
    new = added(planned(), planned(estimators=["tracin", "grad_cos"]))
    expected = {("influence", "", "grad_cos"): CELLS, ("dynamics", "", "grad_cos"): CELLS}
    assert new == expected | {("score", signal, "grad_cos"): CELLS for signal in INFLUENCE + DYNAMICS}


def test_an_estimator_against_the_training_samples_is_another_one():
    before, after = planned(), planned(estimators=["tracin", {"name": "tracin", "id": "own", "against": "training"}])
    new = added(before, after)
    expected = {("influence", "", "tracin"): CELLS, ("dynamics", "", "tracin"): CELLS}
    assert new == expected | {("score", signal, "tracin"): CELLS for signal in INFLUENCE + DYNAMICS}


def test_an_id_is_in_no_key():
    assert planned(estimators=[{"name": "tracin", "id": "mine"}]).nodes.keys() == planned().nodes.keys()
    renamed = planned(signals=[{"name": signal, "id": f"my_{signal}"} for signal in SIGNALS])
    assert renamed.nodes.keys() == planned().nodes.keys()


def test_a_reference():
    """One matrix a cell, of the reference, and one comparison with it for each estimator with the same targets."""
    before = planned(estimators=["tracin", "grad_cos"])
    new = added(before, planned(estimators=["tracin", "grad_cos"], reference="loo"))
    assert new == {
        ("matrix", "", "loo"): CELLS,
        ("agreement", "", "tracin"): CELLS,
        ("agreement", "", "grad_cos"): CELLS,
    }
    more = added(planned(reference="loo"), planned(estimators=["tracin", "grad_cos"], reference="loo"))
    assert more["agreement", "", "grad_cos"] == CELLS
    assert ("matrix", "", "loo") not in more
    assert ("agreement", "", "tracin") not in more


@pytest.mark.parametrize(("against", "compared"), [("validation", "tracin"), ("training", "grad_dot")])
def test_estimators_are_compared_with_a_reference_of_the_same_targets(against, compared):
    plan = planned(estimators=BOTH, reference={"name": "loo", "against": against})
    found = [node for node in plan.nodes.values() if node.stage == "agreement"]
    assert {name(node, "estimator") for node in found} == {compared}
    assert {plan.nodes[node.inputs["matrix"]].spec["estimator"]["against"] for node in found} == {against}


def test_the_reference_and_what_is_compared_with_it_have_one_training():
    plan = planned(estimators=BOTH, reference="loo")
    found = [node for node in plan.nodes.values() if node.stage == "agreement"]
    assert len({node.inputs["train"] for node in found}) == len(found) == CELLS
    assert all(plan.nodes[node.inputs["matrix"]].inputs["train"] == node.inputs["train"] for node in found)


@pytest.mark.parametrize("overlay", [{"validation_ratios": [0.05, 0.2]}, {"validation_bootstraps": 3}], ids=str)
def test_what_depends_on_the_validation_subsets(overlay):
    """Signals and estimators that read other validation samples are computed again, all others are not."""
    before, after = planned(estimators=BOTH), planned(estimators=BOTH, **overlay)
    for this, other in ((before, after), (after, before)):
        changed = counts(this.nodes[key] for key in this.nodes.keys() - other.nodes.keys())
        expected = {("influence", "", "tracin"): CELLS} | {("score", signal, ""): CELLS for signal in FACTORS}
        assert changed == expected | {("score", signal, "tracin"): CELLS for signal in INFLUENCE + DYNAMICS}


@pytest.mark.parametrize("signal", FACTORS + TRAINING)
def test_signals_that_read_no_influence_depend_on_no_estimator(signal):
    plans = [
        planned(signals=[signal], estimators=estimators) for estimators in (["tracin"], ["grad_cos"], BOTH, BOTH[::-1])
    ]
    found = [scores(plan) for plan in plans]
    assert found[0].keys() == {(signal, "")}
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_signal_depends_on_no_other_signal(signal):
    def mine(signals):
        return {method: keys for method, keys in scores(planned(signals=signals)).items() if method[0] == signal}

    assert mine([signal]) == mine(SIGNALS) == mine(SIGNALS[::-1])


@pytest.mark.parametrize("signal", TRAINING)
def test_signals_that_read_no_validation_samples_depend_on_none(signal):
    before = scores(planned(signals=[signal]))
    assert scores(planned(signals=[signal], validation_ratios=[0.05])) == before
    assert scores(planned(signals=[signal], validation_bootstraps=4)) == before
    assert scores(planned(signals=[signal], validation=0.3)) != before  # other training samples


@pytest.mark.parametrize(("reads", "estimators"), [("influence", 2), ("dynamics", 2), ("factors", 1), ("training", 1)])
def test_what_a_signal_reads_is_in_its_key(tmp_path, reads, estimators):
    """Another declaration computes the signal anew and nothing else, but for the dynamics that it asks for."""
    path = tmp_path / "mine.py"
    path.write_text(MINE.format(reads="training"))
    before = planned(signals=["si", str(path)], estimators=BOTH)
    registry._loaded_files.clear()
    path = tmp_path / "edited" / "mine.py"
    path.parent.mkdir()
    path.write_text(MINE.format(reads=reads))
    after = planned(signals=["si", str(path)], estimators=BOTH)
    lost = counts(before.nodes[key] for key in before.nodes.keys() - after.nodes.keys())
    new = counts(after.nodes[key] for key in after.nodes.keys() - before.nodes.keys())
    if reads == "training":  # the same code in another place
        assert not lost
        assert not new
        return
    assert lost == {("score", "mine", ""): CELLS}
    assert sum(n for (stage, *_), n in new.items() if stage == "score") == estimators * CELLS
    assert {stage for stage, *_ in new} == {"score", *(["dynamics"] if reads == "dynamics" else [])}
    assert {signal for stage, signal, _ in new if stage == "score"} == {"mine"}


def test_code_of_an_estimator_is_in_the_keys_of_what_it_computes(tmp_path):
    """And in those of nothing else."""
    plans = []
    for i, text in enumerate(
        [
            ESTIMATOR.format(docstring="Mine.", weights="sign * self.weights"),
            ESTIMATOR.format(docstring="Mine.", weights="-sign * self.weights"),
            ESTIMATOR.format(docstring="Ours.", weights="sign * self.weights"),
        ]
    ):
        registry._loaded_files.clear()
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / "my_dot.py").write_text(text)
        plans.append(planned(estimators=["tracin", str(folder / "my_dot.py")], reference="loo"))
    edited = added(planned(reference="loo"), plans[1])
    expected = {("influence", "", "my_dot"), ("dynamics", "", "my_dot"), ("agreement", "", "my_dot")}
    expected |= {("score", signal, "my_dot") for signal in INFLUENCE + DYNAMICS}
    assert edited == dict.fromkeys(expected, CELLS)
    changed = counts(plans[1].nodes[key] for key in plans[1].nodes.keys() - plans[0].nodes.keys())
    assert changed == edited
    assert plans[2].nodes.keys() == plans[0].nodes.keys()


def test_parameters_of_an_estimator_are_in_the_keys_of_what_it_computes():
    without = [{"name": "tracin", "bias": False}]
    before, after = planned(), planned(estimators=without)
    changed = counts(after.nodes[key] for key in after.nodes.keys() - before.nodes.keys())
    expected = {("influence", "", "tracin"), ("dynamics", "", "tracin")}
    expected |= {("score", signal, "tracin") for signal in INFLUENCE + DYNAMICS}
    assert changed == dict.fromkeys(expected, CELLS)


def test_rows_are_the_validation_subsets():
    plan = planned(estimators=BOTH, validation_ratios=[0.1, 0.2], validation_bootstraps=2)
    subsets = [(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)]
    of_tracin = {(signal, "tracin"): subsets for signal in INFLUENCE + DYNAMICS}
    of_training = {(signal, "train_dot"): [(0.0, 0)] for signal in INFLUENCE + DYNAMICS}
    of_none = {(method, ""): [(0.0, 0)] for method in [*TRAINING, "iforest", "cleanlab"]}
    assert rows(plan) == of_tracin | of_training | of_none | {(signal, ""): subsets for signal in FACTORS}


def test_what_is_no_method_has_no_rows_and_one_measurement_a_cell():
    plan = planned(estimators=BOTH, reference="loo", validation_bootstraps=2)
    others = [m for m in plan.measurements if not m.labels["method"]]
    assert all(m.rows == [] for m in others)
    assert Counter((m.stage, m.labels["estimator"]) for m in others) == {
        ("train", ""): CELLS,
        ("dynamics", "tracin"): CELLS,
        ("dynamics", "train_dot"): CELLS,
        ("agreement", "tracin"): CELLS,
    }
    assert all(m.stage == plan.nodes[m.key].stage for m in plan.measurements)


def test_no_measurement_stands_there_twice():
    plan = planned(estimators=BOTH, reference="loo", validation_bootstraps=2)
    cells = [(m.stage, *m.labels.values()) for m in plan.measurements]
    assert len(set(cells)) == len(cells)


def test_chunks_of_a_stage_have_names_of_their_own():
    """Two of one name would be one job, and the results of one of them would never be made."""
    config = read(ROOT, [SMOKE], []) | {"estimators": BOTH, "reference": "loo", "signals": SIGNALS, "cells_per_job": 3}
    run = Workflow(validated(copy.deepcopy(config), ROOT))
    ordered = [key for (stage, _), c in run.chunks.items() if stage not in STAGES for key in c.order["identity"]]
    assert sorted(ordered) == sorted(run.plan.nodes)
    for (stage, chunk), found in run.chunks.items():
        if stage not in STAGES:
            inputs = {key for node in found.order["nodes"] for key in node["inputs"].values()}
            upstream = {key for place in found.upstream for key in run.chunks[place].order["identity"]}
            assert inputs <= upstream, (stage, chunk)
