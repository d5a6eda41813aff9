"""Claims: every quantity on tables with known results, verdicts, missing and failed cells, and the shipped file."""

import io
import json
import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console
from scipy import stats

from glitchmark.claims.__main__ import main
from glitchmark.claims.files import COLUMNS, SHIPPED, TABLES, Claim, read_claims
from glitchmark.claims.show import show
from glitchmark.claims.tables import pooled, read
from glitchmark.claims.verdicts import check, verdict
from glitchmark.errors import UserError

CELL = {
    "dataset": "d1", "modality": "image", "model": "m1", "estimator": "tracin", "glitch": "uniform", "ratio": 0.1,
    "validation_ratio": 0.2, "subset": 0, "validation_noise": 0.0, "action": "", "budget": 0.0, "seed": 0,
    "method": "cnci", "variant": "", "class": "", "metric": "f1", "value": 0.5, "status": "ok",
    "series": "agreement", "x": 0.0, "stage": "score", "key": "", "seconds": 1.0, "run": "r",
}  # fmt: skip


def frame(table, rows):
    return pd.DataFrame([CELL | row for row in rows], columns=[*COLUMNS[table], "run"])


def tables(metrics=(), series=(), costs=(), folders=None):
    return pooled(frame("metrics", metrics), frame("series", series), frame("costs", costs), folders or {})


def claim(quantity, a, b=None, threshold=None, **keys):
    keys.setdefault("where", {"metric": "f1"})
    return Claim("c", "s", "t", quantity, threshold or {"above": 0}, a=a, b=b or {}, **keys)


def checked(found, of):
    return check([of], found).iloc[0]


def cells(method, values, **other):
    """One row for each value, by data set (rows) and seed (columns)."""
    return [
        {"method": method, "dataset": f"d{i}", "seed": j, "value": v, **other}
        for i, row in enumerate(values)
        for j, v in enumerate(row)
    ]


A = [[0.5, 0.6], [0.9, 1.0]]
B = [[0.4, 0.3], [0.3, 0.5]]


@pytest.mark.parametrize(
    ("quantity", "expected"), [("difference", 0.375), ("ratio", 2.0), ("wins", 1.0), ("rank", 1.0)]
)
def test_two_methods(quantity, expected):
    row = checked(tables(cells("a", A) + cells("b", B)), claim(quantity, {"method": "a"}, {"method": "b"}))
    assert row["measured"] == pytest.approx(expected)
    assert (row["blocks"], row["incomplete"], row["failed"]) == (4, 0, 0)


def test_value_and_interval():
    values = np.random.default_rng(1).normal(0.7, 0.1, (20, 10))
    row = checked(tables(cells("a", values)), claim("value", {"method": "a"}, threshold={"at_least": 0.6}))
    half = 1.96 * values.std() / np.sqrt(values.size)
    assert row["measured"] == pytest.approx(values.mean())
    assert (row["lower"], row["upper"]) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.003)
    assert row["verdict"] == "holds"


def test_best_of_is_the_best_on_average():
    # b is better than c in one block by much, c in three blocks by little: b is the best on average
    b, c = [[0.9, 0.1], [0.1, 0.1]], [[0.2, 0.2], [0.2, 0.2]]
    found = tables(cells("a", A) + cells("b", b) + cells("c", c))
    row = checked(found, claim("difference", {"method": "a"}, {"method": ["b", "c"]}))
    assert row["measured"] == pytest.approx(0.75 - 0.3)
    assert row["detail"] == "best of b: b"
    wins = checked(found, claim("wins", {"method": "a"}, {"method": ["b", "c"]}))
    assert wins["measured"] == 0.75  # ahead of both in three of four blocks


def test_wins_count_ties_half_and_groups_once():
    b = [[0.5, 0.0], [0.9, 2.0]]
    found = tables(cells("a", A) + cells("b", b))
    assert checked(found, claim("wins", {"method": "a"}, {"method": "b"}))["measured"] == (0.5 + 1 + 0.5 + 0) / 4
    by_dataset = claim("wins", {"method": "a"}, {"method": "b"}, over=("dataset",))
    assert checked(found, by_dataset)["measured"] == 0.5  # .55 > .25, .95 < 1.45


def test_extreme_group():
    found = tables(cells("a", A) + cells("b", B))
    keys = {"over": ("dataset",), "threshold": {"at_least": 2}}
    largest = checked(found, claim("ratio", {"method": "a"}, {"method": "b"}, take="largest", **keys))
    assert largest["measured"] == pytest.approx(0.95 / 0.4)
    assert largest["detail"] == "at dataset d1"
    smallest = checked(found, claim("ratio", {"method": "a"}, {"method": "b"}, take="smallest", **keys))
    assert smallest["measured"] == pytest.approx(0.55 / 0.35)
    assert smallest["detail"] == "at dataset d0"


def test_ratio_to_zero():
    zero = [[0.0, 0.0], [0.0, 0.0]]
    found = tables(cells("a", A) + cells("b", zero) + cells("c", zero))
    row = checked(found, claim("ratio", {"method": "a"}, {"method": "b"}, {"above": 6}))
    assert row[["measured", "lower", "upper"]].tolist() == [math.inf] * 3
    assert row["verdict"] == "holds"
    assert checked(found, claim("ratio", {"method": "b"}, {"method": "c"}, {"above": 6}))["measured"] == 1


def test_rank_at_every_budget():
    rows = []
    for budget, (a, b, c, d) in {
        0.05: (0.9, 0.8, 0.7, 0.6),
        0.1: (0.5, 0.8, 0.7, 0.6),
        0.15: (0.65, 0.8, 0.7, 0.6),
    }.items():
        for name, level in zip("abcd", (a, b, c, d), strict=True):
            rows += cells(name, [[level, level + 0.01]], budget=budget, action="remove", metric="test_accuracy")
    where = {"metric": "test_accuracy", "action": "remove", "budget": [0.05, 0.1]}
    keys = {"where": where, "over": ("budget",), "take": "largest", "threshold": {"at_most": 2}}
    row = checked(tables(rows), claim("rank", {"method": "a"}, {"method": ["b", "c", "d"]}, **keys))
    assert row["measured"] == 4
    assert row["detail"] == "at budget 0.1"
    best = checked(tables(rows), claim("rank", {"method": ["a", "c"]}, {"method": ["b", "d"]}, **keys))
    assert best["measured"] == 2


def test_budgets_of_few_samples():
    rows = cells("a", A, budget=6 / 114, action="remove") + cells("b", B, budget=0.05, action="remove")
    where = {"metric": "f1", "action": "remove", "budget": [0.05, 0.1]}
    row = checked(tables(rows), claim("difference", {"method": "a"}, {"method": "b"}, where=where))
    assert row["measured"] == pytest.approx(0.375)


def test_range_of_patterns():
    rows = cells("forest", A) + cells("forest_25", B) + cells("forest_50", [[0.7, 0.7], [0.7, 0.7]])
    keys = {"threshold": {"at_most": 0.01}}
    row = checked(tables(rows), claim("range", {"method": "forest*"}, **keys))
    assert row["measured"] == pytest.approx(0.375)
    assert checked(tables(rows), claim("range", {"method": "forest_2*"}, **keys))["verdict"] == "not run"


def test_slope():
    rows = [
        {"dataset": d, "seed": s, "ratio": r, "value": level + slope * r}
        for (d, slope), (s, level), r in product([("d0", 2.0), ("d1", -1.0)], enumerate([0.1, 0.3]), [0.1, 0.2, 0.4])
    ]
    keys = {"axis": "ratio", "threshold": {"above": 0}}
    assert checked(tables(rows), claim("slope", {"method": "cnci"}, **keys))["measured"] == pytest.approx(0.5)
    worst = checked(tables(rows), claim("slope", {"method": "cnci"}, over=("dataset",), take="smallest", **keys))
    assert worst["measured"] == pytest.approx(-1)
    assert worst["blocks"] == 4
    one = checked(tables([r for r in rows if r["ratio"] == 0.1]), claim("slope", {"method": "cnci"}, **keys))
    assert (one["verdict"], one["missing"]) == ("not run", "a second value of ratio")


def test_spread_over_seeds_and_data_sets():
    a, b = [[0.4, 0.6], [0.8, 0.8]], [[0.1, 0.5], [0.2, 0.6]]
    found = tables(cells("a", a) + cells("b", b))
    over_seeds = claim("spread_ratio", {"method": "a"}, {"method": "b"}, spread="seed")
    assert checked(found, over_seeds)["measured"] == pytest.approx((0.2 + 0) / (0.4 + 0.4))
    over_datasets = claim("spread_ratio", {"method": "a"}, {"method": "b"}, spread="dataset")
    assert checked(found, over_datasets)["measured"] == pytest.approx((0.4 + 0.2) / (0.1 + 0.1))
    one = checked(tables(cells("a", [[1.0]]) + cells("b", [[1.0]])), over_seeds)
    assert (one["verdict"], one["missing"]) == ("not run", "a second seed")


@pytest.mark.parametrize("seed", range(3))
def test_correlation_is_spearmans(seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 6, 5))
    y += x
    rows = cells("cnci", y) + cells("", x, metric="validation_accuracy", estimator="")
    of = claim(
        "correlation", {"method": "cnci", "metric": "f1"}, {"method": "", "metric": "validation_accuracy"}, where={}
    )
    row = checked(tables(rows), of)
    assert row["measured"] == pytest.approx(stats.spearmanr(x.ravel(), y.ravel()).statistic)
    assert row["lower"] < row["measured"] < row["upper"]
    constant = cells("cnci", y) + cells("", np.ones((6, 5)), metric="validation_accuracy", estimator="")
    assert checked(tables(constant), of)["measured"] == 0


def test_rank_correlation_reads_the_samples(tmp_path):
    rng = np.random.default_rng(0)
    rows, samples, expected = [], [], []
    for dataset, seed in product(("d0", "d1"), range(2)):
        a = rng.normal(size=50)
        b = a + rng.normal(size=50)
        expected.append(stats.spearmanr(a, b).statistic)
        for estimator, scores in (("grad_dot", a), ("influence_function", b), ("other", rng.normal(size=50))):
            cell = CELL | {"dataset": dataset, "seed": seed, "estimator": estimator, "method": "plain"}
            rows.append(cell)
            order = rng.permutation(50)
            samples += [cell | {"sample_id": f"{dataset}:{i}", "score": scores[i]} for i in order]
    pd.DataFrame(samples).to_parquet(tmp_path / "samples.parquet")
    of = claim(
        "rank_correlation", {"estimator": "grad_dot"}, {"estimator": "influence_function"},
        where={"method": "plain", "glitch": "uniform"},
    )  # fmt: skip
    row = checked(tables(rows, folders={"r": tmp_path}), of)
    assert row["measured"] == pytest.approx(np.mean(expected))
    assert row["blocks"] == 4
    assert checked(tables(rows[:1], folders={"r": tmp_path}), of)["missing"] == "estimator influence_function"


def test_costs_are_sums_over_stages():
    rows = []
    for seed in range(3):
        for stage, method, seconds in (
            ("influence", "", 2.0),
            ("score", "cnci", 1.0),
            ("score", "pcid", 9.0),
            ("train", "", 20.0),
        ):
            estimator = "" if stage == "train" else "tracin"
            rows.append(
                {
                    "stage": stage,
                    "method": method,
                    "seconds": seconds,
                    "seed": seed,
                    "estimator": estimator,
                    "key": f"{stage}{method}{seed}",
                }
            )
    a = {"stage": ["influence", "score"], "method": ["cnci", ""], "estimator": "tracin"}
    of = claim("ratio", a, {"stage": "train"}, {"at_most": 0.1}, where={}, table="costs")
    row = checked(tables(costs=rows), of)
    assert row["measured"] == pytest.approx(3 / 20)
    assert (row["verdict"], row["blocks"]) == ("fails", 3)


def test_series_and_classes():
    rows = [
        {"series": "pair_magnitude", "class": c, "seed": s, "value": v, "method": ""}
        for s in range(3)
        for c, v in (("same", 8.0), ("cross", 1.0))
    ]
    of = claim(
        "ratio",
        {"class": "same"},
        {"class": "cross"},
        {"between": [5, 20]},
        where={"series": "pair_magnitude"},
        table="series",
    )
    row = checked(tables(series=rows), of)
    assert (row["measured"], row["verdict"]) == (8, "holds")


def test_methods_without_a_model_or_estimator_meet_every_model():
    rows = []
    for model in ("m1", "m2"):
        rows += cells("pcid", A, model=model)
    rows += cells("iforest", B, model="", estimator="", validation_ratio=0.0)
    of = claim("difference", {"method": "pcid"}, {"method": "iforest"}, where={"metric": "f1", "estimator": "tracin"})
    for one in (of, of._replace(a=of.b, b=of.a)):
        assert checked(tables(rows), one)["blocks"] == 8
    assert checked(tables(rows), of)["measured"] == pytest.approx(0.375)


def test_filters():
    rows = cells("a", A) + cells("a", B, validation_ratio=0.1) + cells("a", [[9.0, 9.0]], validation_noise=0.2)
    rows += (
        cells("a", [[9.0]], action="remove")
        + cells("a", [[9.0]], **{"class": "mislabeled"})
        + cells("a", [[9.0]], modality="toy")
    )
    found = tables(rows)
    assert checked(found, claim("value", {"method": "a"}))["measured"] == pytest.approx(0.75)
    other = claim("value", {"method": "a"}, where={"metric": "f1", "validation_ratio": 0.1})
    assert checked(found, other)["measured"] == pytest.approx(0.375)
    ratios = claim(
        "difference", {"validation_ratio": 0.2}, {"validation_ratio": 0.1}, where={"metric": "f1", "method": "a"}
    )
    assert checked(found, ratios)["measured"] == pytest.approx(0.375)


def test_names_that_are_left_out():
    found = tables(cells("a", A) + cells("b", B) + cells("", [[9.0]]))
    where = {"metric": "f1", "method": ["?*", "!a"]}
    assert checked(found, claim("value", {"class": ""}, where=where))["measured"] == pytest.approx(0.375)


def test_draws_of_validation_samples_are_one_block():
    rows = cells("a", [[0.2], [0.4], [0.6]], subset=0) + cells("a", [[0.4], [0.6], [0.8]], subset=1)
    row = checked(tables(rows), claim("value", {"method": "a"}))
    assert (row["blocks"], row["measured"]) == (3, pytest.approx(0.5))


@pytest.mark.parametrize(
    ("where", "missing"),
    [
        ({"metric": "auroc"}, "metric auroc"),
        ({"metric": "f1", "glitch": "stripe"}, "glitch stripe"),
        ({"metric": "f1", "ratio": 0.3}, "ratio 0.3"),
        ({"metric": "f1", "estimator": "lissa"}, "estimator lissa"),
        ({"metric": "f1", "dataset": ["mnist", "cifar10"]}, "dataset mnist, cifar10"),
    ],
)
def test_missing_rows_are_named(where, missing):
    row = checked(tables(cells("a", A)), claim("value", {"method": "a"}, where=where))
    assert (row["verdict"], row["missing"], row["blocks"]) == ("not run", missing, 0)
    assert np.isnan(row["measured"])


def test_every_method_must_be_there_but_any_data_set():
    found = tables(cells("a", A) + cells("b", B))
    row = checked(found, claim("difference", {"method": "a"}, {"method": ["b", "deep_svdd", "dif"]}))
    assert (row["verdict"], row["missing"]) == ("not run", "method deep_svdd, dif")
    some = claim("value", {"method": "a"}, where={"metric": "f1", "dataset": ["d0", "mnist"]})
    assert checked(found, some)["measured"] == pytest.approx(0.55)


def test_failed_cells_are_left_out_for_both_and_counted():
    rows = cells("a", A) + cells("b", B)
    rows[5] |= {"value": np.nan, "status": "failed: diverged"}
    row = checked(tables(rows), claim("difference", {"method": "a"}, {"method": "b"}))
    assert (row["blocks"], row["incomplete"], row["failed"]) == (3, 1, 1)
    assert row["measured"] == pytest.approx((0.5 + 0.9 + 1.0) / 3 - (0.4 + 0.3 + 0.5) / 3)
    for failed in rows[4:]:
        failed |= {"value": np.nan, "status": "failed: diverged"}
    none = checked(tables(rows), claim("difference", {"method": "a"}, {"method": "b"}))
    assert (none["verdict"], none["missing"]) == (
        "not run",
        "no block in which all of them have a value (4 rows failed)",
    )


def test_one_seed_has_no_interval_by_group():
    found = tables(cells("a", [[0.5]]))
    row = checked(found, claim("value", {"method": "a"}))
    assert (row["measured"], row["verdict"]) == (0.5, "undecided")
    assert np.isnan([row["lower"], row["upper"]]).all()
    grouped = claim("value", {"method": "a"}, over=("dataset",), take="smallest")
    assert checked(tables(cells("a", [[0.5], [0.6], [0.7]])), grouped)["verdict"] == "undecided"
    assert checked(tables(cells("a", [[0.5], [0.6], [0.7]])), claim("value", {"method": "a"}))["verdict"] == "holds"


@pytest.mark.parametrize(
    ("threshold", "interval", "expected"),
    [
        ({"above": 0}, (0.1, 0.2), "holds"),
        ({"above": 0}, (0.0, 0.2), "undecided"),
        ({"above": 0}, (-0.1, 0.0), "fails"),
        ({"at_least": 2}, (2, 3), "holds"),
        ({"at_least": 2}, (1.9, 3), "undecided"),
        ({"at_least": 2}, (1, 1.9), "fails"),
        ({"at_least": 2}, (math.inf, math.inf), "holds"),
        ({"below": 1}, (0.5, 0.9), "holds"),
        ({"below": 1}, (1, 1), "fails"),
        ({"at_most": 1}, (1, 1), "holds"),
        ({"at_most": 1}, (1, 1.1), "undecided"),
        ({"at_most": 1}, (1.1, 2), "fails"),
        ({"between": [0, 1]}, (0, 1), "holds"),
        ({"between": [0, 1]}, (-0.1, 0.5), "undecided"),
        ({"between": [0, 1]}, (-0.5, 1.5), "undecided"),
        ({"between": [0, 1]}, (1.1, 1.5), "fails"),
        ({"between": [0, 1]}, (-2, -1), "fails"),
        ({"above": 0}, (math.nan, math.nan), "undecided"),
    ],
)
def test_verdicts(threshold, interval, expected):
    assert verdict(threshold, *interval) == expected


# --- several runs ---


def costs_of(run, train, inject, datasets=("d0", "d1")):
    """The keys that tell a run's settings: of its trained model and of its injected data, by data set."""
    rows = []
    for d in datasets:
        rows.append({"run": run, "stage": "train", "key": f"{train}-{d}", "method": "", "dataset": d})
        rows.append({"run": run, "stage": "inject", "key": f"{inject}-{d}", "method": "", "model": "", "dataset": d})
    return rows


@pytest.mark.parametrize("same", [True, False])
def test_a_cell_in_two_runs_counts_once(same):
    rows = cells("a", A, run="r1") + cells("b", B, run="r1") + cells("a", A, run="r2") + cells("b", B, run="r2")
    second = ("t", "i") if same else ("u", "j")
    found = tables(rows, costs=costs_of("r1", "t", "i") + costs_of("r2", *second))
    row = checked(found, claim("difference", {"method": "a"}, {"method": "b"}))
    assert row["blocks"] == (4 if same else 8)
    assert row["runs"] == ("r1" if same else "r1, r2")


@pytest.mark.parametrize("same", [True, False])
def test_runs_with_different_settings_are_not_paired(same):
    rows = cells("a", A, run="r1") + cells("b", B, run="r2", estimator="", validation_ratio=0.0)
    second = ("t", "i") if same else ("u", "j")
    found = tables(rows, costs=costs_of("r1", "t", "i") + costs_of("r2", *second))
    row = checked(found, claim("difference", {"method": "a"}, {"method": "b"}))
    assert row["verdict"] == ("holds" if same else "not run")
    assert row["blocks"] == (4 if same else 0)


def test_a_detector_without_a_model_is_paired_by_its_data():
    rows = cells("a", A, run="r1") + cells("b", B, run="r2", estimator="", model="")
    costs = costs_of("r1", "t", "i") + [row for row in costs_of("r2", "", "i") if row["stage"] == "inject"]
    assert checked(tables(rows, costs=costs), claim("difference", {"method": "a"}, {"method": "b"}))["blocks"] == 4


# --- the shipped claims ---

CLAIMS = read_claims([])


def test_empty_tables_run_nothing():
    found = check(CLAIMS, tables())
    assert set(found["verdict"]) == {"not run"}
    assert (found["missing"] != "").all()
    assert found["id"].is_unique


def test_each_paper_is_there():
    sources = " ".join(c.source for c in CLAIMS)
    for paper in ("KDD 2025", "Comparative analysis", "Nguyen-Duc", "Chhabra"):
        assert paper in sources
    assert len(CLAIMS) > 70


def first(filters, column, default):
    found = filters.get(column, default)
    return found if isinstance(found, list) else [found]


def named(pattern):
    """A name that fits a pattern, and a second one where it asks for several."""
    return (
        [pattern.replace("?*", "m").replace("*", ""), pattern.replace("*", "_25")]
        if "*" in pattern[1:]
        else [pattern.replace("?*", "m")]
    )


def side_rows(c, filters, values):
    """Rows that fit the filters: for two data sets (or those named), two models and four seeds, by ``values``."""
    lists = {
        "dataset": first(filters, "dataset", ["d1", "d2"]), "model": first(filters, "model", ["m1", "m2"]),
        "modality": first(filters, "modality", "image")[:1], "glitch": first(filters, "glitch", "uniform"),
        "ratio": first(filters, "ratio", [0.05, 0.1, 0.3] if c.axis == "ratio" else 0.1),
        "estimator": first(filters, "estimator", ""), "budget": first(filters, "budget", 0.0),
        "method": [n for m in first(filters, "method", "") if m[:1] != "!" for n in named(m)],
        "class": first(filters, "class", ""),
        "action": first(filters, "action", ""), "validation_noise": first(filters, "validation_noise", 0.0),
        "validation_ratio": [r for r in first(filters, "validation_ratio", 0.2) if r != "largest"] or [0.2],
        TABLES[c.table]: first(filters, TABLES[c.table], "f1"), "seed": list(range(4)),
    }  # fmt: skip
    rows = [dict(zip(lists, row, strict=True)) for row in product(*lists.values())]
    return [
        row | {"value": values(row), "seconds": values(row), "key": str(sorted(map(str, row.items())))} for row in rows
    ]


def levels(c, holds):
    """Values of both sides for which the claim holds, or fails."""
    (kind, bound), *_ = c.threshold.items()
    low, high = bound if kind == "between" else (bound, bound)
    middle = (low + high) / 2
    up = kind in ("above", "at_least")
    wanted = middle if kind == "between" and holds else high + 0.2 if up == holds or kind == "between" else low - 0.2
    if c.quantity in ("value", "slope", "rank_correlation"):
        return wanted, 0
    if c.quantity == "difference":
        return 0.5 + wanted, 0.5
    if c.quantity in ("ratio", "spread_ratio"):
        return wanted, 1.0
    return (0.6, 0.4) if (up if c.quantity != "rank" else True) == holds else (0.4, 0.6)


def synthetic(c, holds, folder):
    """Tables with what a claim needs, made of its own filters."""
    wiggle = lambda row: 1e-9 * (row["seed"] % 3)  # noqa: E731
    a, b = levels(c, holds)
    sides = [(c.where | c.a, a), (c.where | c.b, b)] if c.b else [(c.where | c.a, a)]
    rows, samples = [], []
    for side, (filters, level) in enumerate(sides):
        if c.quantity == "spread_ratio":
            place = {"seed": lambda row: row["seed"] % 2, "dataset": lambda row: row["dataset"] == "d1"}[c.spread]
            values = lambda row, level=level, place=place: level * place(row)  # noqa: E731
        elif c.quantity == "slope":
            values = lambda row, level=level: level * row["ratio"] + wiggle(row)  # noqa: E731
        elif c.quantity == "range":
            step = 0.0 if holds else 0.5
            values = lambda row, step=step: step * (row["method"][-1] == "5") + wiggle(row)  # noqa: E731
        elif c.quantity == "correlation":
            sign = -1.0 if side and not holds else 1.0
            block = lambda row: row["seed"] + 10 * (row["dataset"] == "d1") + 20 * (row["model"] == "m1")  # noqa: E731
            values = lambda row, sign=sign, block=block: sign * block(row)  # noqa: E731
        else:
            stages = len(first(filters, "stage", ""))
            values = lambda row, level=level, stages=stages: (level + wiggle(row)) / stages  # noqa: E731
        if c.table == "costs" and len(first(filters, "stage", "")) > 1:
            method, none = first(filters, "method", "")
            rows += side_rows(c, filters | {"stage": "score", "method": method}, values)
            rows += side_rows(c, filters | {"stage": "influence", "method": none}, values)
        else:
            rows += side_rows(c, filters, values)
    if c.quantity == "rank_correlation":
        rng = np.random.default_rng(0)
        ranks = np.arange(40.0)
        for row in rows:
            score = ranks if holds or row["estimator"] == "grad_dot" else rng.permutation(ranks)
            samples += [CELL | row | {"sample_id": str(i), "score": s} for i, s in enumerate(score)]
        pd.DataFrame(samples).to_parquet(folder / "samples.parquet")
    return tables(**{c.table: rows}, folders={"r": folder})


@pytest.mark.parametrize("holds", [True, False], ids=["holding", "failing"])
@pytest.mark.parametrize("c", CLAIMS, ids=lambda c: c.id)
def test_every_shipped_claim_has_a_verdict(c, holds, tmp_path):
    row = checked(synthetic(c, holds, tmp_path), c)
    assert row["verdict"] == ("holds" if holds else "fails"), row.to_dict()
    assert row["blocks"] >= 3


# --- files ---


def written(tmp_path, **changes):
    entry = {
        "id": "mine", "source": "me", "sentence": "it is", "quantity": "value", "where": {"metric": "f1"},
        "a": {"method": "a"}, "threshold": {"above": 0},
    } | changes  # fmt: skip
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump([{k: v for k, v in entry.items() if v is not None}]))
    return path


def test_a_file_of_the_users_is_added(tmp_path):
    assert [c.id for c in read_claims([written(tmp_path)])] == [*(c.id for c in CLAIMS), "mine"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"quantity": "diference"}, ["claim 'mine'", "quantity", "'diference' is unknown", "'difference'", "wins"]),
        ({"colour": 1}, ["claim 'mine'", "colour", "unknown key", "threshold"]),
        ({"where": {"metrik": "f1"}}, ["where.metrik", "unknown key", "did you mean 'metric'"]),
        ({"sentence": None}, ["claim 'mine'", "sentence", "is missing"]),
        ({"threshold": {"above": "much"}}, ["threshold.above", "'much'", "number"]),
        ({"threshold": {"above": 0, "below": 1}}, ["threshold", "one key"]),
        ({"threshold": {"between": [2, 1]}}, ["threshold.between", "smaller number first"]),
        ({"id": "Mine!"}, ["id", "lower snake case"]),
        ({"quantity": "difference"}, ["b", "is needed for the quantity 'difference'"]),
        ({"b": {"method": "b"}}, ["b", "is not used by the quantity 'value'", "difference"]),
        ({"where": {}}, ["a", "says no 'metric'"]),
        ({"table": "series"}, ["a", "says no 'series'"]),
        ({"over": ["model"]}, ["over", "needs 'take'"]),
        ({"take": "largest"}, ["take", "needs 'over'"]),
        ({"quantity": "slope", "axis": "ratio", "a": {"ratio": 0.1}}, ["axis", "'ratio' is set by a or b"]),
        ({"id": "kdd_repair"}, ["two claims 'kdd_repair'"]),
        ({"where": {"metric": "f1", "validation_ratio": "smallest"}}, ["where.validation_ratio"]),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, changes, parts):
    path = written(tmp_path, **changes)
    with pytest.raises(UserError) as error:
        read_claims([path])
    message = str(error.value)
    assert message.startswith("config: claims: ")
    assert "\n" not in message
    for part in [str(path), *parts]:
        assert part in message


@pytest.mark.parametrize("text", ["- [", "a: 1", "- 3", "\xff"])
def test_files_that_are_no_claims(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="config: claims: "):
        read_claims([path])


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_claims([tmp_path / "none.yaml"])


def test_shipped_sentences_are_whole():
    for entry in yaml.safe_load(SHIPPED.read_text()):
        assert entry["sentence"].endswith(".")
        assert len(entry["sentence"]) < 130


# --- the job and the command ---


def run_folder(tmp_path, name="tiny"):
    folder = tmp_path / name
    folder.mkdir()
    rows = cells("cnci", [[0.9] * 3] * 2) + cells("si", [[0.5] * 3] * 2) + cells("mi", [[0.1] * 3] * 2)
    for method in ("neg_mi", "aai", "gd_class"):
        rows += cells(method, [[0.1] * 3] * 2)
    frame("metrics", rows).drop(columns="run").to_parquet(folder / "metrics.parquet")
    pd.DataFrame().to_parquet(folder / "series.parquet")
    frame("costs", costs_of("", "t", "i")).drop(columns="run").to_parquet(folder / "costs.parquet")
    return folder


def test_the_job_writes_a_table_and_a_manifest(tmp_path):
    folder = run_folder(tmp_path)
    order = tmp_path / "claims-0123.json"
    order.write_text(json.dumps({"folder": str(folder), "claims": []}))
    manifest = tmp_path / "manifests" / "claims-0123.json"
    manifest.parent.mkdir()
    main(str(order), str(manifest))
    found = pd.read_csv(folder / "claims.csv").set_index("id")
    assert json.loads(manifest.read_text())["digest"] == "0123"
    assert found.loc["kdd_uniform_images", ["measured", "verdict", "blocks"]].tolist() == [0.4, "holds", 6]
    assert found.loc["kdd_uniform_tables", "missing"] == "modality table"
    first = (folder / "claims.csv").read_bytes()
    main(str(order), str(manifest))
    assert (folder / "claims.csv").read_bytes() == first


def test_the_command_fits_a_terminal(tmp_path):
    out = io.StringIO()
    console = Console(file=out, width=100)
    show([run_folder(tmp_path), run_folder(tmp_path, "other")], [], console)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert "…" not in out.getvalue()
    assert any("holds" in line and "0.4 [0.4, 0.4]" in line and line.rstrip().endswith("6") for line in lines)
    assert lines[-1].startswith(f"{len(CLAIMS)} claims: ")
    shorter = io.StringIO()
    show([tmp_path / "tiny"], [], Console(file=shorter, width=100), everything=False)
    assert "missing:" not in shorter.getvalue()
    assert len(shorter.getvalue()) < len(out.getvalue()) / 3


def test_folders_that_are_no_runs(tmp_path):
    with pytest.raises(UserError, match="there is no table"):
        read([tmp_path], CLAIMS)
    folder = run_folder(tmp_path)
    pd.read_parquet(folder / "metrics.parquet").drop(columns="action").to_parquet(folder / "metrics.parquet")
    with pytest.raises(UserError, match="no column 'action'"):
        read([folder], CLAIMS)
    with pytest.raises(UserError, match="same name"):
        show([folder, folder], [], Console())
