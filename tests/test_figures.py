"""Every shipped figure, drawn from hand-made tables."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from glitchmark import registry
from glitchmark.figures import figure
from glitchmark.figures._style import COLOURS, KINDS, LABELS, SPARE, interval, palette_of

OF_METRICS = ("fig1a", "fig4a", "fig5a", "fig5b", "overview")
OF_SERIES = ("influence_by_epoch", "cancellation", "loo_correlation")
# columns of a cell, and of the tables, as docs/tables.md describes them
CELL = (
    "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_noise", "seed", "method", "variant",
)  # fmt: skip
METRIC_COLUMNS = (
    "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_ratio", "subset", "validation_noise",
    "action", "budget", "seed", "method", "variant", "class", "metric", "value", "status",
)  # fmt: skip
DETECTION = ("f1", "precision", "recall", "average_precision", "auroc")
PAPERS = ("si", "mi", "neg_mi", "aai", "gd_class", "cnci", "pcid", "cfrank", "loss", "cleanlab")
METHODS = [*registry.names("signal"), *registry.names("detector")]
GLITCHES = {"uniform": 0.1, "far_ca": 0.1, "mixed": 0.2}
# what the figures of the paper show: glitch, metric, and the column that tells the bars of a group apart
SHOWN = {
    "fig1a": ("uniform", "f1", "method"),
    "fig4a": ("far_ca", "f1", "method"),
    "fig5a": ("mixed", "f1", "method"),
    "fig5b": ("mixed", "characterisation_accuracy", "class"),
}
DATASETS = ("digits", "letters")
SEEDS = (0, 1, 2)

pytestmark = pytest.mark.filterwarnings("error::UserWarning")


def metrics_table(datasets=DATASETS, models=("resnet20",), seeds=SEEDS, methods=PAPERS, validation_ratios=(0.2,)):
    """Rows as evaluation.tables writes them, with random values; a table's data set comes along."""
    rng = np.random.default_rng(len(datasets) * 100 + len(seeds))
    rows = []
    cells = [(d, "image", m) for d in datasets for m in models] + [("wine", "table", "mlp")]
    for (dataset, modality, model), (glitch, ratio), seed in itertools.product(cells, GLITCHES.items(), seeds):
        base = dict.fromkeys(METRIC_COLUMNS, "") | {
            "dataset": dataset, "modality": modality, "model": model, "glitch": glitch, "ratio": ratio, "seed": seed,
            "subset": 0, "validation_noise": 0.0, "budget": 0.0, "status": "ok", "validation_ratio": 0.2,
        }  # fmt: skip
        rows.append(base | {"metric": "validation_accuracy", "value": rng.uniform(0.8, 1)})
        for method, validation_ratio in itertools.product(methods, validation_ratios):
            mine = base | {"method": method, "validation_ratio": validation_ratio}
            rows += [mine | {"metric": name, "value": rng.uniform(0.1, 0.95)} for name in DETECTION]
            if glitch == "mixed":
                rows += [
                    mine | {"metric": "characterisation_accuracy", "class": kind, "value": rng.uniform(0.1, 0.95)}
                    for kind in ("", "mislabeled", "anomalous")
                ]
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def drawn(name, table, **parameters):
    return registry.load("figure", name).function(table, **parameters)


def fail(table, **values):
    """The table after some cells failed, as evaluation.tables writes it."""
    failed = np.logical_and.reduce([table[column] == value for column, value in values.items()])
    table = table.copy()
    table.loc[failed, "value"] = np.nan
    table.loc[failed, "status"] = "failed: it diverged"
    return table[~(failed & (table["metric"] == "characterisation_accuracy"))]


def texts(figure):
    """What is drawn; ticks outside the limits are not."""
    unseen = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if not (axis.axes.axison and low <= tick.get_loc() <= high)]
        unseen |= {label for tick in ticks for label in (tick.label1, tick.label2)}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in unseen]


def words(figure):
    return " ".join(" ".join(t.get_text() for t in texts(figure)).split())


def check_readable(figure, height=1):
    """No text is cut off, lies on other text or on the axes of the bars; the bars have room. height: inches."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    page = figure.bbox
    boxes = {text: text.get_window_extent(renderer) for text in texts(figure)}
    for text, box in boxes.items():
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1
        assert inside, f"'{text.get_text()}' is cut off"
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        turned = np.deg2rad(one.get_rotation())
        if one.get_rotation() % 90 and one.get_rotation() == other.get_rotation():
            # names that stand aslant beside one another: their boxes overlap, but they need not
            (x0, y0), (x1, y1) = (t.get_transform().transform(t.get_position()) for t in (one, other))
            apart = abs((y1 - y0) * np.cos(turned) - (x1 - x0) * np.sin(turned)) > one.get_fontsize() * figure.dpi / 72
        else:
            apart = not a.padded(-1).overlaps(b.padded(-1))
        assert apart, f"'{one.get_text()}' lies on '{other.get_text()}'"
    for axes in figure.axes:
        if not axes.axison:
            continue
        area = axes.get_window_extent(renderer)
        assert area.height / figure.dpi > height, "the bars are squeezed"
        assert area.width / figure.dpi > (2 if len(figure.axes) == 1 else 1), "the bars are squeezed"
        for legend in figure.legends:
            box = legend.get_window_extent(renderer)
            assert not box.overlaps(area)
            assert box.x0 >= -1
            assert box.x1 <= page.x1 + 1
            assert box.y1 <= page.y1 + 1


def bars(figure):
    """Legend label -> heights by model's tick label."""
    if not figure.legends:
        return {}
    (axes,) = figure.axes
    ticks = [t.get_text() for t in axes.get_xticklabels()]
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    found = {}
    for label, container in zip(labels, axes.containers, strict=True):
        places = {ticks[round(p.get_x() + p.get_width() / 2)]: p.get_height() for p in container}
        found[label] = {tick: height for tick, height in places.items() if np.isfinite(height)}
    return found


def colours(figure):
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    return dict(zip(labels, (to_hex(h.get_facecolor()) for h in figure.legends[0].legend_handles), strict=True))


def by_hand(name, table, model):
    """Mean over data sets, then over seeds; values that are missing do not count."""
    glitch, metric, column = SHOWN[name]
    heights = {}
    for row in table.to_dict("records"):
        if (row["glitch"], row["metric"], row["modality"], row["model"]) != (glitch, metric, "image", model):
            continue
        if column == "class" and (row["class"] == "" or row["method"] != "cfrank"):
            continue
        if row["validation_ratio"] == 0.2 and not np.isnan(row["value"]):
            heights.setdefault(row[column], {}).setdefault(row["seed"], []).append(row["value"])
    return {group: np.mean([np.mean(v) for v in by_seed.values()]) for group, by_seed in heights.items()}


def check_heights(name, figure, table, models):
    for model, tick in models.items():
        heights = sorted(by_model[tick] for by_model in bars(figure).values() if tick in by_model)
        values = by_hand(name, table, model)
        if SHOWN[name][2] == "method":
            methods = registry.load("figure", name).parameters["methods"]
            values = {method: value for method, value in values.items() if method in methods}
        assert heights == pytest.approx(sorted(values.values()))


@pytest.mark.parametrize("name", OF_METRICS)
def test_complete(name):
    figure = drawn(name, metrics_table())
    check_readable(figure)
    assert "not run" not in words(figure)
    assert "failed" not in words(figure)


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("seeds", [(0,), (3, 5), tuple(range(5))], ids=len)
@pytest.mark.parametrize("datasets", [("digits",), ("digits", "letters", "mnist")], ids=len)
def test_heights(name, seeds, datasets):
    table = metrics_table(datasets, ("resnet20", "other"), seeds)
    figure = drawn(name, table)
    check_heights(name, figure, table, {"resnet20": "ResNet-20", "other": "other"})


@pytest.mark.parametrize("name", SHOWN)
def test_bars_have_their_own_heights(name):
    table = metrics_table()
    glitch, metric, column = SHOWN[name]
    values = table.loc[(table["glitch"] == glitch) & (table["metric"] == metric), column].unique()
    heights = {value: (i + 1) / 20 for i, value in enumerate(values)}
    table["value"] = table[column].map(heights).where(table["metric"] == metric, 0.99)
    shown = bars(drawn(name, table))
    assert len(shown) > 1
    by_label = {LABELS.get(value, value): height for value, height in heights.items()}
    for label, by_model in shown.items():
        assert by_model == pytest.approx({"ResNet-20": by_label[label]})


@pytest.mark.parametrize("name", SHOWN)
def test_every_seed_counts_once(name):
    """A seed that lost a data set weighs as much as the others."""
    table = metrics_table()
    fair = fail(table, dataset="letters", seed=1)
    check_heights(name, drawn(name, fair), fair, {"resnet20": "ResNet-20"})


@pytest.mark.parametrize("name", OF_METRICS)
@pytest.mark.parametrize("rows", [slice(0), "tables", "noise"])
def test_not_run(name, rows):
    table = metrics_table()
    if rows == "tables":
        table = table[table["modality"] == "table"]
    elif rows == "noise":
        table = table[table["metric"] == "validation_accuracy"]
    else:
        table = table[rows]
    figure = drawn(name, table)
    assert ("not run" in words(figure)) == (name != "overview" or rows != "tables")  # it shows tables as well
    check_readable(figure)


@pytest.mark.parametrize("name", SHOWN)
def test_says_which_glitch_was_not_run(name):
    glitch = SHOWN[name][0]
    figure = drawn(name, metrics_table()[lambda t: t["glitch"] != glitch])
    named = {"uniform": "uniform", "far_ca": "far clustered anomalies", "mixed": "mixed"}[glitch]
    assert "not run" in words(figure)
    assert named in words(figure)


@pytest.mark.parametrize("name", SHOWN)
def test_one_method(name):
    method = "cfrank" if name == "fig5b" else "cnci"
    table = metrics_table(methods=[method])
    figure = drawn(name, table)
    if method not in str(registry.load("figure", name).parameters):  # fig4a does not show CNCI
        assert "not run" in words(figure)
        figure = drawn(name, table, methods=[method])
    check_readable(figure)
    values = by_hand(name, table, "resnet20")
    assert bars(figure) == {LABELS.get(k, k): {"ResNet-20": pytest.approx(value)} for k, value in values.items()}


@pytest.mark.parametrize("name", [n for n in SHOWN if n != "fig5b"])
def test_method_missing_for_one_model(name):
    table = metrics_table(models=("resnet20", "other"))
    table = table[~((table["model"] == "other") & (table["method"] == "pcid"))]
    figure = drawn(name, table, methods=["cnci", "pcid"])
    check_readable(figure)
    shown = bars(figure)
    assert set(shown["CNCI"]) == {"ResNet-20", "other"}
    assert set(shown["PCID"]) == {"ResNet-20"}


@pytest.mark.parametrize("name", SHOWN)
def test_failed_cells_are_noted(name):
    table = fail(metrics_table(), dataset="letters", seed=1, method="cfrank")
    table = fail(table, dataset="digits", seed=2, method="cnci")
    parameters = {} if name == "fig5b" else {"methods": ["cnci", "cfrank"]}
    figure = drawn(name, table, **parameters)
    check_readable(figure)
    expected = "1 of 6" if name == "fig5b" else "2 of 12"
    assert f"{expected} cells failed" in words(figure)
    assert "letters" in words(figure)
    values = by_hand(name, table, "resnet20")
    heights = [by_model["ResNet-20"] for by_model in bars(figure).values()]
    if name != "fig5b":
        values = {method: values[method] for method in ("cnci", "cfrank")}
    assert sorted(heights) == pytest.approx(sorted(values.values()))


@pytest.mark.parametrize("name", SHOWN)
def test_many_failures_with_long_names(name):
    datasets = ("fashion_mnist_of_my_own", "another_data_set_of_images")
    table = metrics_table(datasets, ("convnext_tiny_pretrained",))
    for method, seed in itertools.product(("si", "cnci", "pcid", "cfrank"), (0, 1)):
        table = fail(table, method=method, seed=seed)
    figure = drawn(name, table)
    check_readable(figure)
    assert "cells failed" in words(figure)


@pytest.mark.parametrize("name", OF_METRICS)
def test_all_cells_failed(name):
    table = fail(metrics_table(), modality="image")
    figure = drawn(name, table)
    check_readable(figure)
    assert "failed" in words(figure)


def listed(figure):
    """Title of a panel -> heights by the name at the left, where each bar has a line."""
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    found = {}
    for axes in figure.axes:
        lengths = {names[round(p.get_y() + p.get_height() / 2)]: p.get_width() for p in axes.patches}
        found[axes.get_title()] = {name: lengths[name] for name in names if np.isfinite(lengths.get(name, np.nan))}
    return found


@pytest.mark.parametrize(
    "models", [("resnet20",), ("resnet20", "vit_cifar", "convnext_cifar"), tuple("abcde")], ids=len
)
def test_thirty_methods(models):
    """Each has a line with its name, in the order that is asked for."""
    methods = [f"method_of_mine_{i:02d}" for i in range(30)]
    table = metrics_table(methods=methods, models=models)
    table.loc[table["method"] == "method_of_mine_07", "model"] = models[0]
    figure = drawn("fig1a", table, methods=methods)
    check_readable(figure)
    shown = listed(figure)
    assert list(shown) == [LABELS.get(model, model) for model in models]
    for model, lengths in zip(models, shown.values(), strict=True):
        assert lengths == {m: pytest.approx(v) for m, v in by_hand("fig1a", table, model).items()}
        assert list(lengths) == [m for m in methods if model == models[0] or m != "method_of_mine_07"]
    assert ("×" in words(figure)) == (len(models) > 1)


@pytest.mark.parametrize("name", SHOWN)
def test_models_of_the_paper(name):
    models = ("resnet20", "vit_b16", "convnext_tiny")
    figure = drawn(name, metrics_table(models=models))
    check_readable(figure)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["ResNet-20", "vit_b16", "convnext_tiny"]


@pytest.mark.parametrize("name", OF_METRICS)
def test_signals_below_the_whole_validation_part(name):
    """With validation .2 and validation_ratios [.1], only training and detectors have rows at .2."""
    table = metrics_table(validation_ratios=(0.1,))
    assert "not run" not in words(drawn(name, table))


@pytest.mark.parametrize("name", SHOWN)
def test_largest_validation_ratio_is_shown(name):
    table = metrics_table(validation_ratios=(0.05, 0.2, 0.1))
    check_heights(name, drawn(name, table), table, {"resnet20": "ResNet-20"})


def test_method_keeps_its_colour():
    table, seen = metrics_table(), {}
    for name in ("fig1a", "fig4a", "fig5a"):
        for label, colour in colours(drawn(name, table)).items():
            assert seen.setdefault(label, colour) == colour
    assert len(set(seen.values())) == len(seen)


def test_all_shipped_methods_fit():
    check_readable(drawn("fig1a", metrics_table(methods=METHODS), methods=METHODS))


def test_own_method_keeps_its_colour():
    table = metrics_table(methods=["ant", "bee", "cat", "si"])
    both, one = drawn("fig1a", table, methods=["ant", "bee", "si"]), drawn("fig4a", table, methods=["bee", "cat"])
    assert colours(both)["bee"] == colours(one)["bee"]


def test_methods_have_colours_of_their_own_while_there_are_some():
    methods = [*COLOURS, *(name for name in METHODS if name not in COLOURS)][: len(COLOURS) + len(SPARE)]
    assert len(set(palette_of(methods).values())) == len(methods)


def test_colours_are_those_of_the_palette():
    figure = drawn("fig1a", metrics_table())
    own = {LABELS.get(method, method): colour.lower() for method, colour in COLOURS.items()}
    for label, colour in colours(figure).items():
        assert colour == own[label]
    for container, colour in zip(figure.axes[0].containers, colours(figure).values(), strict=True):
        assert {to_hex(bar.get_facecolor()) for bar in container} == {colour}


@pytest.mark.parametrize("name", OF_METRICS)
def test_same_bytes(name, tmp_path):
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        registry.load("figure", name).function(metrics_table()).savefig(path, metadata={"Software": None})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_input_is_left_alone():
    table = fail(metrics_table(), seed=1)
    copy = table.copy(deep=True)
    for name in OF_METRICS:
        drawn(name, table)
    pd.testing.assert_frame_equal(table, copy)


@pytest.mark.parametrize("seed", range(3))
def test_interval_is_the_bootstrap_one(seed):
    from scipy.stats import bootstrap

    values = np.random.default_rng(seed).normal(5, 1, 6)
    rng = np.random.default_rng(1)
    reference = bootstrap((values,), np.mean, method="percentile", n_resamples=20000, rng=rng).confidence_interval
    np.testing.assert_allclose(interval(values), reference, atol=0.1)
    assert interval(values) == interval(values)


def test_bars_show_the_interval_over_seeds():
    table = metrics_table(("digits",), seeds=range(5), methods=["si"])
    (axes,) = drawn("fig1a", table).axes
    rows = table[(table["glitch"] == "uniform") & (table["metric"] == "f1") & (table["modality"] == "image")]
    ends = [line.get_ydata() for line in axes.get_lines() if len(line.get_ydata())]
    low, high = interval(rows["value"])
    assert np.nanmin(ends[0]) == pytest.approx(low)
    assert np.nanmax(ends[0]) == pytest.approx(high)


# Every method on every glitch


def overview_cells(figure):
    """Row label -> column label -> the number that is written there; rows in order."""
    (axes,) = figure.axes
    columns, lines = ([t.get_text() for t in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels()))
    found = {line: {} for line in lines}
    for text in axes.texts:
        x, y = text.get_position()
        found[lines[int(y)]][columns[int(x)]] = float(text.get_text())
    return found


def test_overview_has_the_means():
    methods = ["si", "cfrank", "iforest", "my_own"]
    table = fail(metrics_table(methods=methods, validation_ratios=(0.05, 0.2, 0.1)), dataset="letters", method="si")
    figure = drawn("overview", table)
    check_readable(figure, height=0.5)
    shown = overview_cells(figure)
    rows = table[(table["metric"] == "f1") & (table["validation_ratio"] == 0.2)]
    for method, glitch in itertools.product(methods, GLITCHES):
        mine = rows[(rows["method"] == method) & (rows["glitch"] == glitch)]["value"]
        cell = shown[LABELS.get(method, method)][f"{glitch} {GLITCHES[glitch]:g}"]
        assert cell == pytest.approx(np.nanmean(mine), abs=0.0051)
    means = [np.mean(list(cells.values())) for cells in shown.values()]
    assert means == sorted(means, reverse=True)
    assert "cells failed" in words(figure)


def test_overview_of_thirty_methods_and_ten_glitches():
    methods = [f"a_method_with_a_long_name_{i:02d}" for i in range(30)]
    table = metrics_table(("digits",), seeds=(0,), methods=methods)
    more = [table[table["glitch"] == "uniform"].assign(ratio=i / 100, glitch="a_glitch_of_mine") for i in range(1, 8)]
    figure = drawn("overview", pd.concat([table, *more]))
    check_readable(figure)
    shown = overview_cells(figure)
    assert len(shown) == 30
    assert {len(cells) for cells in shown.values()} == {10}


def test_overview_leaves_out_what_is_no_method_on_real_data():
    table = metrics_table(methods=["si", "loss"])
    toy = table.assign(modality="toy", dataset="half_moons", value=0.0)
    repaired = table.assign(action="remove", value=0.0)
    of_a_class = table.assign(value=0.0, **{"class": "anomalous"})
    model = table.assign(method="", value=0.0)
    shown = overview_cells(drawn("overview", pd.concat([table, toy, repaired, of_a_class, model])))
    assert shown == overview_cells(drawn("overview", table))


def test_overview_has_rows_of_every_estimator():
    table = metrics_table(methods=["si", "loss"])
    table.loc[table["method"] == "si", "estimator"] = "tracin"
    other = table[table["method"] == "si"].assign(estimator="train_dot", validation_ratio=0.0)
    other["value"] = 0.05
    shown = overview_cells(drawn("overview", pd.concat([table, other])))
    assert set(shown) == {"SI · tracin", "SI · train_dot", "loss"}
    assert set(shown["SI · train_dot"].values()) == {0.05}


# Figures of series.parquet

EPOCHS = (1, 2, 4)
ESTIMATORS = ("tracin", "grad_dot", "influence_function")
EVERY_ESTIMATOR = registry.names("estimator")


def series_table(datasets=DATASETS, estimators=("tracin",), glitches=("uniform", "mixed", "none"), seeds=SEEDS):
    """Rows as evaluation.tables writes them, with random values; a table's data set comes along."""
    rng = np.random.default_rng(len(datasets) * 10 + len(estimators))
    cells = [(d, "image", "resnet20") for d in datasets] + [("wine", "table", "mlp")]
    rows = []
    for (dataset, modality, model), glitch, seed in itertools.product(cells, glitches, seeds):
        base = dict.fromkeys(CELL, "") | {
            "dataset": dataset, "modality": modality, "model": model, "glitch": glitch, "ratio": 0.1, "seed": seed,
            "status": "ok", "validation_noise": 0.0, "action": "", "budget": 0.0,
        }  # fmt: skip

        def add(series, x, value, base=base, **more):
            rows.append(base | {"class": "", "series": series, "x": float(x), "value": value} | more)

        for epoch in EPOCHS:
            add("training_loss", epoch, rng.uniform())
        kinds = ["clean"] if glitch == "none" else list(KINDS) if glitch == "mixed" else ["clean", "mislabeled"]
        for estimator in estimators:
            for kind, signal in itertools.product(kinds, ("si", "mi", "aai", "gd_class")):
                own = {"class": kind, "estimator": estimator}
                add(f"{signal}_cancellation", 0, rng.uniform(), **own)
                for epoch in EPOCHS if signal != "gd_class" else ():
                    add(f"{signal}_by_epoch", epoch, 50 * rng.normal(), **own)
            for j in range(7):
                add("agreement", j, rng.uniform(-1, 1), estimator=estimator)
    return pd.DataFrame(rows, columns=[*CELL, "action", "budget", "class", "series", "x", "value", "status"])


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def legend_colours(figure):
    (legend,) = figure.legends
    handles = [to_hex(handle.get_color()) for handle in legend.legend_handles]
    return dict(zip([t.get_text() for t in legend.get_texts()], handles, strict=True))


def curves(axes):
    """Colour -> (x, y) of every line with points."""
    found = {}
    for line in axes.get_lines():
        if len(line.get_xdata()):
            assert to_hex(line.get_color()) not in found
            found[to_hex(line.get_color())] = np.array(line.get_xydata())
    return found


@pytest.mark.parametrize("name", OF_SERIES)
@pytest.mark.parametrize("estimators", [("tracin",), ESTIMATORS], ids=len)
@pytest.mark.parametrize("datasets", [("digits",), DATASETS], ids=len)
def test_complete_series(name, datasets, estimators):
    figure = drawn(name, series_table(datasets, estimators))
    check_readable(figure)
    assert "not run" not in words(figure)


@pytest.mark.parametrize("name", OF_SERIES)
@pytest.mark.parametrize("case", ["empty", "training curves only", "another glitch", "control"])
def test_series_not_run(name, case):
    table = series_table()
    if case == "empty":
        table = table[:0]
    elif case == "training curves only":
        table = table[table["series"] == "training_loss"]
    else:
        table = table[table["glitch"] == "none"]
    parameters = {"glitch": "others"} if case == "another glitch" else {}
    figure = drawn(name, table, **parameters)
    check_readable(figure)
    assert "not run" in words(figure)
    if parameters:
        assert "'others'" in words(figure)


@pytest.mark.parametrize("name", ["influence_by_epoch", "cancellation"])
def test_series_of_tables_are_not_those_of_images(name):
    table = series_table()
    tables = table[table["modality"] == "table"]
    assert "not run" in words(drawn(name, tables))
    check_readable(drawn(name, tables, modality="table"))
    assert "not run" not in words(drawn(name, tables, modality="table"))


def relative_by_hand(table, signal, kind, glitch="mixed", modality="image", estimator="tracin"):
    """(epoch, mean over data sets, then over seeds, of the value as a share of the cell's largest absolute value)."""
    cells = {}
    for row in table.to_dict("records"):
        wanted = (f"{signal}_by_epoch", glitch, modality, estimator)
        if (row["series"], row["glitch"], row["modality"], row["estimator"]) == wanted:
            cells.setdefault((row["dataset"], row["seed"]), []).append(row)
    by_epoch = {}
    for rows in cells.values():
        largest = max(abs(row["value"]) for row in rows)
        for row in rows:
            if row["class"] == kind:
                of_epoch = by_epoch.setdefault(row["x"], {})
                of_epoch.setdefault(row["seed"], []).append(row["value"] / largest)
    return np.array([(x, np.mean([np.mean(v) for v in seeds.values()])) for x, seeds in sorted(by_epoch.items())])


@pytest.mark.parametrize("estimators", [("tracin",), ESTIMATORS], ids=len)
def test_influence_by_epoch_draws_the_table(estimators):
    table = series_table(estimators=estimators)
    figure = drawn("influence_by_epoch", table)
    assert titles(figure) == ["SI", "MI", "AAI"]
    assert legend_colours(figure) == {kind: colour.lower() for kind, colour in KINDS.items()}
    for axes, signal in zip(figure.axes, ("si", "mi", "aai"), strict=True):
        found = curves(axes)
        assert set(found) == {colour.lower() for colour in KINDS.values()}
        for kind, colour in KINDS.items():
            np.testing.assert_allclose(found[colour.lower()], relative_by_hand(table, signal, kind))


def test_influence_by_epoch_of_models_that_differ_in_epochs():
    """No curve is the mean of trainings of 4 and of 8 epochs."""
    table = series_table()
    vit = table.assign(model="vit_cifar")
    longer = (vit["dataset"] == "letters") & vit["series"].str.endswith("_by_epoch")
    vit.loc[longer, "x"] *= 2
    figure = drawn("influence_by_epoch", pd.concat([table, vit]))
    check_readable(figure, height=0.6)
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == [
        "ResNet-20",
        "small ViT\n4 epochs",
        "small ViT\n8 epochs",
    ]
    assert titles(figure)[:3] == ["SI", "MI", "AAI"]
    colour = KINDS["mislabeled"].lower()
    parts = [table, vit[~longer & (vit["dataset"] == "digits")], vit[vit["dataset"] == "letters"]]
    for axes, part in zip(figure.axes[::3], parts, strict=True):
        np.testing.assert_allclose(curves(axes)[colour], relative_by_hand(part, "si", "mislabeled"))


def test_influence_by_epoch_of_other_cells():
    table = series_table()
    figure = drawn("influence_by_epoch", table, glitch="none", modality="table", signals=["mi"])
    check_readable(figure)
    assert legend_colours(figure) == {"clean": KINDS["clean"].lower()}
    (axes,) = figure.axes
    expected = relative_by_hand(table, "mi", "clean", "none", "table")
    np.testing.assert_allclose(curves(axes)[KINDS["clean"].lower()], expected)


def test_influence_by_epoch_of_no_influence():
    """Nothing is divided by zero."""
    table = series_table()
    table.loc[table["series"] == "si_by_epoch", "value"] = 0.0
    found = curves(drawn("influence_by_epoch", table).axes[0])
    assert len(found) == 3
    assert all((points[:, 1] == 0).all() for points in found.values())


def test_cells_without_a_series_are_left_out():
    table = series_table()
    table = table[~((table["dataset"] == "letters") & (table["seed"] == 1) & (table["estimator"] != ""))]
    figure = drawn("influence_by_epoch", table)
    found = curves(figure.axes[1])[KINDS["mislabeled"].lower()]
    np.testing.assert_allclose(found, relative_by_hand(table, "mi", "mislabeled"))


@pytest.mark.parametrize("estimators", [("tracin",), ESTIMATORS], ids=len)
@pytest.mark.parametrize("glitch", ["mixed", "none"])
def test_cancellation_draws_the_table(glitch, estimators):
    table = series_table(estimators=estimators)
    figure = drawn("cancellation", table, glitch=glitch)
    check_readable(figure)
    shown = bars(figure)
    assert list(shown) == (list(KINDS) if glitch == "mixed" else ["clean"])
    rows = table[(table["glitch"] == glitch) & (table["modality"] == "image") & (table["estimator"] == "tracin")]
    for kind, heights in shown.items():
        assert list(heights) == ["SI", "MI", "AAI", "GD-class"]
        for signal, height in zip(("si", "mi", "aai", "gd_class"), heights.values(), strict=True):
            mine = rows[(rows["class"] == kind) & (rows["series"] == f"{signal}_cancellation")]
            assert height == pytest.approx(np.mean([of_seed["value"].mean() for _, of_seed in mine.groupby("seed")]))
    assert all(colours(figure)[kind] == KINDS[kind].lower() for kind in shown)


@pytest.mark.parametrize("name", ["influence_by_epoch", "cancellation"])
def test_signals_that_have_no_series(name):
    """One that is not there takes none of the others along."""
    table = series_table()
    table = table[~table["series"].str.startswith("aai")]
    figure = drawn(name, table)
    check_readable(figure)
    assert "not run" not in words(figure)


def steps(panel):
    """Colour -> sorted values and shares of every empirical distribution of a panel."""
    return {colour: points[np.isfinite(points[:, 0])] for colour, points in curves(panel).items()}


@pytest.mark.parametrize("estimators", [("tracin",), ESTIMATORS, EVERY_ESTIMATOR[:10]], ids=len)
def test_loo_correlation_draws_the_table(estimators):
    table = series_table(estimators=estimators)
    figure = drawn("loo_correlation", table)
    check_readable(figure)
    assert titles(figure) == [*DATASETS, "wine"]
    palette = legend_colours(figure)
    assert list(palette) == list(estimators)
    assert len(set(palette.values())) == len(estimators)
    rows = table[(table["series"] == "agreement") & (table["glitch"] == "uniform")]
    for axes, dataset in zip(figure.axes, titles(figure), strict=True):
        for estimator, colour in palette.items():
            values = rows[(rows["dataset"] == dataset) & (rows["estimator"] == estimator)]["value"].sort_values()
            found = steps(axes)[colour]
            np.testing.assert_allclose(found[:, 0], values)
            np.testing.assert_allclose(found[:, 1], np.arange(1, len(values) + 1) / len(values))
            low, high = axes.get_xlim()
            assert low <= values.min()
            assert values.max() <= high


def test_correlations_that_are_not_defined_are_left_out():
    table = series_table(["digits"], ESTIMATORS, seeds=(0,))
    table = table[table["modality"] == "image"].reset_index(drop=True)
    mine = table[(table["series"] == "agreement") & (table["estimator"] == "grad_dot") & (table["glitch"] == "uniform")]
    table.loc[mine.index[:3], "value"] = np.nan
    figure = drawn("loo_correlation", table)
    (axes,) = figure.axes
    found = steps(axes)[legend_colours(figure)["grad_dot"]]
    np.testing.assert_allclose(found[:, 0], mine["value"][3:].sort_values())
    table.loc[table["series"] == "agreement", "value"] = np.nan
    assert "not run" in words(drawn("loo_correlation", table))


def test_estimators_that_failed_for_one_data_set():
    table = series_table(estimators=ESTIMATORS)
    lost = (table["dataset"] == "letters") & (table["estimator"] == "grad_dot") & (table["series"] == "agreement")
    figure = drawn("loo_correlation", table[~lost])
    check_readable(figure)
    palette = legend_colours(figure)
    assert set(palette) == set(ESTIMATORS)
    found = {title: set(steps(axes)) for title, axes in zip(titles(figure), figure.axes, strict=True)}
    assert found["letters"] == {palette["tracin"], palette["influence_function"]}
    assert found["digits"] == found["wine"] == set(palette.values())


@pytest.mark.parametrize(
    ("name", "series", "glitch"),
    [
        ("influence_by_epoch", "mi_by_epoch", "mixed"),
        ("cancellation", "mi_cancellation", "mixed"),
        ("loo_correlation", "agreement", "uniform"),
    ],
)
@pytest.mark.parametrize("everywhere", [False, True])
def test_failed_cells_of_a_series_are_counted(name, series, glitch, everywhere):
    table = series_table()
    of_cell = (table["glitch"] == glitch) & (table["modality"] == "image") & table["series"].ne("training_loss")
    if not everywhere:
        of_cell &= (table["dataset"] == "letters") & (table["seed"] == 1)
    # what evaluation.tables writes of failed results: a row a series, without a value
    failed = table[of_cell].drop_duplicates(["dataset", "seed", "series"]).assign(**{"class": "", "x": np.nan})
    failed = failed.assign(value=np.nan, status="failed: the curvature vanishes")
    if everywhere and name == "loo_correlation":
        table = table[table["modality"] == "image"]
        of_cell = of_cell.reindex(table.index)
    figure = drawn(name, pd.concat([table[~of_cell], failed]))
    count = failed[failed["series"] == series].drop_duplicates(["dataset", "seed"])
    assert f"{len(count)} of " in words(figure)
    assert "failed and are left out: " in words(figure).replace("\n", " ")
    assert bool(figure.axes) != everywhere


def test_models_and_ratios_have_panels_of_their_own():
    table = series_table(("digits",), seeds=(0,))
    other = table[table["dataset"] == "digits"].assign(model="mlp", ratio=0.2)
    figure = drawn("loo_correlation", pd.concat([table, other]))
    assert titles(figure) == ["digits, resnet20, 0.1", "wine, mlp, 0.1", "digits, mlp, 0.2"]


@pytest.mark.parametrize("estimators", [("tracin",), EVERY_ESTIMATOR], ids=len)
def test_loo_correlation_on_the_default_data_sets(estimators):
    figure = drawn("loo_correlation", series_table(("digits", "letters", "breast_cancer"), estimators, seeds=(0,)))
    check_readable(figure)


def test_every_estimator_has_a_look_of_its_own():
    figure = drawn("loo_correlation", series_table(estimators=EVERY_ESTIMATOR, seeds=(0,)))
    handles = figure.legends[0].legend_handles
    assert len({(to_hex(h.get_color()), h.get_linestyle()) for h in handles}) == len(EVERY_ESTIMATOR)


@pytest.mark.parametrize("name", OF_SERIES)
def test_same_bytes_of_series(name, tmp_path):
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        registry.load("figure", name).function(series_table()).savefig(path, metadata={"Software": None})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_series_are_left_alone():
    table = series_table(estimators=ESTIMATORS)
    copy = table.copy(deep=True)
    for name in OF_SERIES:
        drawn(name, table)
    pd.testing.assert_frame_equal(table, copy)


def test_unknown_tables_are_refused():
    with pytest.raises(ValueError, match="reads 'samples'; allowed is a tuple of: metrics, series"):
        figure("mine", title="Mine", reference="me", reads="samples")
