"""The run's tables, from a store that was filled by hand."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from glitchmark.evaluation import __main__ as job
from glitchmark.evaluation import metrics
from glitchmark.evaluation.averages import summary, turned
from glitchmark.evaluation.cells import CELL
from glitchmark.evaluation.costs import cost_table
from glitchmark.evaluation.frames import METRIC_COLUMNS, SERIES_COLUMNS, metric_table, series_table
from glitchmark.evaluation.measures import DETECTION
from glitchmark.evaluation.selection import ranked_lists
from glitchmark.evaluation.statistics import bootstrap_interval
from glitchmark.evaluation.tables import Tables
from glitchmark.evaluation.thresholds import RULES
from glitchmark.ranking import ranking, tie_break
from glitchmark.store import Store

N, C = 30, 3
NAMES = ["ant", "bee", "cat"]
RATIOS = [0.1, 0.25, 0.2]  # the largest is neither first nor last
SEEDS = (0, 1)


class Read:
    """The tables of an order."""

    def __init__(self, order):
        self.tables = Tables(order)
        self.cells = list(self.tables.cells())
        self.failures = self.tables.failures
        self.targets = {m["labels"]["method"]: m["labels"]["targets"] for m in order["measurements"] if m["rows"]}

    def metrics(self):
        return metric_table([block for cell in self.cells for block in cell.blocks])

    def series(self):
        return series_table([line for cell in self.cells for line in cell.lines])

    def samples(self):
        found = [cell.samples.to_pandas() for cell in self.cells if cell.samples is not None]
        words = {name: str for name in found[0] if name not in ("ratio", "validation_noise", "seed", "score", "rank")}
        return [frame.astype(words) for frame in found]

    def costs(self):
        return cost_table(self.tables.nodes, self.tables.measurements)

    def turned(self):
        kinds = {}
        for cell in self.cells:
            kinds.setdefault(cell.glitch, set()).update(cell.kinds)
        return turned(self.metrics(), self.targets, kinds)


class Made:
    """A store with cells of two data sets, and the order that refers to them."""

    def __init__(self, folder):
        self.store, self.measurements, self.nodes, self.arrays = Store(folder), [], [], {}
        self.keys = (f"{i:032x}" for i in itertools.count())
        self.settings = {"validation": 0.3, "ranking": "cfrank"}
        self.folder = folder

    def order(self):
        order = {
            "store": str(self.folder),
            "folder": str(self.folder.parent),
            "measurements": self.measurements,
            "nodes": self.nodes,
            "settings": self.settings,
        }
        return json.loads(json.dumps(order))

    def tables(self):
        return Read(self.order())

    def node(self, stage, spec, arrays=None, info=None, failure=None, inputs=()):
        key = next(self.keys)
        cost = {"seconds": len(self.nodes) + 0.5, "cpu_seconds": 2.0, "peak_memory_mb": 100.0}
        read = {str(i): other for i, other in enumerate(inputs)}
        self.store.put(key, arrays or {}, info or {}, failure=failure, stage=stage, spec=spec, inputs=read, cost=cost)
        self.nodes.append(key)
        self.arrays[key] = arrays
        return key

    def cell(self, dataset, glitch, ratio, seed, failure=None):
        """pool and inject; glitched cells have four mislabeled samples and, if mixed, three anomalies."""
        pool = self.node("pool", {"dataset": dataset}, {"y": np.zeros(1)}, {"class_names": NAMES})
        rng = np.random.default_rng([seed, len(dataset), len(glitch)])
        true = rng.integers(C, size=N)
        observed, kind = true.copy(), np.full(N, "", "U10")
        if glitch != "none":
            observed[:4], kind[:4] = (true[:4] + 1) % C, "mislabeled"
        if glitch == "mixed":
            true[-3:], observed[-3:], kind[-3:] = -1, 2, "anomalous"
        rows = rng.permutation(100)[:N]
        truth = {
            "id": np.array([f"{dataset}:{row}" for row in rows]),
            "source": np.full(N, dataset),
            "row": rows,
            "true_label": true,
            "observed_label": observed,
            "glitch": np.where(kind == "", "", "some"),
            "kind": kind,
        }
        spec = {"dataset": dataset, "seed": seed}
        inject = self.node("inject", spec, None if failure else truth, failure=failure)
        labels = {
            "dataset": dataset,
            "modality": "image",
            "model": "mlp",
            "estimator": "",
            "glitch": glitch,
            "control": glitch == "none",
            "ratio": ratio,
            "seed": seed,
            "method": "",
            "variant": "",
            "validation_noise": 0.0,
            "targets": "",
            "action": "",
            "budget": 0.0,
        }
        return {"pool": pool, "inject": inject, "labels": labels, "truth": truth, "rng": rng}

    def measure(self, cell, stage, arrays=None, info=None, failure=None, rows=(), inputs=(), **labels):
        spec = {"seed": cell["labels"]["seed"]} | ({"dataset": cell["labels"]["dataset"]} if stage != "score" else {})
        key = self.node(stage, spec, arrays, info, failure, inputs)
        measurement = {"key": key, "stage": stage, "inject": cell["inject"], "pool": cell["pool"], "rows": rows}
        self.measurements.append(measurement | {"labels": cell["labels"] | labels})
        return key

    def train(self, cell, **kwargs):
        curves = {"loss": [1.5, 1.0, 0.25], "epochs": [2, 3], "validation_accuracy": [0.5, 0.75]}
        info = {"curves": curves, "validation_accuracy": 0.75, "parameters": {"trained": 33}, "test_accuracy": 0.625}
        arrays = {"labels_train": cell["truth"]["observed_label"], "logits_train": logits_of(cell)}
        failed = {"arrays": None, "info": {}} if kwargs.get("failure") else {}
        return self.measure(cell, "train", **({"arrays": arrays, "info": info} | kwargs | failed))

    def score(self, cell, method, arrays=None, **kwargs):
        kwargs = {"rows": [(ratio, 0) for ratio in RATIOS], "estimator": "tracin"} | kwargs
        if arrays is None and "failure" not in kwargs:
            arrays = {"score": cell["rng"].normal(size=(len(kwargs["rows"]), N))}
        return self.measure(cell, "score", arrays, method=method, **kwargs)

    def full_scores(self, cell):
        rng = cell["rng"]
        return {
            "score": rng.integers(5, size=(3, N)).astype(float),
            "suggested": rng.integers(C, size=(3, N)),
            "kind": rng.choice(["mislabeled", "anomalous"], (3, N)),
            "flagged": rng.random((3, N)) < 0.3,
        }

    def detect(self, cell, method, **kwargs):
        arrays = {"score": cell["rng"].normal(size=(1, N))}
        return self.measure(cell, "detect", arrays, rows=[(0.0, 0)], method=method, **kwargs)

    def dynamics(self, cell, **kwargs):
        """Two checkpoints, at which sample i has the influence i - 9 on the only class but one."""
        neg, pos = (np.zeros((2, N, C), np.float32) for _ in range(2))
        neg[..., 1], pos[..., 1] = np.minimum(np.arange(N) - 9, 0), np.maximum(np.arange(N) - 9, 0)
        own = np.stack([np.arange(N), 3.0 * np.arange(N)])
        arrays = {"self_influence": own, "neg": neg, "pos": pos, "n_validation": np.int64(10)}
        return self.measure(cell, "dynamics", arrays, {"epochs": [2, 4]}, **kwargs)


def logits_of(cell):
    """Two checkpoints. At the first, all classes are equal; at the second, the margin over the other two classes is
    log 2 for the true label, and log 4 for the observed one of samples without a true one."""
    truth = cell["truth"]
    added = truth["true_label"] < 0
    logits = np.zeros((2, N, C), np.float32)
    logits[1, np.arange(N), np.where(added, truth["observed_label"], truth["true_label"])] = np.log(
        np.where(added, 4, 2)
    )
    return logits


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path / "store")


def truth_of(cell):
    return cell["truth"]["kind"], cell["truth"]["true_label"], tie_break(cell["truth"]["id"])


def found_in(frame):
    """(class, metric) -> value."""
    found = dict(zip(zip(frame["class"], frame["metric"], strict=True), frame["value"], strict=True))
    assert len(found) == len(frame)
    return found


def of_draw(cell, score):
    """What every draw of validation samples is measured by."""
    true_kind, _, ties = truth_of(cell)
    order = metrics.most_suspicious(score[None], ties)
    return {
        name: pytest.approx(value.item())
        for name, value in metrics.detection(score[None], order, true_kind != "").items()
    }


def of_largest(cell, score, suggested=None, kind=None, flagged=None):
    """What the largest ratio's first draw is measured by."""
    true_kind, true, ties = truth_of(cell)
    score, glitched = score[None], true_kind != ""
    order = metrics.most_suspicious(score, ties)
    values = metrics.at_the_top(order, glitched) | metrics.by_glitch_kind(score, order, true_kind)
    values |= metrics.by_class(order, glitched, cell["truth"]["observed_label"], np.array(NAMES))
    for name, rule in RULES.items():
        values |= metrics.flags(rule(score), glitched, name)
    if suggested is not None:
        values |= metrics.repair(suggested[None], order, true, true_kind)
    if kind is not None:
        values |= metrics.characterisation(kind[None], true_kind)
    if flagged is not None:
        values |= metrics.flags(flagged[None], glitched, "own")
    values = {name: value.item() for name, value in values.items()}
    return of_draw(cell, score[0]) | {n: pytest.approx(v) for n, v in values.items() if not np.isnan(v)}


def test_values_are_those_of_the_metrics(made):
    cells = [made.cell("digits", "mixed", 0.2, seed) for seed in SEEDS]
    keys = [made.score(cell, "cfrank", made.full_scores(cell)) for cell in cells]
    frame = made.tables().metrics()
    assert frame.columns.tolist() == METRIC_COLUMNS
    assert set(frame["status"]) == {"ok"}
    assert frame["value"].notna().all()
    for cell, key in zip(cells, keys, strict=True):
        for row, ratio in enumerate(RATIOS):
            mine = frame[(frame["seed"] == cell["labels"]["seed"]) & (frame["validation_ratio"] == ratio)]
            told = [made.arrays[key][name][row] for name in ("score", "suggested", "kind", "flagged")]
            assert found_in(mine) == (of_largest(cell, *told) if ratio == 0.25 else of_draw(cell, told[0]))
    of_mixture = frame[frame["validation_ratio"] == 0.25]
    kinds = set(of_mixture.loc[of_mixture["metric"] == "average_precision", "class"])
    assert kinds == set(of_mixture.loc[of_mixture["metric"] == "characterisation_accuracy", "class"])
    assert kinds == {"", "mislabeled", "anomalous"}


def test_repair_of_nothing_that_was_detected_has_no_row(made):
    """All mislabeled samples rank last, so none is among the detected ones."""
    cell = made.cell("digits", "uniform", 0.125, 0)
    score = -(cell["truth"]["kind"] != "").astype(float)[None]
    arrays = {"score": score, "suggested": cell["truth"]["true_label"].clip(0)[None]}
    made.score(cell, "cnci", arrays, rows=[(0.2, 0)])
    found = found_in(made.tables().metrics())
    assert found["", "repair_accuracy"] == 1
    assert ("", "repair_accuracy_detected") not in found


def test_a_result_that_cells_share_is_measured_against_the_truth_of_each(made):
    """A detector that reads inputs alone says the same of glitches that change labels alone."""
    cells = [made.cell("digits", "uniform", 0.125, 0), made.cell("digits", "none", 0.0, 0)]
    second = made.cell("digits", "mixed", 0.2, 0)
    failed = made.cell("digits", "human", 0.0, 0, failure="no labels")
    key = made.detect(cells[0], "iforest", model="")
    for cell in (cells[1], second, failed):
        labels = cell["labels"] | {"method": "iforest", "model": ""}
        shared = {"key": key, "stage": "detect", "inject": cell["inject"], "pool": cell["pool"], "rows": [(0.0, 0)]}
        made.measurements.append(shared | {"labels": labels})
    tables = made.tables()
    frame = tables.metrics()
    score = made.arrays[key]["score"][0]
    for cell in (cells[0], second):
        assert found_in(frame[frame["glitch"] == cell["labels"]["glitch"]]) == of_largest(cell, score)
    assert set(frame.loc[frame["glitch"] == "none", "metric"]) == {f"flagged_{name}" for name in RULES}
    assert set(frame.loc[frame["glitch"] == "human", "status"]) == {"failed: no labels"}
    assert [set(samples["glitch"]) for samples in tables.samples()] == [{"uniform"}, {"none"}, {"mixed"}]
    costs = tables.costs().set_index("key")
    assert costs.loc[key, "glitch"] == "uniform"  # the first that reads it


def test_retrained_models(made):
    cell = made.cell("digits", "uniform", 0.125, 0)
    curves = {"epochs": [2, 4], "test_accuracy": [0.5, 0.75], "validation_accuracy": [0.25, 0.5]}
    info = {"test_accuracy": 0.75, "validation_accuracy": 0.5, "changed": 4, "budget": 0.1333, "curves": curves}
    told = {"method": "cnci", "estimator": "tracin", "action": "relabel_continue", "budget": 0.1}
    made.train(cell)
    made.measure(cell, "retrain", info=info, **told)
    made.measure(cell, "retrain", failure="no test part", method="", action="perfect")
    tables = made.tables()
    frame, series = tables.metrics(), tables.series()
    mine = frame[frame["action"] == "relabel_continue"]
    assert found_in(mine) == {("", "test_accuracy"): 0.75, ("", "validation_accuracy"): 0.5}
    for column, value in (told | {"status": "ok", "validation_ratio": 0.3, "glitch": "uniform"}).items():
        assert set(mine[column]) == {value}
    failed = frame[frame["action"] == "perfect"]
    assert set(failed["metric"]) == {"test_accuracy", "validation_accuracy"}
    assert set(failed["status"]) == {"failed: no test part"}
    mine = series[series["action"] == "relabel_continue"].set_index(["series", "x"])["value"].to_dict()
    assert mine == {
        ("validation_accuracy", 2): 0.25, ("validation_accuracy", 4): 0.5,
        ("test_accuracy", 2): 0.5, ("test_accuracy", 4): 0.75,
    }  # fmt: skip
    assert set(series.loc[series["action"] == "perfect", "status"]) == {"failed: no test part"}
    assert set(frame.loc[frame["action"] == "", "budget"]) == {0}


def test_toys(made):
    """Rows of each method that a toy compares; they have neither training data nor classes of the run's."""
    labels = made.cell("digits", "uniform", 0.0, 3)["labels"] | {
        "dataset": "half_moons",
        "modality": "toy",
        "model": "",
    }
    compared = [["gradient_iforest", "", "detection_accuracy", 0.976], ["lissa", "0", "trimmed_accuracy", 1]]
    drawn = [["", "0", "train_x", [0, 1], [0.5, 1.5]], ["lissa", "mislabeled", "influence", [1], [-3.0]]]
    info = {"metrics": compared, "series": drawn, "ratio": 0.08}
    for key, seed in ((made.node("toy", {"seed": 3}, None, info), 3), (made.node("toy", {"seed": 4}, failure="no"), 4)):
        measurement = {"key": key, "stage": "toy", "inject": "", "pool": "", "rows": []}
        made.measurements.append(measurement | {"labels": labels | {"seed": seed}})
    tables = made.tables()
    frame, series = tables.metrics(), tables.series()
    assert set(frame["dataset"]) == set(series["dataset"]) == {"half_moons"}
    failed, frame = frame[frame["seed"] == 4], frame[frame["seed"] == 3]
    assert set(failed["status"]) == {"failed: no"}
    assert frame[["method", "class", "metric", "value"]].to_numpy().tolist() == compared
    assert set(frame["ratio"]) == set(series["ratio"]) == {0.08}
    assert set(frame["validation_ratio"]) == {0}
    assert series[["method", "class", "series", "x", "value"]].to_numpy().tolist() == [
        ["", "0", "train_x", 0, 0.5], ["", "0", "train_x", 1, 1.5], ["lissa", "mislabeled", "influence", 1, -3],
    ]  # fmt: skip
    assert len(tables.costs()) == 4


def test_labels_and_constant_columns(made):
    cell = made.cell("digits", "uniform", 0.125, 7)
    made.score(cell, "si", variant="k=3")
    frame = made.tables().metrics()
    labels = cell["labels"] | {"method": "si", "variant": "k=3", "estimator": "tracin"}
    constants = {"subset": 0, "validation_noise": 0, "budget": 0}
    for column, value in (labels | constants).items():
        if column not in ("targets", "control"):
            assert set(frame[column]) == {value}, column
    assert frame["validation_ratio"].drop_duplicates().tolist() == RATIOS


def test_detectors_use_no_validation_samples(made):
    cell = made.cell("digits", "uniform", 0.125, 0)
    key = made.detect(cell, "iforest", model="")
    frame = made.tables().metrics()
    assert set(frame["validation_ratio"]) == {0.0}
    assert set(frame["subset"]) == {0}
    assert found_in(frame) == of_largest(cell, made.arrays[key]["score"][0])


FITTED = ["training_loss", "training_accuracy", "training_loss_published"]
OF_TRAINING = {"validation_accuracy", "test_accuracy", *FITTED, "true_label_accuracy"}


def test_train_rows(made):
    good, bad = (made.cell("digits", glitch, 0.0, 0) for glitch in ("none", "uniform"))
    made.train(good)
    made.train(bad, failure="loss is nan")
    frame = made.tables().metrics()
    told = list(zip(frame["glitch"], frame["class"], frame["metric"], strict=True))
    both = [("", "validation_accuracy"), ("", "test_accuracy"), *(("clean", name) for name in FITTED)]
    mislabeled = [("mislabeled", name) for name in (*FITTED, "true_label_accuracy")]
    assert told == [("none", *row) for row in both] + [("uniform", *row) for row in both + mislabeled]
    assert frame["value"].tolist()[:2] == [0.75, 0.625]
    np.testing.assert_array_equal(frame["value"].isna(), frame["glitch"] == "uniform")
    assert frame["status"].tolist() == ["ok"] * 5 + ["failed: loss is nan"] * 9
    assert set(frame["validation_ratio"]) == {0.3}
    assert set(frame["subset"]) == {0}


def test_loss_and_accuracy_by_kind_are_of_the_last_checkpoint(made):
    """See logits_of. The model tells the true label of mislabeled samples, so the observed one has probability 1/4."""
    made.train(made.cell("digits", "mixed", 0.2, 0))
    frame = made.tables().metrics()
    found = found_in(frame)

    def published(own, *others):
        return np.log(sum(np.exp(p) for p in (own, *others))) - own

    expected = {
        ("", "validation_accuracy"): 0.75,
        ("", "test_accuracy"): 0.625,
        ("clean", "training_loss"): np.log(2),
        ("clean", "training_accuracy"): 1,
        ("clean", "training_loss_published"): published(1 / 2, 1 / 4, 1 / 4),
        ("mislabeled", "training_loss"): np.log(4),
        ("mislabeled", "training_accuracy"): 0,
        ("mislabeled", "training_loss_published"): published(1 / 4, 1 / 2, 1 / 4),
        ("mislabeled", "true_label_accuracy"): 1,
        ("anomalous", "training_loss"): np.log(3 / 2),
        ("anomalous", "training_accuracy"): 1,
        ("anomalous", "training_loss_published"): published(2 / 3, 1 / 6, 1 / 6),
    }
    assert found == {row: pytest.approx(value, rel=1e-6) for row, value in expected.items()}


def test_failed_cell(made):
    cell = made.cell("digits", "uniform", 0.125, 0)
    made.score(cell, "cnci", failure="it diverged")
    frame = made.tables().metrics()
    assert frame["value"].isna().all()
    assert set(frame["status"]) == {"failed: it diverged"}
    made.score(cell, "si")
    frame, measured = (made.tables().metrics().groupby("method").get_group(name) for name in ("cnci", "si"))
    columns = ["validation_ratio", "subset", "class", "metric"]  # those of a method that did not fail
    pd.testing.assert_frame_equal(frame[columns].reset_index(drop=True), measured[columns].reset_index(drop=True))


def test_failed_inject(made):
    cell = made.cell("digits", "far_ca", 0.125, 0, failure="too few anomalies")
    made.train(cell, failure="too few anomalies")
    made.score(cell, "si", failure="too few anomalies")
    tables = made.tables()
    frame = tables.metrics()
    assert set(frame["status"]) == {"failed: too few anomalies"}
    assert {"validation_accuracy", "training_loss", "f1"} <= set(frame["metric"])
    assert all(cell.samples is None for cell in tables.cells)
    assert len(tables.failures()) == 3


def test_constant_score(made):
    cell = made.cell("digits", "uniform", 0.125, 0)
    score = cell["rng"].normal(size=(3, N))
    score[1] = 4.0
    made.score(cell, "si", {"score": score})
    frame = made.tables().metrics()
    status = frame.groupby("validation_ratio")["status"].unique().map(list)
    assert status.to_dict() == {0.1: ["ok"], 0.25: ["constant"], 0.2: ["ok"]}
    constant = frame[(frame["status"] == "constant") & (frame["class"] == "")].set_index("metric")["value"]
    assert constant["auroc"] == pytest.approx(0.5)
    assert constant["average_precision"] == pytest.approx(4 / N)


@pytest.mark.parametrize("failure", [None, "it diverged"])
def test_nothing_to_detect_without_glitches(made, failure):
    cell = made.cell("digits", "none", 0.0, 0)
    made.train(cell)
    made.score(cell, "si", **({"failure": failure} if failure else {}))
    made.detect(cell, "iforest", model="")
    metrics = made.tables().metrics()
    others = metrics[~metrics["metric"].isin(OF_TRAINING)]
    assert set(others["metric"]) == {f"flagged_{rule}" for rule in RULES}
    assert set(others["status"]) == ({f"failed: {failure}", "ok"} if failure else {"ok"})
    np.testing.assert_array_equal(others["value"].isna(), others["status"] != "ok")
    assert others.groupby("method")["validation_ratio"].unique().map(list).to_dict() == {"si": [0.25], "iforest": [0]}


def test_rows_are_in_the_order_of_the_grid(made):
    for seed in SEEDS:
        cell = made.cell("digits", "uniform", 0.125, seed)
        made.train(cell)
        for method in ("si", "cnci"):
            made.score(cell, method)
    order = made.tables().metrics()[["seed", "method"]].drop_duplicates()
    assert [tuple(row) for row in order.to_numpy()] == [(s, m) for s in SEEDS for m in ("", "si", "cnci")]


def test_samples_of_mixed_glitches(made):
    cell = made.cell("digits", "mixed", 0.2, 1)
    key = made.score(cell, "cfrank", made.full_scores(cell))
    made.train(cell)
    made.score(cell, "si", failure="no")
    (frame,) = made.tables().samples()
    arrays, truth = made.arrays[key], cell["truth"]
    for column in CELL:
        assert set(frame[column]) == {(cell["labels"] | {"method": "cfrank", "estimator": "tracin"})[column]}
    np.testing.assert_array_equal(frame["score"], arrays["score"][1])  # of the largest ratio
    assert frame["sample_id"].tolist() == truth["id"].tolist()
    assert frame["observed_label"].tolist() == [NAMES[y] for y in truth["observed_label"]]
    assert frame["true_label"].tolist() == [NAMES[y] if y >= 0 else "" for y in truth["true_label"]]
    assert frame["suggested_label"].tolist() == [NAMES[y] for y in arrays["suggested"][1]]
    assert frame["glitch_kind"].tolist() == truth["kind"].tolist()
    assert frame["kind"].tolist() == arrays["kind"][1].tolist()
    ties = tie_break(truth["id"])
    by_hand = sorted(range(N), key=lambda i: (-arrays["score"][1][i], ties[i]))
    assert frame.sort_values("rank")["sample_id"].tolist() == truth["id"][by_hand].tolist()
    assert frame["rank"].min() == 1


def test_samples_without_known_glitches(made):
    cell = made.cell("digits", "none", 0.0, 0)
    made.detect(cell, "iforest", model="")
    (frame,) = made.tables().samples()
    for column in ("true_label", "suggested_label", "glitch_kind", "kind"):
        assert set(frame[column]) == {""}, column
    assert frame["observed_label"].tolist() == [NAMES[y] for y in cell["truth"]["observed_label"]]


def test_validation_subsets_have_rows_of_their_own(made):
    """Each row of a score is about one ratio and one draw, in the measurement's order."""
    rows = [(0.1, 0), (0.1, 1), (0.25, 0), (0.25, 1), (0.2, 0), (0.2, 1)]
    cell = made.cell("digits", "uniform", 0.125, 0)
    key = made.score(cell, "si", rows=rows)
    frame = made.tables().metrics()
    for row, (ratio, subset) in enumerate(rows):
        mine = frame[(frame["validation_ratio"] == ratio) & (frame["subset"] == subset)]
        score = made.arrays[key]["score"][row]
        assert found_in(mine) == (of_largest if (ratio, subset) == (0.25, 0) else of_draw)(cell, score)
    (samples,) = made.tables().samples()
    np.testing.assert_array_equal(samples["score"], made.arrays[key]["score"][2])  # the largest ratio's first draw


def test_failed_validation_subsets(made):
    cell = made.cell("digits", "uniform", 0.125, 0)
    made.score(cell, "si", rows=[(0.1, 0), (0.1, 1)], failure="no")
    frame = made.tables().metrics()
    assert frame.loc[frame["subset"] == 1, "metric"].tolist() == list(DETECTION)
    assert set(frame.loc[frame["subset"] == 0, "metric"]) > {*DETECTION, "accuracy", "class_f1", "f1_gap"}
    assert set(frame["validation_ratio"]) == {0.1}
    assert frame["value"].isna().all()


def test_signals_without_an_estimator_and_against_training_samples(made):
    cell = made.cell("digits", "uniform", 0.125, 0)
    keys = {
        "": made.score(cell, "loss", rows=[(0.0, 0)], estimator=""),
        "train_dot": made.score(cell, "si", rows=[(0.0, 0)], estimator="train_dot"),
        "tracin": made.score(cell, "si"),
    }
    frame = made.tables().metrics()
    ratios = frame.groupby("estimator")["validation_ratio"].unique().map(list).to_dict()
    assert ratios == {"": [0.0], "train_dot": [0.0], "tracin": RATIOS}
    samples = pd.concat(made.tables().samples())
    for estimator, key in keys.items():
        row = 1 if estimator == "tracin" else 0
        mine = samples[samples["estimator"] == estimator]
        np.testing.assert_array_equal(mine["score"], made.arrays[key]["score"][row])


def test_characterisation_of_several_estimators(made):
    """The metrics that a method yields under one estimator are missing from none of its failed cells."""
    cell = made.cell("digits", "mixed", 0.2, 0)
    made.score(cell, "cfrank", made.full_scores(cell))
    made.score(cell, "cfrank", failure="no counterfactual", estimator="loo")
    frame = made.tables().metrics()
    failed, measured = (frame[frame["estimator"] == name] for name in ("loo", "tracin"))
    columns = ["validation_ratio", "class", "metric"]
    assert {"repair_accuracy", "characterisation_accuracy", "f1_own"} <= set(failed["metric"])
    assert set(map(tuple, failed[columns].to_numpy())) >= set(map(tuple, measured[columns].to_numpy()))
    assert failed["value"].isna().all()


def test_methods_below_chance(made):
    """A method is told by the glitches that it looks for; on others it may rank below chance."""
    uniform, mixed = made.cell("digits", "uniform", 0.125, 0), made.cell("digits", "mixed", 0.2, 0)
    for cell in (uniform, mixed):
        glitched = (cell["truth"]["kind"] != "").astype(float)
        mislabeled = (cell["truth"]["kind"] == "mislabeled").astype(float)
        rows = [(0.2, 0)]
        made.score(cell, "turned", {"score": -glitched[None]}, rows=rows, targets="both")
        made.score(cell, "right", {"score": glitched[None]}, rows=rows, targets="both")
        made.score(cell, "other", {"score": -glitched[None]}, rows=rows, targets="anomalous")
        made.score(cell, "mislabeled", {"score": (2 * mislabeled - glitched)[None]}, rows=rows, targets="mislabeled")
        made.score(cell, "failed", rows=rows, failure="no", targets="both")
    tables = made.tables()
    assert tables.turned() == {"turned": 0.0}


def test_turned_only_on_glitches_of_the_other_kind(made):
    """What looks for mislabeled samples is told by cells whose glitches are all mislabeled."""
    mixed = made.cell("digits", "mixed", 0.2, 0)
    score = -(mixed["truth"]["kind"] != "").astype(float)[None]
    made.score(mixed, "narrow", {"score": score}, rows=[(0.2, 0)], targets="mislabeled")
    tables = made.tables()
    assert tables.turned() == {}
    uniform = made.cell("digits", "uniform", 0.125, 0)
    score = -(uniform["truth"]["kind"] != "").astype(float)[None]
    made.score(uniform, "narrow", {"score": score}, rows=[(0.2, 0)], targets="mislabeled")
    tables = made.tables()
    assert tables.turned() == {"narrow": 0.0}


@pytest.mark.parametrize("failure", [None, "it diverged"])
def test_no_method_is_turned_where_nothing_is_known(made, failure):
    cell = made.cell("digits", "none", 0.0, 0)
    made.train(cell)
    made.score(cell, "si", targets="both", **({"failure": failure} if failure else {}))
    tables = made.tables()
    assert tables.turned() == {}


def test_series_of_every_stage(made):
    """Rows of trainings, of influence by epoch and of comparisons, in the order of the measurements."""
    cell = made.cell("digits", "mixed", 0.2, 1)
    made.train(cell)
    made.dynamics(cell, estimator="tracin")
    correlation = np.array([0.5, np.nan, -1.0])
    made.measure(cell, "agreement", {"correlation": correlation}, estimator="tracin")
    made.measure(cell, "agreement", failure="no", estimator="lissa")
    made.measure(cell, "dynamics", failure="no", estimator="lissa")
    made.score(cell, "si")
    frame = made.tables().series()
    assert frame.columns.tolist() == SERIES_COLUMNS
    assert frame["value"].dtype == frame["x"].dtype == np.float64
    assert list(dict.fromkeys(frame["estimator"])) == ["", "tracin", "lissa"]
    # failed results: one row for each series that they would have
    failed, frame = frame[frame["status"] == "failed: no"], frame[frame["status"] == "ok"]
    by_epoch = {f"{signal}_by_epoch" for signal in ("si", "mi", "aai")}
    cancelled = {f"{signal}_cancellation" for signal in ("si", "mi", "aai", "gd_class")}
    assert sorted(failed["series"]) == sorted({"agreement", *by_epoch, *cancelled})
    assert set(failed["series"]) == set(frame["series"]) - OF_MODEL
    assert set(failed["estimator"]) == {"lissa"}
    assert failed[["x", "value"]].isna().all(axis=None)
    mine = frame[frame["series"] == "agreement"]
    assert mine["x"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(mine["value"], correlation)
    assert set(mine["class"]) == {""}
    kind = cell["truth"]["kind"]
    for name, group in {"clean": "", "mislabeled": "mislabeled", "anomalous": "anomalous"}.items():
        i = np.flatnonzero(kind == group)
        mine = frame[frame["class"] == name]
        values = {series: dict(rows[["x", "value"]].to_numpy()) for series, rows in mine.groupby("series")}
        assert values["si_by_epoch"] == {2: pytest.approx(i.mean()), 4: pytest.approx(3 * i.mean())}
        assert values["mi_by_epoch"] == dict.fromkeys((2, 4), pytest.approx((i - 9).mean()))
        assert values["aai_by_epoch"] == dict.fromkeys((2, 4), pytest.approx(np.abs(i - 9).mean() / 10))
        for signal in ("si", "mi", "aai", "gd_class"):  # every sample's influence has one sign
            assert values[f"{signal}_cancellation"] == {0: 0.0}
    for column in CELL:
        if column != "estimator":
            assert set(frame[column]) == {cell["labels"][column]}


def test_series_of_a_control_are_of_clean_samples(made):
    cell = made.cell("digits", "none", 0.0, 0)
    made.dynamics(cell, estimator="tracin")
    frame = made.tables().series()
    assert set(frame["class"]) == {"clean"}
    assert frame.loc[frame["series"] == "si_by_epoch", "value"].tolist() == [14.5, 43.5]


OF_MODEL = {"training_loss", "validation_accuracy", "training_loss_by_epoch", "training_accuracy_by_epoch"}


def test_series(made):
    cell = made.cell("digits", "uniform", 0.125, 1)
    made.train(cell)
    made.train(cell, failure="no", model="other")
    made.score(cell, "si")
    frame = made.tables().series()
    failed, frame = frame[frame["status"] != "ok"], frame[frame["status"] == "ok"]
    assert set(failed["model"]) == {"other"}
    assert sorted(failed["series"]) == sorted({*OF_MODEL, "test_accuracy"})
    points = [tuple(row) for row in frame[["series", "class", "x", "value"]].to_numpy()]
    assert points[:5] == [
        ("training_loss", "", 1, 1.5),
        ("training_loss", "", 2, 1.0),
        ("training_loss", "", 3, 0.25),
        ("validation_accuracy", "", 2, 0.5),
        ("validation_accuracy", "", 3, 0.75),
    ]
    by_kind = {(series, kind, x): value for series, kind, x, value in points[5:]}
    observed = cell["truth"]["observed_label"]
    mislabeled = cell["truth"]["kind"] == "mislabeled"
    assert by_kind == {  # at the first checkpoint all logits are equal, so that the first class is predicted
        ("training_loss_by_epoch", "clean", 2): pytest.approx(np.log(3)),
        ("training_loss_by_epoch", "clean", 3): pytest.approx(np.log(2), rel=1e-6),
        ("training_loss_by_epoch", "mislabeled", 2): pytest.approx(np.log(3)),
        ("training_loss_by_epoch", "mislabeled", 3): pytest.approx(np.log(4), rel=1e-6),
        ("training_accuracy_by_epoch", "clean", 2): pytest.approx(np.mean(observed[~mislabeled] == 0)),
        ("training_accuracy_by_epoch", "clean", 3): 1,
        ("training_accuracy_by_epoch", "mislabeled", 2): pytest.approx(np.mean(observed[mislabeled] == 0)),
        ("training_accuracy_by_epoch", "mislabeled", 3): 0,
    }
    for column in CELL:
        assert set(frame[column]) == {cell["labels"][column]}


def test_costs_and_failures(made):
    cell = made.cell("digits", "uniform", 0.125, 1)
    made.train(cell)
    key = made.score(cell, "si", failure="no")
    tables = made.tables()
    frame = tables.costs()
    assert frame["key"].tolist() == made.nodes
    assert frame["stage"].tolist() == ["pool", "inject", "train", "score"]
    assert frame["seconds"].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert frame["dataset"].tolist() == ["digits"] * 4
    assert frame["seed"].tolist()[1:] == [1, 1, 1]
    assert frame["method"].tolist()[-1] == "si"
    assert frame["model"].tolist()[2:] == ["mlp", "mlp"]
    assert tables.failures() == {key: "no"}


def test_costs_name_what_results_are_about(made):
    """Results without rows of their own are named by the cells that read them, as far as those share them."""
    first, second = (made.cell("digits", glitch, 0.125, 3) for glitch in ("uniform", "mixed"))
    other = made.node("pool", {"dataset": "letters"})  # read by no measurement
    frozen = {"parameters": {"frozen": 1000}}
    features = made.node("features", {"dataset": "digits", "trunk": {}}, info=frozen)
    crossval = {}
    for cell in (first, second):
        made.train(cell, inputs=[cell["pool"], cell["inject"], features])
        spec, trained = {"dataset": "digits", "seed": 3}, {"parameters": {"trained": 7}}
        crossval[cell["labels"]["glitch"]] = made.node("crossval", spec, info=trained)
        made.detect(cell, "cleanlab", inputs=[crossval[cell["labels"]["glitch"]]])
    influence = made.node("influence", {"dataset": "digits", "seed": 3})
    made.score(first, "si", inputs=[influence], validation_noise=0.2)
    made.score(first, "mi", inputs=[influence], validation_noise=0.2)
    failed = made.node("crossval", {"dataset": "digits", "seed": 3}, failure="no")
    made.detect(second, "cleanlab", failure="no", inputs=[failed])
    frame = made.tables().costs()
    named = {row["key"]: row[row.notna()].to_dict() for _, row in frame.iterrows()}
    called = {"key", "stage", "seconds", "cpu_seconds", "peak_memory_mb", "parameters"}
    cell_of = {key: {c: v for c, v in row.items() if c not in called} for key, row in named.items()}
    both = {"dataset": "digits", "modality": "image"}
    training = both | {"model": "mlp", "ratio": 0.125, "seed": 3}
    assert cell_of[other] == {"dataset": "letters"}
    assert cell_of[first["pool"]] == both
    assert cell_of[first["inject"]] == both | {"glitch": "uniform", "ratio": 0.125, "seed": 3}
    assert cell_of[features] == both | {"model": "mlp"}
    assert cell_of[crossval["mixed"]] == training | {"glitch": "mixed"}
    assert cell_of[influence] == training | {"glitch": "uniform", "estimator": "tracin", "validation_noise": 0.2}
    parameters = frame.set_index("key")["parameters"]
    assert parameters[features] == 1000
    assert parameters[crossval["mixed"]] == 7
    assert np.isnan(parameters[failed])
    counted = frame.groupby("stage")["parameters"].agg(lambda values: set(values.dropna()))
    assert counted["train"] == {33}
    assert counted.drop(["train", "features", "crossval"]).map(len).eq(0).all()
    by_model = frame[(frame["dataset"] == "digits") & (frame["model"] == "mlp")].groupby("stage")["seconds"].sum()
    assert set(by_model.index) == {"features", "train", "crossval", "detect", "influence", "score"}


def clean_run(made, datasets=("digits",), methods=("si", "cfrank", "iforest")):
    """Cells without glitches; returns key -> cell by (data set, seed, method)."""
    cells = {}
    for dataset, seed in itertools.product(datasets, SEEDS):
        cell = made.cell(dataset, "none", 0.0, seed)
        made.train(cell)
        for method in methods:
            if method == "iforest":
                key = made.detect(cell, method, model="")
            elif method == "si":
                key = made.score(cell, method)
            else:
                key = made.score(cell, method, made.full_scores(cell))
            cells[dataset, seed, method] = cell, key
    return cells


def lists_of(made, by="cfrank"):
    return ranked_lists(pd.concat(made.tables().samples()), by)


def test_ranked_lists(made):
    cells = clean_run(made, ["digits", "letters"])
    lists = lists_of(made)
    assert set(lists) == {"digits-mlp", "letters-mlp"}
    for dataset in ("digits", "letters"):
        table, places, told, seen = lists[f"{dataset}-mlp"], {}, {}, {}
        for seed, method in itertools.product(SEEDS, ("si", "cfrank", "iforest")):
            cell, key = cells[dataset, seed, method]
            arrays, ids = made.arrays[key], cell["truth"]["id"]
            row = 1 if method != "iforest" else 0
            ranks = ranking(arrays["score"][row], tie_break(ids))
            for i, name in enumerate(ids):
                places.setdefault((name, method), []).append((ranks[i] - 1) / N)
                seen.setdefault(name, set()).add(seed)
                if method == "cfrank":
                    label = NAMES[arrays["suggested"][row][i]]
                    told.setdefault(name, []).append((label, arrays["kind"][row][i]))
        assert sorted(table["sample_id"]) == sorted(seen)
        assert table["rank_cfrank"].is_monotonic_increasing
        for line in table.to_dict("records"):
            name = line["sample_id"]
            for method in ("si", "cfrank", "iforest"):
                assert line[f"rank_{method}"] == pytest.approx(np.mean(places[name, method]))
            for column, values in zip(("suggested_label", "kind"), zip(*told[name], strict=True), strict=True):
                counts = {value: values.count(value) for value in values}
                most = max(counts.values())
                assert line[column] == min(value for value, count in counts.items() if count == most)
            assert line["seeds"] == len(seen[name])


def test_ranked_list_of_known_suggestions(made):
    """Three seeds with the same samples: two votes beat one, and the ranking method's votes beat all others."""
    votes = {"cfrank": ([2, 2, 0], ["anomalous", "mislabeled", "anomalous"]), "cnci": ([1, 1, 1], ["mislabeled"] * 3)}
    rows = []
    for method, (labels, kinds) in votes.items():
        for seed, (label, kind) in enumerate(zip(labels, kinds, strict=True)):
            for rank, sample in enumerate(("x:0", "x:1"), start=1):
                rows.append(
                    {
                        "dataset": "x", "model": "mlp", "estimator": "tracin", "seed": seed, "method": method,
                        "validation_noise": 0.0, "name": "",
                        "sample_id": sample, "observed_label": "ant", "suggested_label": NAMES[label], "kind": kind,
                        "rank": rank if method == "cfrank" else 3 - rank,
                    }
                )  # fmt: skip
    table = ranked_lists(pd.DataFrame(rows), "cfrank")["x-mlp"]
    assert table["sample_id"].tolist() == ["x:0", "x:1"]
    assert table["suggested_label"].tolist() == ["cat", "cat"]
    assert table["kind"].tolist() == ["anomalous", "anomalous"]
    assert table["rank_cfrank"].tolist() == [0, 0.5]
    assert table["rank_cnci"].tolist() == [0.5, 0]
    assert ranked_lists(pd.DataFrame(rows), "cnci")["x-mlp"]["sample_id"].tolist() == ["x:1", "x:0"]


def test_ranked_list_without_suggestions(made):
    clean_run(made, methods=("si", "iforest"))
    table = lists_of(made, by="si")["digits-mlp"]
    assert set(table["suggested_label"]) == {""}
    assert set(table["kind"]) == {""}


def test_data_without_any_result_have_no_list(made):
    clean_run(made, ["digits"])
    cell = made.cell("letters", "none", 0.0, 0)
    made.score(cell, "cfrank", failure="no")
    assert set(lists_of(made)) == {"digits-mlp"}


def test_ranking_method_failed(made):
    """One method's failure must not cost the run its tables."""
    cells = clean_run(made, methods=("si", "iforest"))
    for seed in SEEDS:
        made.score(cells["digits", seed, "si"][0], "cfrank", failure="it diverged")
    table = lists_of(made)["digits-mlp"]
    assert {"rank_si", "rank_iforest"} <= set(table)
    assert len(table) == len(set(table["sample_id"]))


def test_job_writes_all_tables(made, tmp_path):
    clean_run(made)
    mixed = made.cell("digits", "mixed", 0.2, 0)
    made.train(mixed)
    made.score(mixed, "cfrank", made.full_scores(mixed))
    made.score(mixed, "si", failure="it diverged")
    order_path, manifest_path = tmp_path / "tables-abc.json", tmp_path / "manifest.json"
    order_path.write_text(json.dumps(made.order()))
    job.main(str(order_path), str(manifest_path))
    tables = made.tables()
    manifest = json.loads(manifest_path.read_text())
    assert manifest == {"digest": "abc", "keys": [], "failed": tables.failures()}
    assert json.loads((tmp_path / "notes.json").read_text()) == {"turned": tables.turned()}
    names = ("metrics", "samples", "series", "costs")
    written = {name: pd.read_parquet(tmp_path / f"{name}.parquet") for name in names}
    pd.testing.assert_frame_equal(written["metrics"], tables.metrics())
    pd.testing.assert_frame_equal(written["series"], tables.series())
    pd.testing.assert_frame_equal(written["samples"], pd.concat(tables.samples(), ignore_index=True))
    assert len(written["samples"]) == 7 * N
    assert len(written["costs"]) == len(made.nodes)
    read = pd.read_csv(tmp_path / "summary.csv", keep_default_na=False, na_values={"mean": [""]})
    np.testing.assert_allclose(read["mean"], summary(tables.metrics())["mean"])
    failed = read[read["status"] == "failed: it diverged"]
    assert (failed["metric"].isin(DETECTION)).sum() == len(RATIOS) * len(DETECTION) + 2  # each kind's average precision
    assert set(failed["n"]) == {0}
    ranked = pd.read_csv(tmp_path / "ranked" / "digits-mlp.csv")
    assert ranked["rank_cfrank"].is_monotonic_increasing
    assert not list(tmp_path.glob("**/.new-*"))
    before = {path: path.read_bytes() for path in tmp_path.glob("**/*.[pc][as][rv]*")}
    assert {path.name for path in before} >= {
        "metrics.parquet", "samples.parquet", "series.parquet", "digits-mlp.csv", "summary.csv",
    }  # fmt: skip
    job.main(str(order_path), str(manifest_path))
    assert {path: path.read_bytes() for path in before} == before


def test_job_without_clean_data_writes_no_lists(made, tmp_path):
    for glitch in ("uniform", "none"):
        made.score(made.cell("digits", glitch, 0.125, 0), "si", failure="it diverged")
    order_path = tmp_path / "tables-abc.json"
    order_path.write_text(json.dumps(made.order()))
    job.main(str(order_path), str(tmp_path / "manifest.json"))
    assert not (tmp_path / "ranked").exists()
    assert pd.read_parquet(tmp_path / "metrics.parquet")["value"].isna().all()
    samples = pd.read_parquet(tmp_path / "samples.parquet", filters=[("rank", "<=", 12)])
    assert len(samples) == 0
    assert {*CELL, "sample_id", "score", "rank"} <= set(samples)


def values_over_seeds(values, **columns):
    """Rows of metrics.parquet of one metric, a value a seed; a string is the reason of a failure."""
    rows = []
    for seed, value in enumerate(values):
        of_seed = value if isinstance(value, list) else [value]
        for subset, one in enumerate(of_seed):
            failed = isinstance(one, str)
            told = {"value": np.nan if failed else one, "status": f"failed: {one}" if failed else "ok"}
            rows.append(dict.fromkeys(METRIC_COLUMNS, "") | {"seed": seed, "subset": subset} | told | columns)
    return pd.DataFrame(rows)


def test_summary():
    table = pd.concat(
        [
            values_over_seeds([0.5, 0.25, 0.75], method="si"),
            values_over_seeds([0.1, "it diverged", 0.3, "no"], method="cnci"),
            values_over_seeds([0.4], method="mi"),
            values_over_seeds(["no", "no"], method="aai"),
            values_over_seeds([0.3] * 5, method="loss", action="remove", budget=0.1),
            values_over_seeds([[0.1, 0.3, 0.8], [0.6, 0.6, 0.6]], method="pcid"),  # subsets of a seed count once
        ]
    )
    found = summary(table.sample(frac=1, random_state=0).sort_values("method", key=lambda m: m == "mi")).set_index(
        "method"
    )
    assert found.columns[-6:].tolist() == ["n", "failed", "mean", "lower", "upper", "status"]
    assert not {"seed", "subset", "value"} & set(found)
    assert found["n"].to_dict() == {"si": 3, "cnci": 2, "mi": 1, "aai": 0, "loss": 5, "pcid": 2}
    assert found["failed"].to_dict() == {"si": 0, "cnci": 2, "mi": 0, "aai": 2, "loss": 0, "pcid": 0}
    means = {"si": 0.5, "cnci": 0.2, "mi": 0.4, "aai": np.nan, "loss": 0.3, "pcid": 0.5}
    assert found["mean"].to_dict() == pytest.approx(means, nan_ok=True)
    assert found["lower"].to_dict() == pytest.approx(
        {"si": 0.25, "cnci": 0.1, "mi": np.nan, "aai": np.nan, "loss": 0.3, "pcid": 0.4}, nan_ok=True
    )
    assert found["upper"].to_dict() == pytest.approx(
        {"si": 0.75, "cnci": 0.3, "mi": np.nan, "aai": np.nan, "loss": 0.3, "pcid": 0.6}, nan_ok=True
    )
    assert (found["lower"] <= found["mean"])["loss"]
    assert (found["mean"] <= found["upper"])["loss"]
    assert found["status"].drop("cnci").to_dict() == {
        "si": "ok", "mi": "ok", "aai": "failed: no", "loss": "ok", "pcid": "ok",
    }  # fmt: skip
    assert found["status"]["cnci"] in ("failed: it diverged", "failed: no")
    assert found.loc["loss", ["action", "budget"]].tolist() == ["remove", 0.1]


def test_summary_of_nothing():
    empty = metric_table([])
    assert empty.columns.tolist() == METRIC_COLUMNS
    assert len(summary(empty)) == 0


@pytest.mark.parametrize("seeds", [2, 3, 5, 30])
def test_interval_is_scipy_s(seeds):
    values = np.random.default_rng(seeds).normal(size=(40, seeds))
    found = bootstrap_interval(values)
    expected = bootstrap(
        (values,), np.mean, axis=1, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    # few seeds have few different draws: bounds may lie one such draw apart in some rows, not in all
    apart = np.abs(found - np.stack([expected.low, expected.high], axis=1)) / values.std(axis=1, keepdims=True)
    assert apart.mean() < 0.02
    assert apart.max() < 0.3


def test_interval_of_two_seeds_is_exact():
    """A quarter of the draws has the lower value twice."""
    np.testing.assert_array_equal(bootstrap_interval(np.array([[1.0, 3.0], [2.0, 2.0]])), [[1, 3], [2, 2]])
