"""The KDD'25 paper's figures and tables, from hand-made tables with all their axes."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from glitchmark import registry
from glitchmark.figures import _tables
from glitchmark.figures._graphs import without_shortcuts
from glitchmark.figures._style import COLOURS, LABELS, interval, palette_of
from glitchmark.signals import signal
from test_figures import (
    CELL,
    METRIC_COLUMNS,
    bars,
    check_readable,
    curves,
    drawn,
    legend_colours,
    listed,
    titles,
    words,
)

pytestmark = pytest.mark.filterwarnings("error::UserWarning")

SIGNALS = ("si", "mi", "neg_mi", "aai", "gd_class", "cnci", "loss")
DETECTORS = ("deep_svdd", "dif", "iforest", "cblof")
METHODS = (*SIGNALS, "pcid", "cleanlab", *DETECTORS)
# of figures with bars: glitch, modality, metric, what the groups are, methods
BARS = {
    "fig1a": ("uniform", "image", "f1", "model", SIGNALS),
    "fig1b": ("singular", "image", "f1", "model", SIGNALS),
    "fig1c": ("uniform", "table", "f1", "model", SIGNALS),
    "fig1d": ("singular", "table", "f1", "model", SIGNALS),
    "fig2a": ("singular", "table", "f1", "model", ("cnci", "cleanlab")),
    "fig2b": ("singular", "image", "f1", "model", ("cnci", "cleanlab")),
    "fig2c": ("singular", "table", "repair_accuracy", "model", ("cnci", "cleanlab")),
    "fig2d": ("singular", "image", "repair_accuracy", "model", ("cnci", "cleanlab")),
    "fig4b": ("far_ca", "image", "f1", "dataset", ("pcid", *DETECTORS)),
    "fig7": ("class_dependent", "image", "f1", "model", SIGNALS),
    "fig8a": ("uniform", "table", "f1", "model", ("cnci", "cleanlab")),
    "fig8b": ("uniform", "image", "f1", "model", ("cnci", "cleanlab")),
    "fig8c": ("uniform", "table", "repair_accuracy", "model", ("cnci", "cleanlab")),
    "fig8d": ("uniform", "image", "repair_accuracy", "model", ("cnci", "cleanlab")),
    "fig9": ("uniform", "image", "f1", "model", SIGNALS),
    "fig10": ("far_ca", "image", "f1", "model", ("si", "mi", "neg_mi", "aai", "gd_class", "pcid", "loss")),
}
OF_METRICS = (*BARS, "fig3a", "fig3b", "fig11", "fig12", "fig_corruptions", "glitch_cost")
TABLES = ("table3", "validation_accuracy")
GLITCHES = (
    ("none", 0.0), ("uniform", 0.01), ("uniform", 0.1), ("uniform", 0.3), ("singular", 0.1), ("class_dependent", 0.1),
    ("far_ca", 0.01), ("far_ca", 0.1), ("far_ca", 0.3), ("brightness", 0.1), ("stripe", 0.1),
)  # fmt: skip
KINDS = {"uniform": ("clean", "mislabeled"), "far_ca": ("clean", "anomalous"), "none": ("clean",)}
CELLS = [
    (d, "image", m) for d in ("mnist", "imagenet_dogs") for m in ("resnet20", "vit_b_16")
] + [(d, "table", m) for d in ("wine", "clusters") for m in ("mlp", "ft_transformer")]  # fmt: skip


def metrics_table(cells=CELLS, glitches=GLITCHES, methods=METHODS, seeds=(0, 1, 2), ratios=(0.02, 0.1, 0.2)):
    """Rows as evaluation.tables writes them, with random values; anomalies and corruptions on images alone."""
    rows = []
    for (dataset, modality, model), (glitch, ratio), seed in itertools.product(cells, glitches, seeds):
        if modality == "table" and glitch in ("far_ca", "brightness", "stripe"):
            continue
        base = dict.fromkeys(METRIC_COLUMNS, "") | {
            "dataset": dataset, "modality": modality, "model": model, "glitch": glitch, "ratio": ratio, "seed": seed,
            "subset": 0, "validation_noise": 0.0, "budget": 0.0, "status": "ok", "validation_ratio": 0.2,
        }  # fmt: skip
        rows += [base | {"metric": metric} for metric in ("validation_accuracy", "test_accuracy")]
        for kind, metric in itertools.product(
            KINDS.get(glitch, ()), ("training_loss", "training_accuracy", "training_loss_published")
        ):
            rows.append(base | {"class": kind, "metric": metric})
        if glitch == "none":
            continue
        for method in methods:
            reads = () if method in (*DETECTORS, "cleanlab", "loss") else ratios
            noises = (0.0, 0.2) if reads and glitch == "class_dependent" else (0.0,)
            mine = base | {"method": method, "estimator": "tracin" if reads else ""}
            if method in DETECTORS:
                if model != next(m for d, _, m in cells if d == dataset):
                    continue  # once for all models
                mine |= {"model": ""}
            for share, noise in itertools.product(reads or (0.0,), noises):
                at = mine | {"validation_ratio": share, "validation_noise": noise}
                rows += [at | {"metric": metric} for metric in ("f1", "average_precision")]
                if method in ("cnci", "cleanlab"):
                    rows.append(at | {"metric": "repair_accuracy"})
                if share in (0.0, 0.2) and noise == 0:
                    rows.append(at | {"metric": "average_precision", "class": "mislabeled"})
        repaired = {"method": "cnci", "action": "remove", "budget": 0.1}
        rows += [base | repaired | {"metric": metric} for metric in ("validation_accuracy", "test_accuracy")]
    table = pd.DataFrame(rows, columns=METRIC_COLUMNS)
    return table.assign(value=np.random.default_rng(len(table)).uniform(0.1, 0.95, len(table)))


FULL = metrics_table()


def of(table, **values):
    """Rows with these values, among those that a figure of what was measured without repairs may show."""
    keep = table["action"] == ""
    for column, value in values.items():
        keep &= table[column] == value
    return table[keep]


def mean_by_seed(rows):
    """Mean over the means of the seeds that have a value."""
    return np.mean([part["value"].mean() for _, part in rows.dropna(subset="value").groupby("seed")])


def expected_bars(table, glitch, modality, metric, x, methods, dataset=None):
    """Legend label -> tick label -> height."""
    rows = of(table, glitch=glitch, ratio=0.1, modality=modality, metric=metric, validation_noise=0.0)
    rows = rows[(rows["class"] == "") & rows["validation_ratio"].isin([0.0, 0.2])]
    if dataset:
        rows = rows[rows["dataset"] == dataset]
    found = {}
    for method in methods:
        mine = rows[rows["method"] == method]
        if mine["value"].notna().any():
            found[LABELS.get(method, method)] = {
                LABELS.get(group, group): pytest.approx(mean_by_seed(part))
                for group, part in mine.groupby(x)
                if part["value"].notna().any()
            }
    return found


def spec(name):
    return {"dataset": "imagenet_dogs"} if name in ("fig9", "fig10") else {}


@pytest.mark.parametrize("name", BARS)
def test_bars_are_the_means(name):
    figure = drawn(name, FULL)
    check_readable(figure)
    shown = bars(figure)
    assert shown == expected_bars(FULL, *BARS[name], **spec(name))
    assert list(shown) == [LABELS.get(m, m) for m in BARS[name][-1]]
    colours = [to_hex(handle.get_facecolor()) for handle in figure.legends[0].legend_handles]
    assert colours == [COLOURS[m].lower() for m in BARS[name][-1]]
    assert "×" not in words(figure)


@pytest.mark.parametrize("name", ["fig1d", "fig2c", "fig4b"])
def test_one_seed_has_no_interval(name):
    table = FULL[FULL["seed"] == 1]
    figure = drawn(name, table)
    check_readable(figure)
    assert bars(figure) == expected_bars(table, *BARS[name])
    assert not [line for line in figure.axes[0].get_lines() if np.isfinite(line.get_ydata()).any()]


@pytest.mark.parametrize("name", ["fig1b", "fig4b", "fig8c"])
def test_one_method(name):
    method = BARS[name][-1][0]
    figure = drawn(name, FULL[FULL["method"] == method])
    check_readable(figure)
    assert bars(figure) == {LABELS[method]: expected_bars(FULL, *BARS[name])[LABELS[method]]}


@pytest.mark.parametrize("name", ["fig1a", "fig2d", "fig7"])
def test_missing_and_failed_cells(name):
    """A bar that lost all its cells is marked, one that lost some is the mean of the others, and both are told."""
    table = FULL.copy()
    lost = (table["method"] == "cnci") & (table["model"] == "vit_b_16")
    lost |= (table["method"] == "cnci") & (table["seed"] == 2) & (table["dataset"] == "mnist")
    table.loc[lost, ["value", "status"]] = [np.nan, "failed: it diverged"]
    figure = drawn(name, table)
    check_readable(figure)
    assert bars(figure) == expected_bars(table, *BARS[name])
    assert list(bars(figure)["CNCI"]) == ["ResNet-20"]
    assert words(figure).count("×") == 2  # in the axes, and in the note
    assert "7 of " in words(figure)
    assert "cells failed and are left out: mnist/resnet20/cnci seed 2" in words(figure)


@pytest.mark.parametrize("name", OF_METRICS)
@pytest.mark.parametrize("case", ["empty", "control"])
def test_not_run(name, case):
    table = FULL[:0] if case == "empty" else FULL[FULL["glitch"] == "none"]
    figure = drawn(name, table)
    check_readable(figure)
    assert "not run: " in words(figure)
    assert "has it" in words(figure)
    assert ("nothing was broken" in words(figure)) == (case == "control")


@pytest.mark.parametrize("name", [n for n in OF_METRICS if n != "glitch_cost"])
def test_all_failed(name):
    figure = drawn(name, FULL.assign(value=np.nan, status="failed: no memory"))
    check_readable(figure)
    assert "cells failed and are left out" in words(figure)
    assert not figure.axes


@pytest.mark.parametrize("name", ["fig2a", "fig_corruptions", "fig11"])
def test_thirty_methods(name):
    methods = tuple(f"method_of_mine_{i:02d}" for i in range(30))
    figure = drawn(name, metrics_table(methods=methods, seeds=(0, 1)), methods=methods)
    check_readable(figure)
    if name == "fig11":
        assert [t.get_text() for t in figure.legends[0].get_texts()] == list(methods)
    else:
        assert all(list(lengths) == list(methods) for lengths in listed(figure).values())


def test_other_methods_and_data_sets_can_be_asked_for():
    figure = drawn("fig9", FULL, methods=["pcid", "si"], dataset="mnist")
    assert bars(figure) == expected_bars(FULL, "uniform", "image", "f1", "model", ["pcid", "si"], "mnist")


# Fig. 3


def validation_sizes(drops, draws=4, ratios=(0.02, 0.1, 0.2)):
    """CNCI's rows for class-dependent noise; drops: of F1 from .1 to .02 by (dataset, model)."""
    rows = []
    for (dataset, model), share, seed, subset in itertools.product(drops, ratios, (0, 1), range(draws)):
        base = dict.fromkeys(METRIC_COLUMNS, "") | {
            "dataset": dataset, "modality": "image", "model": model, "glitch": "class_dependent", "ratio": 0.1,
            "seed": seed, "subset": subset, "validation_noise": 0.0, "budget": 0.0, "validation_ratio": share,
            "method": "cnci", "metric": "f1", "status": "ok", "estimator": "tracin",
        }  # fmt: skip
        value = 0.8 - drops[dataset, model] * (share < 0.1) + 0.01 * (subset - 1.5) + 0.02 * (seed - 0.5)
        rows.append(base | {"value": value})
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


@pytest.mark.parametrize("steepest", [("mnist", "resnet20"), ("mnist", "vit_b_16"), ("digits", "resnet20")])
def test_fig3a_shows_the_steepest_drop(steepest):
    pairs = [("mnist", "resnet20"), ("mnist", "vit_b_16"), ("digits", "resnet20")]
    table = validation_sizes({pair: 0.3 if pair == steepest else 0.1 for pair in pairs})
    figure = drawn("fig3a", table)
    check_readable(figure)
    (title,) = titles(figure)
    names = [LABELS.get(name, name) for name in steepest]
    assert title == f"{names[0]}, {names[1]}: F1 −0.300 from 10 % to 2 %"
    np.testing.assert_allclose(curves(figure.axes[0])[COLOURS["cnci"].lower()], [(2, 0.5), (10, 0.8), (20, 0.8)])
    mine = table[
        (table["dataset"] == steepest[0]) & (table["model"] == steepest[1]) & (table["validation_ratio"] == 0.02)
    ]
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    assert sorted(set(np.round(band[band[:, 0] == 2, 1], 9))) == pytest.approx(list(interval(mine["value"])))


def test_fig3a_takes_the_nearest_shares():
    figure = drawn("fig3a", validation_sizes({("mnist", "resnet20"): 0.2}, ratios=(0.05, 0.12, 0.3)))
    assert titles(figure) == ["MNIST, ResNet-20: F1 −0.200 from 12 % to 5 %"]


def test_fig3a_where_accuracy_only_grows():
    figure = drawn("fig3a", validation_sizes({("mnist", "resnet20"): -0.1}))
    assert titles(figure) == ["MNIST, ResNet-20: F1 +0.100 from 10 % to 2 %"]


def test_fig3a_needs_two_shares():
    figure = drawn("fig3a", validation_sizes({("mnist", "resnet20"): 0.2}, ratios=(0.1,)))
    assert "at two validation ratios" in words(figure)


def test_fig3a_of_pairs_with_other_shares():
    """Each pair has been run at one share alone: there is no drop."""
    table = validation_sizes({("mnist", "resnet20"): 0.2, ("digits", "resnet20"): 0.1})
    table = table[(table["dataset"] == "mnist") == (table["validation_ratio"] == 0.02)]
    assert "not run" in words(drawn("fig3a", table))


def test_fig3b_has_bars_of_both_levels():
    figure = drawn("fig3b", FULL)
    check_readable(figure)
    shown = bars(figure)
    assert list(shown) == ["clean", "20 % of the labels wrong"]
    rows = of(FULL, glitch="class_dependent", metric="f1", method="cnci", validation_ratio=0.2)
    for label, noise in zip(shown, (0.0, 0.2), strict=True):
        for model, name in (("resnet20", "ResNet-20"), ("ft_transformer", "FT-Transformer")):
            mine = rows[(rows["validation_noise"] == noise) & (rows["model"] == model)]
            assert shown[label][name] == pytest.approx(mean_by_seed(mine))


def test_fig3b_needs_noise():
    assert "two levels of validation_noise" in words(drawn("fig3b", FULL[FULL["validation_noise"] == 0]))


# Sweeps


@pytest.mark.parametrize(
    ("name", "glitch", "metric", "last"),
    [("fig11", "uniform", "f1", "cnci"), ("fig12", "far_ca", "average_precision", "pcid")],
)
def test_curves_over_ratios(name, glitch, metric, last):
    figure = drawn(name, FULL)
    check_readable(figure)
    assert titles(figure) == ["ResNet-20", "ViT-B/16"]
    methods = ("si", "mi", "neg_mi", "aai", "gd_class", last)
    assert legend_colours(figure) == {LABELS[m]: COLOURS[m].lower() for m in methods}
    rows = of(FULL, glitch=glitch, modality="image", metric=metric, validation_ratio=0.2, **{"class": ""})
    for axes, model in zip(figure.axes, ("resnet20", "vit_b_16"), strict=True):
        found = curves(axes)
        for method in methods:
            mine = rows[(rows["model"] == model) & (rows["method"] == method)]
            expected = [(100 * ratio, mean_by_seed(part)) for ratio, part in mine.groupby("ratio")]
            np.testing.assert_allclose(found[COLOURS[method].lower()], expected)


@pytest.mark.parametrize("name", ["fig11", "fig12"])
def test_one_ratio_is_no_sweep(name):
    assert "two or more ratios" in words(drawn(name, FULL[FULL["ratio"].isin([0.0, 0.1])]))


def test_corruptions_have_panels():
    figure = drawn("fig_corruptions", FULL)
    check_readable(figure)
    assert titles(figure) == ["brightness", "stripe"]
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    methods = ("si", "mi", "neg_mi", "aai", "gd_class", "pcid", *DETECTORS)
    assert names == [LABELS[m] for m in methods]
    for axes, glitch in zip(figure.axes, ("brightness", "stripe"), strict=True):
        rows = of(FULL, glitch=glitch, metric="f1")
        for container, method in zip(axes.containers, methods, strict=True):
            mine = rows[(rows["method"] == method) & rows["validation_ratio"].isin([0.0, 0.2])]
            for bar, dataset in zip(container, ("mnist", "imagenet_dogs"), strict=True):
                assert bar.get_height() == pytest.approx(mean_by_seed(mine[mine["dataset"] == dataset]))


# What glitches cost


def accuracies(**cost):
    """Accuracy by glitch: .9, and less by what it costs; noise of the seed is shared by a pair."""
    rows = []
    for (dataset, modality, model), glitch, seed in itertools.product(CELLS, ("none", *cost), (0, 1, 2)):
        for i, metric in enumerate(("validation_accuracy", "test_accuracy")):
            base = dict.fromkeys(METRIC_COLUMNS, "") | {
                "dataset": dataset, "modality": modality, "model": model, "glitch": glitch, "seed": seed,
                "ratio": 0.0 if glitch == "none" else 0.1, "status": "ok", "validation_noise": 0.0, "metric": metric,
            }  # fmt: skip
            shared = 0.05 * np.sin(seed + len(model) + i)
            rows.append(base | {"value": 0.9 + shared - cost.get(glitch, 0) * (i + 1)})
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def test_glitch_cost_is_the_paired_difference():
    table = accuracies(uniform=0.02, mixed=0.05)
    retrained = table.assign(action="remove", method="cnci", value=0.0)
    figure = drawn("glitch_cost", pd.concat([table, retrained]))
    check_readable(figure)
    assert titles(figure) == ["Validation accuracy", "Test accuracy"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["uniform", "mixed"]
    for axes, twice in zip(figure.axes, (1, 2), strict=True):
        for container, cost in zip(axes.containers, (2, 5), strict=True):
            assert [bar.get_height() for bar in container] == pytest.approx([-cost * twice] * 4)
        low, high = axes.get_ylim()
        assert low < -5 * twice
        assert high >= 0
    # pairs share what is random, so that the intervals have no width
    ends = np.concatenate([line.get_ydata() for line in figure.axes[0].get_lines()])
    assert set(np.round(ends[np.isfinite(ends)], 6)) == {-2.0, -5.0, 0.0}  # 0 is the axis


def test_glitch_cost_needs_the_control():
    table = accuracies(uniform=0.02)
    assert "not run" in words(drawn("glitch_cost", table[table["glitch"] != "none"]))


def test_glitch_cost_of_many_glitches_and_without_test_part():
    table = accuracies(**{f"glitch_{i}": i / 100 for i in range(14)})
    figure = drawn("glitch_cost", table[table["metric"] == "validation_accuracy"])
    check_readable(figure)
    shown = listed(figure)
    assert list(shown) == [f"Validation accuracy, {name}" for name in ("MNIST", "ImageNet-Dogs", "wine", "clusters")]
    assert list(shown["Validation accuracy, wine"].values()) == pytest.approx([-i for i in range(14)])


# The pipeline

PIPELINE = pd.DataFrame(
    [
        ("pool", 6, 6, ()), ("subset", 6, 30, ("pool",)), ("inject", 6, 1500, ("pool", "subset")),
        ("train", 18, 450, ("inject", "pool", "subset")), ("influence", 18, 450, ("inject", "train")),
        ("score", 18, 9450, ("influence", "inject", "train")), ("toy", 1, 2, ()),
        ("evaluate", 1, 0, ("inject", "pool", "score", "subset", "toy", "train")),
    ],
    columns=["stage", "jobs", "results", "upstream"],
)  # fmt: skip


def test_pipeline_is_drawn_from_the_stages():
    figure = drawn("fig6", PIPELINE)
    check_readable(figure)
    (axes,) = figure.axes
    boxes = {t.get_text(): t.get_position() for t in axes.texts}
    assert set(boxes) == {
        "pool\n6 results", "subset\n30 results", "inject\n1,500 results", "train\n450 results",
        "influence\n450 results", "score\n9,450 results", "toy\n2 results", "evaluate\n1 job",
    }  # fmt: skip
    height = {name.split("\n")[0]: y for name, (_, y) in boxes.items()}
    for row in PIPELINE.itertuples():
        assert all(height[read] < height[row.stage] for read in row.upstream)  # the axis points down
    renderer = figure.canvas.get_renderer()
    for text in axes.texts:
        inside = text.get_window_extent(renderer)
        assert any(
            box.x0 <= inside.x0 and box.x1 >= inside.x1 and box.y0 <= inside.y0 and box.y1 >= inside.y1
            for box in (patch.get_window_extent(renderer) for patch in axes.patches if patch.get_facecolor()[0] > 0.8)
        )


def test_arrows_lead_to_what_reads_and_past_other_boxes():
    (axes,) = drawn("fig6", PIPELINE).axes
    place = {t.get_text().split("\n")[0]: t.get_position() for t in axes.texts}
    arrows = [patch.get_path().vertices for patch in axes.patches if hasattr(patch, "get_arrowstyle")]
    ends = {
        tuple(
            min(place, key=lambda s: np.hypot(place[s][0] - x, 3 * (place[s][1] - y))) for x, y in (path[0], path[-1])
        )
        for path in (patch._path_original.vertices for patch in axes.patches if hasattr(patch, "get_arrowstyle"))
    }
    direct = {("pool", "subset"), ("subset", "inject"), ("inject", "train"), ("train", "influence")}
    assert ends == direct | {("influence", "score"), ("score", "evaluate"), ("toy", "evaluate")}
    assert len(arrows) == len(ends)


@pytest.mark.parametrize("seed", range(20))
def test_reduction_keeps_what_is_reachable(seed):
    rng = np.random.default_rng(seed)
    order = list("abcdefgh")
    upstream = {n: {m for m in order[:i] if rng.uniform() < 0.5} for i, n in enumerate(order)}
    reduced = without_shortcuts(upstream, order)

    def reach(graph, node):
        return graph[node].union(*(reach(graph, read) for read in graph[node]))

    for node in order:
        assert reduced[node] <= upstream[node]
        assert reach(reduced, node) == reach(upstream, node)
        for read in reduced[node]:  # none can be spared
            fewer = reduced | {node: reduced[node] - {read}}
            assert reach(fewer, node) != reach(upstream, node)


def test_pipeline_of_nothing():
    assert "not run" in words(drawn("fig6", PIPELINE[:0]))


# Tables


def costs_table(cells=CELLS, methods=("cnci", "pcid", "si")):
    """Training 10 s, features 20 s for two seeds of a data set, influence 1 s; CNCI .5 s, PCID 1 s."""
    columns = [*CELL, "stage", "key", "seconds", "cpu_seconds", "peak_memory_mb", "parameters"]
    rows = []
    for (dataset, modality, model), seed in itertools.product(cells, (0, 1)):
        base = dict.fromkeys(columns, np.nan) | {"dataset": dataset, "modality": modality, "model": model}
        if modality == "image":
            rows.append(base | {"stage": "features", "seconds": 10.0, "parameters": 1000.0})
        for glitch in ("none", "uniform"):
            cell = base | {"glitch": glitch, "seed": float(seed)}
            rows.append(cell | {"stage": "train", "seconds": 10.0, "parameters": 500.0})
            rows.append(cell | {"stage": "influence", "seconds": 1.0, "estimator": "tracin"})
            for method, seconds in zip(methods, (0.5, 1.0, 9.0), strict=False):
                rows.append(cell | {"stage": "score", "method": method, "seconds": seconds})
    rows.append(dict.fromkeys(columns, np.nan) | {"stage": "pool", "dataset": "mnist", "seconds": 99.0})
    return pd.DataFrame(rows, columns=columns)


def made(name, *inputs, **parameters):
    """A table's frame, after it was drawn and looked at."""
    plugin = registry.load("figure", name)
    assert plugin.info["form"] == "table"
    frame = plugin.function(*inputs, **parameters)
    check_table(_tables.drawn(frame, plugin.info["title"]))
    return frame


def check_table(figure):
    """No text is cut off or lies on another one, and the page is not too wide."""
    assert figure.get_figwidth() <= 7.161
    check_readable(figure)


def test_table1_has_seconds_and_shares():
    frame = made("table1", costs_table()).set_index("Model")
    assert list(frame.index) == ["ResNet-20", "ViT-B/16", "MLP", "FT-Transformer"]
    assert list(frame.loc["ResNet-20"]) == pytest.approx([1500, 15, 1.5, 2, 10, 100 * 2 / 15])
    assert list(frame.loc["MLP"]) == pytest.approx([500, 10, 1.5, 2, 15, 20])


def test_table1_of_one_signal_and_of_none():
    frame = made("table1", costs_table(methods=("cnci",)))
    assert frame["PCID (s)"].isna().all()
    assert frame["CNCI (s)"].notna().all()
    for costs in (costs_table()[:0], costs_table(methods=("si",)).replace("si", "mi")):
        assert "not run" in made("table1", costs).attrs["missing"]


def methods_frame():
    """As the run tells it: after JSON, with NaN where a fact is not one of its kind."""
    rows = []
    for kind, names in (
        ("signal", ("si", "mi", "aai", "gd_class", "cnci", "pcid", "cfrank", "loss")),
        ("detector", ("iforest",)),
    ):
        for name in names:
            info = registry.load(kind, name).info
            facts = {key: list(value) if isinstance(value, tuple) else value for key, value in info.items()}
            rows.append({"id": name, "kind": kind, "name": name, **facts})
    return pd.DataFrame(rows)


def test_table2_is_the_papers():
    """Myrtakis et al., Table 2: sign, magnitude, conditional, mislabeled, anomalies, mixed, repair."""
    frame = made("table2", methods_frame()).drop(columns="Reads").set_index("Signal")
    printed = {
        "SI": "– ● – ● ● ○ ○", "MI": "○ ● ○ ● ○ ○ ○", "AAI": "○ ● ○ ○ ● ○ –", "GD-class": "○ ● ● ● ○ ○ ○",
        "CNCI": "● ● ● ● ○ ○ ●", "PCID": "● ● ● ○ ● ○ –", "CFRank": "● ● ● ● ● ● ●",
    }  # fmt: skip
    assert {name: " ".join(frame.loc[name]) for name in printed} == printed
    assert list(frame.loc["loss"]) == ["", "", "", "●", "○", "", ""]
    assert "iForest" not in frame.index


@pytest.mark.parametrize("told", [{"uses": ("sign", "magic")}, {"uses": "sign"}, {"undefined": ("magic",)}])
def test_signals_use_what_there_is_a_column_for(told):
    with pytest.raises(ValueError, match="allowed is a tuple of: sign, magnitude, conditional, mixed, repair"):
        signal("mine", targets="both", reference="me", **told)


def test_table2_without_signals():
    for methods in (methods_frame()[:0], pd.DataFrame(), methods_frame()[lambda f: f["kind"] == "detector"]):
        assert "not run" in made("table2", methods).attrs["missing"]


def test_table3_has_the_means_of_each_kind():
    frame = made("table3", FULL).set_index(["Data set", "Model"])
    assert len(frame) == len(CELLS)
    row = frame.loc[("MNIST", "ResNet-20")]
    mine = of(FULL, dataset="mnist", model="resnet20", ratio=0.1)
    names = {"training_loss": "loss", "training_loss_published": "loss as published", "training_accuracy": "accuracy"}
    for metric, name in names.items():
        rows = mine[mine["metric"] == metric]
        for kind, head in (("clean", "Clean"), ("mislabeled", "Mislabeled"), ("anomalous", "Far-CA")):
            part = rows[(rows["class"] == kind) & rows["glitch"].isin(["uniform", "far_ca"])]
            assert row[f"{head}: {name}"] == pytest.approx(part["value"].mean())
    assert np.isnan(frame.loc[("wine", "MLP"), "Far-CA: loss"])


def test_table3_of_one_model():
    assert list(made("table3", FULL, models=["mlp"])["Data set"]) == ["wine", "clusters"]


def test_validation_accuracy_has_the_papers_and_ours():
    table = FULL.copy()
    failed = of(table, dataset="wine", model="mlp", glitch="uniform", metric="validation_accuracy", method="").index
    table.loc[failed, ["value", "status"]] = [np.nan, "failed: no memory"]
    frame = made("validation_accuracy", table).set_index(["Data set", "Model"])
    assert list(frame.loc[("CIFAR-10", "ConvNeXt-T")]) == ["0.85 ± 0.01", "–", "0.85 ± 0.00", "–", "0.87 ± 0.00", "–"]
    row = frame.loc[("MNIST", "ViT-B/16")]
    assert row["Uniform noise, paper"] == "0.83 ± 0.03"
    rows = of(
        FULL, dataset="mnist", model="vit_b_16", glitch="far_ca", ratio=0.1, metric="validation_accuracy", method=""
    )
    low, high = interval(rows["value"])
    assert row["Far-CA, here"] == f"{rows['value'].mean():.2f} [{low:.2f}, {high:.2f}]"
    ours = frame.loc[("wine", "MLP")]
    assert list(ours[["Uniform noise, paper", "Uniform noise, here", "Far-CA, here"]]) == ["–", "failed", "–"]
    assert len(frame) == 9 + 6


def test_validation_accuracy_of_one_seed():
    frame = made("validation_accuracy", FULL[FULL["seed"] == 0]).set_index(["Data set", "Model"])
    value = of(FULL, dataset="wine", model="mlp", glitch="uniform", ratio=0.1, metric="validation_accuracy", seed=0)
    assert frame.loc[("wine", "MLP"), "Uniform noise, here"] == f"{value['value'].item():.2f}"


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("case", ["empty", "control"])
def test_tables_not_run(name, case):
    frame = made(name, FULL[:0] if case == "empty" else FULL[FULL["glitch"] == "none"])
    assert frame.empty
    assert frame.attrs["missing"].startswith("not run: ")


# How tables are drawn


def lines_of(figure):
    """The texts of a drawn table, by line from the top."""
    rows = {}
    for text in figure.texts:
        x, y = text.get_position()
        rows.setdefault(round(y, 6), []).append((x, text.get_text()))
    return [[text for _, text in sorted(rows[y])] for y in sorted(rows, reverse=True)]


def test_a_drawn_table_has_all_cells_in_order():
    frame = pd.DataFrame({"name": ["a", "b"], "n": [1000, 20], "share": [0.5, np.nan], "seconds": [12.345, 1.0]})
    figure = _tables.drawn(frame, "A title")
    check_table(figure)
    assert lines_of(figure) == [
        ["A title"],
        ["name", "n", "share", "seconds"],
        ["a", "1,000", "0.500", "12.35"],
        ["b", "20", "–", "1.00"],
    ]


@pytest.mark.parametrize("columns", [3, 7, 12])
def test_wide_tables_fit_on_a_page(columns):
    sentence = "a sentence that says what was measured, and how, and in which run it was measured"
    frame = pd.DataFrame(
        {"what it is about": [sentence] * 3} | {f"column number {i}": [0.1234] * 3 for i in range(columns)}
    )
    figure = _tables.drawn(frame, "A title that is so long that it does not stand on one line " * 3)
    check_table(figure)
    told = " ".join(text for line in lines_of(figure) for text in line)
    assert told.count("0.123") == 3 * columns


def test_long_tables_grow():
    few, many = (_tables.drawn(pd.DataFrame({"x": range(n)}), "t").get_figheight() for n in (10, 200))
    assert many > 15 * few / 2
    check_table(_tables.drawn(pd.DataFrame({"x": range(100), "y": "text"}), "t"))


def test_a_table_of_nothing():
    assert "t: no rows" in " ".join(text.get_text() for text in _tables.drawn(pd.DataFrame({"x": []}), "t").texts)
    figure = _tables.drawn(_tables.not_there("not run: this and that"), "t")
    assert [text.get_text() for text in figure.texts] == ["not run: this and that"]


def test_too_many_columns_are_an_error():
    with pytest.raises(ValueError, match="does not fit on a page"):
        _tables.drawn(pd.DataFrame({f"column{i}": ["some text"] for i in range(40)}), "t")


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([1.0, 2.0], ["1", "2"]), ([0.12345, 9.5], ["0.123", "9.500"]), ([12.345, 0.1], ["12.35", "0.10"]),
        ([123.45, np.nan], ["123.5", "–"]), ([12345.6], ["12,346"]), ([np.nan], ["–"]), ([-0.5], ["-0.500"]),
    ],
)  # fmt: skip
def test_numbers_of_a_column(numbers, texts):
    assert _tables.written(pd.Series(numbers)) == [text.replace("-0", "-0") for text in texts]


def test_same_bytes(tmp_path):
    for name, table in (("fig6", PIPELINE), ("fig11", FULL), ("glitch_cost", FULL)):
        for path in (tmp_path / "a.png", tmp_path / "b.png"):
            registry.load("figure", name).function(table).savefig(path, metadata={"Software": None})
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_input_is_left_alone():
    copy = FULL.copy(deep=True)
    for name in ("fig1a", "fig3a", "fig3b", "fig11", "glitch_cost", "table3"):
        registry.load("figure", name).function(FULL)
    pd.testing.assert_frame_equal(FULL, copy)


@pytest.mark.parametrize("name", ["fig1c", "fig_corruptions", "fig11", "fig3a", "fig3b", "glitch_cost", "overview"])
def test_text_columns_may_be_categories(name):
    """As reading the tables is faster then."""
    function = registry.load("figure", name).function
    table = FULL.astype(dict.fromkeys(FULL.select_dtypes("str"), "category"))
    for axes, same in zip(function(table).axes, function(FULL).axes, strict=True):
        drawn_here, drawn_there = (
            [patch.get_height() for patch in a.patches] + [y for line in a.get_lines() for y in line.get_ydata()]
            for a in (axes, same)
        )
        np.testing.assert_allclose(drawn_here, drawn_there)
        assert [text.get_text() for text in axes.texts] == [text.get_text() for text in same.texts]
        assert drawn_here or len(axes.texts)


def test_a_method_has_one_colour():
    """Among others too: no method's colour depends on which ones are beside it, while the papers' are all there."""
    assert palette_of(["pcid", "cnci"])["cnci"] == palette_of(["cnci", "my_own"])["cnci"] == COLOURS["cnci"]
    assert len(set(COLOURS.values())) == len(COLOURS)
