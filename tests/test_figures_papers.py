"""Figures and tables of the class-based paper, of outlier gradient analysis, and our own, from hand-made rows."""

import itertools
from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.text import Text

from glitchmark import registry
from glitchmark.figures._style import label_of
from glitchmark.figures._tables import drawn as drawn_table

CELL = [
    "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_noise", "seed", "method", "variant",
    "action", "budget",
]  # fmt: skip
SEEDS = (0, 1, 2)
ESTIMATORS = ("influence_function", "grad_dot", "grad_cos", "tracin")
GLITCHES = (("none", 0.0), ("uniform", 0.05), ("uniform", 0.1), ("uniform", 0.2), ("mixed", 0.2))
CELLS = (("digits", "image", "resnet20"), ("letters", "image", "resnet20"), ("wine", "table", "mlp"))
ALL = ("f1", "average_precision", *(f"precision_at_{q}" for q in (5, 10, 15, 20)), "repair_accuracy",
       "repair_accuracy_detected", "f1_gap", "f1_mixture", "f1_mad", "f1_own", "flagged_gap", "flagged_mixture",
       "flagged_mad", "flagged_own")  # fmt: skip
PLAIN = {"loss": ("",), "cnci": ("tracin",), "cfrank": ("tracin",), "cleanlab": ("",), "model_based": ("",)}
CLASS_BASED = {"plain": ESTIMATORS, "class_based": ESTIMATORS, "class_based_10": ESTIMATORS}
GRADIENTS = {
    "neg_mi": ("tracin", "influence_function", "lissa", "datainf"), "si": ("lissa", "datainf"), "gradient_l1": ("",),
    "gradient_l2": ("",), "gradient_iforest": ("",), "cleanlab_margin": ("",), "my_own": ("",),
}  # fmt: skip
TREES = {f"gradient_iforest_{n}": ("",) for n in (25, 50, 200)} | {"gradient_iforest": ("",)}
VARIANTS = {"plain": "per_class=50", "class_based": "per_class=50", "class_based_10": "per_class=10,x=1"} | {
    f"gradient_iforest_{n}": f"estimators={n}" for n in (25, 50, 200)
}
BUDGETS = (0.025, 0.05, 0.1)
THIRTY = {f"a_method_{i:02d}": ("",) for i in range(30)}


def base(dataset, modality, model, glitch, ratio, seed):
    return dict.fromkeys(CELL, "") | {
        "dataset": dataset, "modality": modality, "model": model, "glitch": glitch, "ratio": ratio, "seed": seed,
        "validation_noise": 0.0, "budget": 0.0, "status": "ok",
    }  # fmt: skip


def metrics_table(methods=PLAIN, seeds=SEEDS, glitches=GLITCHES, cells=CELLS, classes=3, actions=("remove",)):
    """Rows as evaluation.tables writes them, with random values; methods: id -> estimators."""
    return made_once(tuple(methods.items()), tuple(seeds), tuple(glitches), tuple(cells), classes, tuple(actions))


@cache
def made_once(methods, seeds, glitches, cells, classes, actions):
    rng = np.random.default_rng(len(methods) * 100 + len(seeds))
    rows = []
    for cell, (glitch, ratio), seed in itertools.product(cells, glitches, seeds):
        of = base(*cell, glitch, ratio, seed) | {"validation_ratio": 0.2, "subset": 0, "class": ""}

        def add(metric, of=of, **more):
            rows.append(of | {"metric": metric, "value": rng.uniform(0.2, 0.9)} | more)

        add("test_accuracy")
        add("validation_accuracy")
        add("test_accuracy", action="perfect", budget=ratio)
        for method, estimators in methods:
            for estimator in estimators:
                mine = {"method": method, "estimator": estimator, "variant": VARIANTS.get(method, "")}
                for metric in ALL if glitch != "none" else [m for m in ALL if m.startswith("flagged")]:
                    add(metric, **mine)
                if glitch == "none":
                    continue
                for i in range(classes):
                    add("class_f1", **mine, **{"class": f"class {i}"})
                for kind in ("mislabeled", "anomalous") if glitch == "mixed" else ():
                    add("average_precision", **mine, **{"class": kind})
                for action, budget in itertools.product(actions, BUDGETS):
                    add("test_accuracy", **mine, action=action, budget=budget + 0.0004)
    columns = [*CELL, "validation_ratio", "subset", "class", "metric", "value", "status"]
    return pd.DataFrame(rows, columns=columns)


def toy_metrics(seeds=SEEDS, methods=("influence_function", "grad_dot", "gradient_iforest", "my_own")):
    rng = np.random.default_rng(3)
    rows = []
    for seed in seeds:
        of = base("half_moons", "toy", "", "uniform", 0.08, seed) | {"validation_ratio": 0.0, "subset": 0, "class": ""}
        rows.append(of | {"metric": "test_accuracy", "value": rng.uniform(0.8, 1)})
        for method, metric in itertools.product(methods, ("detection_accuracy", "trimmed_accuracy")):
            rows.append(of | {"method": method, "metric": metric, "value": rng.uniform(0.8, 1)})
    return pd.DataFrame(rows)


def series_table(cells=CELLS, seeds=SEEDS, methods=("model_based", "cnci"), epochs=(1, 2, 4)):
    rng = np.random.default_rng(4)
    rows = []
    for cell, seed in itertools.product(cells, seeds):
        of = base(*cell, "uniform", 0.1, seed) | {"class": ""}

        def add(series, x, value, of=of, **more):
            rows.append(of | {"series": series, "x": float(x), "value": value} | more)

        for epoch in epochs:
            add("training_loss", epoch, rng.uniform())
            add("test_accuracy", epoch, rng.uniform())
            add("test_accuracy", epoch, rng.uniform(), action="perfect", budget=0.1)
            for method, action in itertools.product(methods, ("remove", "annotate", "annotate_continue")):
                add("test_accuracy", epoch, rng.uniform(), method=method, action=action, budget=0.1)
        scale = rng.uniform(1, 100)
        for kind, centre in (("same", 0.2), ("cross", 0.0)):
            shares = np.exp(-((np.linspace(-1, 1, 61) - centre) ** 2) / 0.02)
            for x, share in zip(scale * np.linspace(-1, 1, 61), shares / shares.sum(), strict=True):
                add("pair_histogram", x, share, **{"class": kind})
            add("pair_positive", 0, 0.5 + centre, **{"class": kind})
    return pd.DataFrame(rows, columns=[*CELL, "class", "series", "x", "value", "status"])


def toy_series(seeds=SEEDS, toys=("blobs", "half_moons", "three_gaussians"), n=60):
    rows = []

    def add(of, x, group, **values):
        rows.extend(of | {"class": group, "series": s, "x": float(x), "value": float(v)} for s, v in values.items())

    for toy, seed in itertools.product(toys, seeds):
        rng = np.random.default_rng(10 * seed + len(toy))
        of = base(toy, "toy", "", "uniform", 0.2, seed)
        for i in range(n):
            point, label = rng.normal(size=8), i % 2
            if toy == "three_gaussians":
                given = (i + (i % 5 == 0)) % 3
                add(of, i, f"{i % 3}-{given}", **{f"gradient_{d + 1}": point[d] for d in range(6)})
                continue
            kind = "mislabeled" if i % 10 == 0 else "clean"
            train = {"train_x": point[0] + label, "train_y": point[1], "train_label": label, "influence": point[2]}
            add(of, i, kind, **train, gradient_1=point[3], gradient_2=point[4])
            add(of, i, "", test_x=point[5] + label, test_y=point[6], test_label=label)
    return pd.DataFrame(rows)


def costs_table(methods=PLAIN, cells=CELLS, seeds=SEEDS):
    """Every own job takes 1 s, influence 10, dynamics 100, cross-validation 1000, and training 100."""
    columns = ["stage", *(name for name in CELL if name not in ("action", "budget")), "seconds", "peak_memory_mb"]
    rows = []
    for cell, seed in itertools.product(cells, seeds):
        of = base(*cell, "uniform", 0.1, seed) | {"peak_memory_mb": 300.0}
        rows.append(of | {"stage": "train", "seconds": 100.0})
        rows.append(
            of | {"stage": "crossval", "seconds": 1000.0, "method": None, "estimator": None, "peak_memory_mb": 900.0}
        )
        for estimator in {e for of_method in methods.values() for e in of_method if e}:
            rows.append(of | {"stage": "influence", "estimator": estimator, "seconds": 10.0, "method": None})
            rows.append(of | {"stage": "dynamics", "estimator": estimator, "seconds": 100.0, "method": ""})
        for method, estimators in methods.items():
            rows += [of | {"stage": "score", "method": method, "estimator": e, "seconds": 1.0} for e in estimators]
    return pd.DataFrame(rows, columns=columns)


def methods_table(methods=PLAIN):
    """The facts of the decorators; CleanLab's variants read predictions, methods of estimators influence."""
    lines = []
    for method, estimators in methods.items():
        cleanlab = method.startswith("cleanlab")
        reads = ("out_of_sample",) if cleanlab else "influence" if estimators != ("",) else "training"
        kind = "detector" if cleanlab else "signal"
        lines.append({"id": method, "kind": kind, "name": method, "reads": reads, "targets": "both", "reference": ""})
    return pd.DataFrame(lines)


def top_table(
    methods=("cnci", "cleanlab", "iforest"), cells=CELLS, seeds=SEEDS, glitches=("none", "mixed"), names=("0", "1")
):
    rows = []
    for cell, glitch, seed, method in itertools.product(cells, glitches, seeds, methods):
        of = base(*cell, glitch, 0.2, seed) | {"method": method}
        if method == "iforest":
            of["model"] = ""
        for rank in range(1, 13):
            kind = ("", "mislabeled", "anomalous")[rank % 3] if glitch != "none" else ""
            true = {"": names[0], "mislabeled": names[1], "anomalous": ""}[kind] if glitch != "none" else ""
            rows.append(
                of | {
                    "sample_id": f"{cell[0]}:{100 * seed + rank}", "name": "", "observed_label": names[0],
                    "true_label": true, "suggested_label": names[1] if method == "cnci" else "", "glitch_kind": kind,
                    "kind": "", "score": 1 / rank, "rank": rank,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def pictures(dataset, ids, **cell):
    """Images whose brightness is the number in their id."""
    return [np.full((8, 8), int(name.split(":")[1]) % 256, np.uint8) for name in ids]


def table(name, *inputs, **parameters):
    return registry.load("figure", name).function(*inputs, **parameters)


def fail(rows, **values):
    """The rows after some cells failed; all of them if no column is named."""
    failed = np.logical_and.reduce([rows[c] == v for c, v in values.items()]) if values else np.full(len(rows), True)
    return rows.assign(value=rows["value"].mask(failed), status=rows["status"].mask(failed, "failed: it diverged"))


def texts(figure):
    """What is drawn; ticks outside the limits are not."""
    unseen = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        ticks = [tick for tick in ticks if not (axis.axes.axison and low <= tick.get_loc() <= high)]
        unseen |= {label for tick in ticks for label in (tick.label1, tick.label2)}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in unseen]


def words(figure):
    return " ".join(" ".join(t.get_text() for t in texts(figure)).split())


def check_readable(figure, seen=0.35):
    """No text is cut off or lies on other text; a legend is on no axes, and these have room. seen: inches."""
    page = figure.bbox
    renderer = RendererAgg(page.width, page.height, figure.dpi)
    assert page.width <= 7.2 * figure.dpi
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(figure)]
    for text, box in boxes:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1
        assert inside, f"'{text}' is cut off"
    corners = np.array([[box.x0 + 1, box.y0 + 1, box.x1 - 1, box.y1 - 1] for _, box in boxes])
    x0, y0, x1, y1 = corners.T[:, :, None]
    on = (x0 < x1.T) & (x1 > x0.T) & (y0 < y1.T) & (y1 > y0.T)
    pairs = [(boxes[i][0], boxes[j][0]) for i, j in np.argwhere(on) if i < j]
    assert not pairs, f"texts lie on one another: {pairs[:3]}"
    for axes in (axes for axes in figure.axes if axes.axison):
        area = axes.get_window_extent(renderer)
        assert min(area.width, area.height) / figure.dpi > seen, "the axes are squeezed"
        for legend in figure.legends:
            assert not legend.get_window_extent(renderer).overlaps(area)


# name -> inputs that have all that it shows, from the methods and seeds
GR = PLAIN | GRADIENTS | TREES
ACTIONS = ("remove", "relabel", "annotate", "remove_continue")
FULL = {
    "cb_precision": lambda **of: (metrics_table(**{"methods": CLASS_BASED} | of),),
    "cb_noise": lambda **of: (metrics_table(**{"methods": CLASS_BASED} | of),),
    "cb_clean_samples": lambda **of: (metrics_table(**{"methods": CLASS_BASED} | of),),
    "cb_pairs": lambda **of: (series_table(**of),),
    "cb_training": lambda **of: (series_table(**of),),
    "cb_gaussians": lambda **of: (toy_series(**of),),
    "cb_table3": lambda **of: (metrics_table(actions=ACTIONS, **of),),
    "oga_toys": lambda **of: (toy_series(**of),),
    "oga_table1": lambda **of: (toy_metrics(**of),),
    "oga_table2": lambda **of: (metrics_table(**{"methods": GR} | of),),
    "oga_table4": lambda **of: (metrics_table(**{"methods": GR} | of),),
    "oga_budgets": lambda **of: (metrics_table(**{"methods": GR} | of),),
    "oga_trees": lambda **of: (metrics_table(**{"methods": TREES} | of),),
    "oga_runtime": lambda methods=GR, **of: (costs_table(methods, **of), methods_table(methods)),
    "critical_difference": lambda **of: (metrics_table(**of),),
    "comparisons": lambda **of: (metrics_table(**of),),
    "thresholds": lambda **of: (metrics_table(**of),),
    "class_f1": lambda **of: (metrics_table(**of),),
    "kinds": lambda **of: (metrics_table(**of),),
    "costs": lambda methods=PLAIN, **of: (costs_table(methods, **of), methods_table(methods)),
    "repair_accuracy": lambda **of: (metrics_table(**of),),
    "after_detection": lambda **of: (metrics_table(actions=ACTIONS, **of),),
    "gallery": lambda **of: (top_table(**of), pictures),
}  # fmt: skip
TABLES = [name for name in FULL if registry.load("figure", name).info["form"] == "table"]
FIGURES = [name for name in FULL if name not in TABLES]
OF_METHODS = ("critical_difference", "comparisons", "thresholds", "class_f1", "kinds", "costs", "repair_accuracy",
              "after_detection", "oga_table2", "oga_table4", "oga_budgets")  # fmt: skip
OWN = ("critical_difference", "thresholds", "class_f1", "kinds", "repair_accuracy", "after_detection")


def shown(name, inputs, **parameters):
    """The figure, or the table drawn as one, ready to be looked at; and what its function returned."""
    made = table(name, *inputs, **parameters)
    figure = drawn_table(made, registry.load("figure", name).info["title"]) if name in TABLES else made
    figure.dpi = 200
    figure.draw_without_rendering()
    return figure, made


@pytest.mark.parametrize(
    ("name", "seeds"), [*((n, (0,)) for n in FULL), *((n, (3, 5, 6)) for n in (*FIGURES, "cb_table3", "oga_table4"))]
)
def test_complete(name, seeds):
    inputs = FULL[name](seeds=seeds)
    copies = [of if callable(of) else of.copy(deep=True) for of in inputs]
    figure, made = shown(name, inputs)
    for of, copy in zip(inputs, copies, strict=True):  # inputs are left alone
        assert callable(of) or of.equals(copy)
    check_readable(figure)
    assert "not run" not in words(figure)
    assert "failed" not in words(figure)
    if name in TABLES:
        assert len(made)
        assert made.attrs == {}


@pytest.mark.parametrize("name", FULL)
def test_nothing_run(name):
    """Tables without any row, and with rows of the control alone."""
    inputs = [of if callable(of) else of.iloc[:0] for of in FULL[name]()]
    control = [of if callable(of) else of[of["glitch"] == "none"] if "glitch" in of else of for of in FULL[name]()]
    for given in (inputs, control):
        if name == "gallery" and given is control:
            continue  # what was not broken on purpose is shown as well
        figure, made = shown(name, given)
        check_readable(figure)
        assert "not run" in words(figure)
        if name in TABLES:
            assert made.empty
            assert made.attrs["missing"].startswith("not run")


@pytest.mark.parametrize("name", OF_METHODS)
def test_thirty_methods(name):
    figure, made = shown(name, FULL[name](methods=THIRTY))
    check_readable(figure)
    if name in ("oga_table2", "oga_table4"):
        assert list(made["method"]) == ["No trimming", *THIRTY]
    elif name == "comparisons":
        assert len(made) == 8 * 7 / 2
    elif name not in TABLES:
        assert {t.get_text() for t in figure.axes[0].get_yticklabels()} == set(THIRTY)


@pytest.mark.parametrize("name", [n for n in OF_METHODS if n not in ("critical_difference", "comparisons")])
def test_one_method(name):
    figure, _ = shown(name, FULL[name](methods={"cnci": ("tracin",)}))
    check_readable(figure)
    assert "CNCI" in words(figure)
    assert "tracin" not in words(figure) or name.startswith("oga")


@pytest.mark.parametrize("name", ["critical_difference", "comparisons"])
def test_one_method_is_not_compared(name):
    figure, _ = shown(name, FULL[name](methods={"cnci": ("tracin",)}))
    assert "not run" in words(figure)


@pytest.mark.parametrize("name", [n for n in FIGURES if n not in ("costs", "gallery")])
def test_all_failed(name):
    (rows,) = FULL[name]()
    figure, _ = shown(name, [fail(rows)])
    check_readable(figure)
    assert "failed" in words(figure)


@pytest.mark.parametrize("name", OWN)
def test_failed_cells_are_told(name):
    (rows,) = FULL[name]()
    figure, _ = shown(name, [fail(rows, dataset="digits", seed=1, method="cnci")])
    check_readable(figure)
    assert "cells failed" in words(figure) or "blocks are left out" in words(figure)
    assert "digits/resnet20/cnci seed 1" in words(figure)


# What is drawn


def seed_means(rows, **values):
    """The mean over all else of each seed; what failed does not count."""
    mine = rows[np.logical_and.reduce([rows[column] == value for column, value in values.items()])]
    by_seed = {}
    for seed, value in zip(mine["seed"], mine["value"], strict=True):
        if not np.isnan(value):
            by_seed.setdefault(seed, []).append(value)
    return [np.mean(found) for found in by_seed.values()]


def by_hand(rows, **values):
    """Mean over all else within each seed, then over seeds."""
    return np.mean(seed_means(rows, **values))


def points(axes):
    """Row label -> values of the points in that row, from left to right, of a dot plot."""
    labels = [t.get_text() for t in axes.figure.axes[0].get_yticklabels()]
    found = {label: [] for label in labels}
    for container in axes.containers:
        for x, y in container.lines[0].get_xydata():
            if np.isfinite(x):
                found[labels[round(y)]].append(x)
    return found


def legend_labels(figure):
    return [t.get_text() for t in figure.legends[0].get_texts()]


LOST = {"dataset": "letters", "seed": 1, "method": "cnci"}  # a seed that lost a data set counts as much as others


@pytest.mark.parametrize("seeds", [(0,), (2, 7, 9)], ids=len)
def test_thresholds_have_the_means(seeds):
    rows = fail(metrics_table(seeds=seeds), **(LOST | {"seed": 7}))
    figure, _ = shown("thresholds", [rows])
    assert legend_labels(figure)[0] == "true number"
    marks = ["f1", "f1_gap", "f1_mixture", "f1_mad", "f1_own"]
    for panel, names in zip(figure.axes, (marks, ["flagged_" + name[3:] for name in marks[1:]]), strict=True):
        expected = [by_hand(rows, method="cnci", metric=name, glitch="uniform", ratio=0.1) for name in names]
        assert points(panel)["CNCI"] == pytest.approx(expected)
    order = [by_hand(rows, method=m, metric="f1", glitch="uniform", ratio=0.1) for m in PLAIN]
    labels = {"loss": "loss", "cnci": "CNCI", "cfrank": "CFRank", "cleanlab": "CleanLab", "model_based": "model-based"}
    best_first = [labels[method] for _, method in sorted(zip(order, PLAIN, strict=True), reverse=True)]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == best_first


def test_intervals_contain_the_mean_and_shrink_to_nothing_for_one_seed():
    for seeds in ((0,), (0, 1, 2, 3)):
        figure, _ = shown("repair_accuracy", [metrics_table(seeds=seeds)])
        for container in figure.axes[0].containers:
            (segments,) = (bar.get_segments() for bar in container.lines[2])
            for (low, high), (x, _) in zip(np.array(segments)[:, :, 0], container.lines[0].get_xydata(), strict=True):
                assert low - 1e-9 <= x <= high + 1e-9
                assert (high - low < 1e-9) == (len(seeds) == 1)


def test_kinds_and_repair_have_the_means():
    rows = metrics_table()
    figure, _ = shown("kinds", [rows])
    one = {"method": "cfrank", "metric": "average_precision", "glitch": "mixed"}
    expected = [by_hand(rows, **one, **{"class": kind}) for kind in ("", "mislabeled", "anomalous")]
    assert points(figure.axes[0])["CFRank"] == pytest.approx(expected)
    figure, _ = shown("repair_accuracy", [rows], glitch="mixed", ratio=0.2)
    names = ("repair_accuracy", "repair_accuracy_detected")
    expected = [by_hand(rows, method="cnci", metric=name, glitch="mixed") for name in names]
    assert points(figure.axes[0])["CNCI"] == pytest.approx(expected)


def test_largest_validation_ratio_and_least_noise_count():
    rows = metrics_table()
    worse = rows.assign(validation_ratio=0.1, value=0.0)
    noisy = rows.assign(validation_noise=0.2, value=1.0)
    one, _ = shown("kinds", [rows])
    other, _ = shown("kinds", [pd.concat([worse, noisy, rows])])
    assert points(one.axes[0]) == points(other.axes[0])


def test_estimators_have_rows_of_their_own():
    figure, _ = shown("kinds", [metrics_table(methods={"si": ("tracin", "lissa"), "loss": ("",)})])
    assert set(points(figure.axes[0])) == {"SI · tracin", "SI · lissa", "loss"}


def test_after_detection_compares_the_same_models():
    rows = metrics_table(actions=ACTIONS, methods=PLAIN)
    # retrained on one data set alone, so that the others' accuracy must not be in the lines
    rows = rows[(rows["method"] == "") | (rows["dataset"] == "digits")]
    figure, _ = shown("after_detection", [rows])
    assert [axes.get_title() for axes in figure.axes] == ["trained anew", "training continued"]
    one = {"metric": "test_accuracy", "glitch": "uniform", "ratio": 0.1, "dataset": "digits"}
    mine = [by_hand(rows, **one, method="cnci", action=action, budget=0.1004) for action in ACTIONS]
    assert points(figure.axes[0])["CNCI"] == pytest.approx(mine[:3])
    assert points(figure.axes[1])["CNCI"] == pytest.approx(mine[3:])
    lines = [sorted({line.get_xdata()[0] for line in axes.lines if line.get_linestyle() in (":", "--")})
             for axes in figure.axes]  # fmt: skip
    before, perfect = by_hand(rows, **one, method="", action=""), by_hand(rows, **one, action="perfect")
    assert lines[0] == pytest.approx(sorted([before, perfect]))
    assert lines[1] == pytest.approx([before])


def test_class_f1_has_the_means():
    rows = metrics_table(classes=4)
    figure, _ = shown("class_f1", [rows], dataset="letters")
    (axes,) = figure.axes
    columns, lines = ([t.get_text() for t in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels()))
    assert columns == [f"class {i}" for i in range(4)]
    written = {(lines[t.get_position()[1]], columns[t.get_position()[0]]): t.get_text() for t in axes.texts}
    one = {"method": "cfrank", "metric": "class_f1", "glitch": "uniform", "ratio": 0.1, "dataset": "letters"}
    for name in columns:
        assert written["CFRank", name] == f"{100 * by_hand(rows, **one, **{'class': name}):.0f}"
    assert "letters" in words(figure)


@pytest.mark.parametrize("classes", [2, 10, 26, 100])
def test_class_f1_of_many_classes(classes):
    figure, _ = shown("class_f1", [metrics_table(classes=classes, seeds=(0,), cells=CELLS[:1])])
    check_readable(figure, seen=0.03)  # the colour bar is slim
    assert len(figure.axes) == (2 if classes == 100 else 1)
    assert len(figure.axes[0].texts) == (0 if classes == 100 else len(PLAIN) * classes)


def test_critical_difference_has_the_ranks():
    values = {"a": (0.9, 0.8, 0.7, 0.9), "b": (0.8, 0.9, 0.6, 0.8), "c": (0.1, 0.2, 0.3, 0.1)}
    rows = [
        base("digits", "image", "resnet20", "uniform", 0.1, seed)
        | {"method": m, "metric": "f1", "class": "", "value": v, "validation_ratio": 0.2, "subset": 0}
        for m, of in values.items()
        for seed, v in enumerate(of)
    ]
    figure, _ = shown("critical_difference", [pd.DataFrame(rows)])
    axes, side = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.lines[0].get_xdata() == pytest.approx([1.25, 1.75, 3.0])
    # Nemenyi at .05: q = 2.343 for three methods (Demsar, table 5a), sqrt(3 * 4 / (6 * 4)) = .7071
    assert "CD 1.66" in axes.get_xlabel()
    assert "4 blocks" in axes.get_xlabel()
    spans = [sorted(round(y) for y in line.get_ydata()) for line in side.lines]
    assert spans == [[0, 1], [1, 2]]  # 1.75 is more than 1.66 apart, 1.25 is not


def test_comparisons_are_those_of_wilcoxon():
    from scipy.stats import wilcoxon

    rows = metrics_table(methods={"loss": ("",), "cnci": ("tracin",)}, seeds=range(5))
    made = table("comparisons", rows, rope=0.01)
    one = rows[(rows["metric"] == "f1") & (rows["glitch"] == "uniform") & (rows["ratio"] == 0.1)]
    wide = one.pivot(index=["dataset", "model", "seed"], columns="method", values="value")
    first, second = ("loss", "cnci") if made.loc[0, "method"] == "loss" else ("cnci", "loss")
    assert made.loc[0, "blocks"] == 15
    assert float(made.loc[0, "difference"]) == pytest.approx((wide[first] - wide[second]).mean(), abs=6e-4)
    assert float(made.loc[0, "p"]) == pytest.approx(wilcoxon(wide[first], wide[second]).pvalue, rel=0.05)
    assert sum(float(made.loc[0, name]) for name in made if name.startswith("P(")) == pytest.approx(1, abs=0.02)


def test_costs_count_what_is_read():
    methods = {"loss": ("",), "cnci": ("tracin",), "cleanlab": ("",), "cancellation": ("tracin",)}
    facts = methods_table(methods)
    facts["reads"] = facts["reads"].mask(facts["id"] == "cancellation", "dynamics")
    figure, _ = shown("costs", [costs_table(methods), facts])
    seconds, share, memory = (points(axes) for axes in figure.axes)
    expected = {"loss": 1, "CNCI": 11, "CleanLab": 1001, "cancellation": 111}
    assert {name: of[0] for name, of in points(figure.axes[0]).items()} == pytest.approx(expected)
    assert list(expected) != list(seconds)
    assert [of[0] for of in seconds.values()] == sorted(expected.values())
    labels = list(seconds)
    assert [of[0] for of in share.values()] == pytest.approx([expected[name] for name in labels])  # training: 100 s
    assert {of[0] for name, of in memory.items() if name != "CleanLab"} == {300}
    assert memory["CleanLab"] == [900]


def curves(axes):
    """Colour -> y by x."""
    return {
        line.get_color(): dict(line.get_xydata().round(6).tolist()) for line in axes.lines if line.get_marker() == "o"
    }


def test_precision_and_noise_have_the_means():
    rows = fail(metrics_table(methods=CLASS_BASED), dataset="letters", seed=1, method="plain", estimator="grad_dot")
    for name in ("cb_precision", "cb_noise"):
        figure, _ = shown(name, [rows])
        assert legend_labels(figure) == ["plain", "class-based"]
        assert [axes.get_title() for axes in figure.axes] == [label_of(name) for name in ESTIMATORS]
        colours = [handle.get_color() for handle in figure.legends[0].legend_handles]
        for axes, estimator in zip(figure.axes, ESTIMATORS, strict=True):
            for method, colour in zip(("plain", "class_based"), colours, strict=True):
                one = {"method": method, "estimator": estimator, "glitch": "uniform"}
                if name == "cb_precision":
                    expected = {q: by_hand(rows, **one, metric=f"precision_at_{q}", ratio=0.2) for q in (5, 10, 15, 20)}
                else:
                    expected = {100 * p: by_hand(rows, **one, metric="f1", ratio=p) for p in (0.05, 0.1, 0.2)}
                assert curves(axes)[colour] == pytest.approx(expected, abs=1e-6)
        assert "failed" in words(figure)


def test_clean_samples_are_read_from_the_variant():
    rows = metrics_table(methods=CLASS_BASED)
    figure, _ = shown("cb_clean_samples", [rows])
    colours = [handle.get_color() for handle in figure.legends[0].legend_handles]
    assert legend_labels(figure) == ["plain", "class-based"]
    one = {"estimator": "grad_dot", "glitch": "uniform", "ratio": 0.2, "metric": "f1"}
    expected = {10: by_hand(rows, **one, method="class_based_10"), 50: by_hand(rows, **one, method="class_based")}
    drawn_curves = curves(figure.axes[1])
    assert drawn_curves[colours[1]] == pytest.approx(expected, abs=1e-6)
    assert drawn_curves[colours[0]] == pytest.approx({50: by_hand(rows, **one, method="plain")}, abs=1e-6)


def test_pairs_of_cells_of_different_scale_are_averaged():
    rows = series_table()
    figure, _ = shown("cb_pairs", [rows])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0].startswith("digits\npositive: 70 % same, 50 % cross")
    same, cross = (dict(line.get_xydata().round(6).tolist()) for line in figure.axes[0].lines[:2])
    for curve, centre in ((same, 0.2), (cross, 0)):
        assert len(curve) == 61
        assert max(curve, key=curve.get) == pytest.approx(centre, abs=0.02)
        assert sum(curve.values()) == pytest.approx(1, abs=1e-4)


def test_training_curves_of_one_method():
    rows = series_table()
    figure, _ = shown("cb_training", [rows], methods=["never_run", "cnci", "model_based"])
    assert legend_labels(figure) == ["noisy", "removed, CNCI", "annotated, CNCI", "all repaired"]
    one = {"series": "test_accuracy", "dataset": "letters"}
    lines = [dict(line.get_xydata().tolist()) for line in figure.axes[1].lines]
    told = [("", ""), ("cnci", "remove"), ("cnci", "annotate"), ("", "perfect")]
    for line, (method, action) in zip(lines, told, strict=True):
        expected = {x: by_hand(rows, **one, method=method, action=action, x=x) for x in (1, 2, 4)}
        assert line == pytest.approx(expected)
    figure, _ = shown("cb_training", [rows], training="continue")
    assert legend_labels(figure) == ["noisy", "annotated, model-based"]


def test_gaussians_show_true_and_given_classes():
    from matplotlib.colors import to_hex

    from glitchmark.figures._panels import CLASSES

    rows = toy_series()
    figure, _ = shown("cb_gaussians", [rows])
    assert len(figure.axes) == 3
    one = rows[(rows["dataset"] == "three_gaussians") & (rows["seed"] == 0)]
    for panel, (i, j) in zip(figure.axes, ((1, 2), (3, 4), (5, 6)), strict=True):
        found = {}
        for collection in panel.collections:
            faces, edges = collection.get_facecolors(), collection.get_edgecolors()
            for place, face, edge in zip(np.asarray(collection.get_offsets()), faces, edges, strict=True):
                found[tuple(place)] = (to_hex(face), to_hex(edge))
        assert len(found) == 60
        for x, of in one.groupby("x"):
            value = of.set_index("series")["value"]
            true, given = map(int, of["class"].iloc[0].split("-"))
            place = min(found, key=lambda p: abs(p[0] - value[f"gradient_{i}"]) + abs(p[1] - value[f"gradient_{j}"]))
            assert found[place] == (CLASSES[true].lower(), CLASSES[given].lower()), x


def test_toys_mark_the_mislabeled():
    figure, _ = shown("oga_toys", [toy_series()])
    assert [axes.get_title() for axes in figure.axes[:4]] == [
        f"blobs: {panel}" for panel in ("training set", "test set", "influence", "gradients")
    ]
    for axes, clean, wrong in ((figure.axes[0], 54, 6), (figure.axes[6], 54, 6), (figure.axes[7], 54, 6)):
        assert [len(c.get_offsets()) for c in axes.collections] == [clean, wrong]
    assert len(figure.axes[5].collections[0].get_offsets()) == 60


# Tables


def cell_of(rows, sd=True, **values):
    """Mean ± sample standard deviation over seeds in per cent, by hand."""
    means = seed_means(rows, **values)
    return f"{100 * np.mean(means):.1f}" + (f" ± {100 * np.std(means, ddof=1):.1f}" if sd else "")


def test_table3_has_the_means():
    rows = metrics_table(actions=ACTIONS)
    rows = fail(rows, dataset="wine", method="cnci", action="remove")
    rows = fail(rows, dataset="digits", method="cnci", action="annotate", seed=1)
    made = table("cb_table3", rows, methods=["cnci"]).set_index(["data set", "noise"])
    assert list(made.columns) == ["method", "original", "removed", "fixed", "relabelled", "perfect"]
    one = {"metric": "test_accuracy", "dataset": "letters", "glitch": "uniform", "ratio": 0.2}
    assert made.loc[("letters", "uniform 0.2")].tolist() == [
        "CNCI",
        cell_of(rows, **one, method="", action=""),
        *(cell_of(rows, **one, method="cnci", action=a, budget=0.1004) for a in ("remove", "annotate", "relabel")),
        cell_of(rows, **one, method="", action="perfect"),
    ]
    assert made.loc[("wine", "uniform 0.2"), "removed"] == "failed"
    assert made.loc[("digits", "uniform 0.2"), "fixed"].endswith("(1 of 3 failed)")


def test_half_moons_beside_the_paper():
    rows = toy_metrics()
    made = table("oga_table1", rows).set_index("method")
    assert list(made.index) == ["Multilayer perceptron", "Exact Hessian", "Gradient tracing",
                                "Outlier gradients (iForest)", "my_own"]  # fmt: skip
    mine = {"method": "gradient_iforest"}
    assert made.loc["Outlier gradients (iForest)"].tolist() == [
        cell_of(rows, **mine, metric="detection_accuracy"), "96.0", cell_of(rows, **mine, metric="trimmed_accuracy"),
        "96.0",
    ]  # fmt: skip
    before = cell_of(rows, metric="test_accuracy", method="")
    assert made.loc["Multilayer perceptron"].tolist() == ["–", "–", before, "90.0"]
    assert made.loc["my_own", "detection (paper)"] == "–"


@pytest.mark.parametrize("name", ["oga_table2", "oga_table4"])
def test_trimming_has_the_means(name):
    rows = metrics_table(methods=GR)
    made = table(name, rows).set_index("method")
    assert list(made.index[:3]) == ["No trimming", "Normalised margin", "Self-confidence"]
    assert list(made.columns[:2]) == ["images, uniform 0.05", "images, uniform 0.1"]
    one = {"metric": "test_accuracy", "modality": "image", "glitch": "uniform", "ratio": 0.1, "sd": name[-1] == "4"}
    column = made["images, uniform 0.1"]
    assert column["No trimming"] == cell_of(rows, **one, method="", action="")
    trimmed = {"action": "remove", "budget": 0.0504}
    assert column["Self-LiSSA"] == cell_of(rows, **one, method="si", estimator="lissa", **trimmed)
    assert column["Outlier gradients (L1)"] == cell_of(rows, **one, method="gradient_l1", **trimmed)
    assert list(table(name, rows, methods=["si"])["method"]) == ["No trimming", "Self-LiSSA", "Self-DataInf"]


def test_budgets_are_columns():
    rows = metrics_table(methods=GR)
    made = table("oga_budgets", rows)
    assert list(made.columns) == ["noise", "method", "2.5 %", "5 %", "10 %"]
    made = made.set_index(["noise", "method"])
    one = {"metric": "test_accuracy", "glitch": "uniform", "ratio": 0.2}
    assert made.loc[("uniform 0.2", "No trimming")].tolist() == [cell_of(rows, **one, method="", action="")] * 3
    assert made.loc[("uniform 0.2", "Outlier gradients (L2)")].tolist() == [
        cell_of(rows, **one, method="gradient_l2", action="remove", budget=budget + 0.0004) for budget in BUDGETS
    ]
    assert "not run" in table("oga_budgets", rows, budgets=[0.05]).attrs["missing"]


def test_trees_are_read_from_the_variant():
    rows = metrics_table(methods=TREES)
    made = table("oga_trees", rows).set_index("trees")
    assert list(made.index) == [25, 50, 100, 200]
    one = {"glitch": "uniform", "method": "gradient_iforest_50"}
    assert made.loc[50, "test accuracy"] == cell_of(rows, **one, metric="test_accuracy", budget=0.0504)
    assert made.loc[100, "F1"] == cell_of(rows, glitch="uniform", method="gradient_iforest", metric="f1")


def test_runtime_includes_influence():
    made = table("oga_runtime", costs_table(GR), methods_table(GR)).set_index("method")
    assert made.loc["LiSSA"].tolist() == ["11", "11", "11", "11 %"]
    assert made.loc["Outlier gradients (iForest)", "digits"] == "1"
    assert made.loc["Self-confidence", "wine"] == "1000"
    assert list(made.columns) == ["digits", "letters", "wine", "share of training"]


# The gallery


def test_gallery_shows_what_is_most_suspicious():
    figure, _ = shown("gallery", [top_table(names=("cat", "dog")), pictures], samples=3)
    check_readable(figure)
    (axes,) = figure.axes
    assert "digits, mixed 0.2, seed 0" in words(figure)
    assert [int(image.get_array().flat[0]) for image in axes.images] == [1, 2, 3] * 3
    told = [t.get_text() for t in axes.texts]
    assert told[:9] == ["CNCI", "cat", "→ dog", "is dog", "cat", "→ dog", "anomalous", "cat", "→ dog"]
    assert told.count("→ dog") == 3  # CNCI alone suggests labels
    assert legend_labels(figure) == ["clean", "mislabeled", "anomalous"]


def test_gallery_of_a_table_lists_names():
    figure, _ = shown("gallery", [top_table(), pictures], dataset="wine", methods=["cleanlab", "cnci"], samples=4)
    check_readable(figure)
    (axes,) = figure.axes
    assert not axes.images
    assert axes.texts[0].get_text() == "CleanLab"
    assert {"1", "2", "3", "4"} < {t.get_text() for t in axes.texts}


def test_gallery_of_data_that_nobody_broke():
    figure, _ = shown("gallery", [top_table(glitches=("none",)), pictures])
    check_readable(figure)
    assert not {t.get_text() for t in figure.axes[0].texts} & {"is 0", "is 1", "anomalous"}


def test_gallery_with_long_names():
    names = ("a_class_with_a_very_long_name", "another_class_with_a_long_name")
    check_readable(shown("gallery", [top_table(names=names), pictures])[0])
