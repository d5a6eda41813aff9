"""Every shipped figure, drawn from hand-made metrics."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from glitchmark import registry
from glitchmark.evaluation.tables import DETECTION, METRIC_COLUMNS
from glitchmark.figures._bars import COLOURS, LABELS

FIGURES = registry.names("figure")
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


def metrics_table(datasets=DATASETS, models=("resnet20",), seeds=SEEDS, methods=METHODS, validation_ratios=(0.2,)):
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
    figure = registry.load("figure", name).function(table, **parameters)
    figure.dpi = 200  # as it is saved
    FigureCanvasAgg(figure).draw()
    return figure


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


def check_readable(figure):
    """No text is cut off, lies on other text or on the axes of the bars; the bars have room."""
    renderer = figure.canvas.get_renderer()
    page = figure.bbox
    boxes = {text: text.get_window_extent(renderer) for text in texts(figure)}
    for text, box in boxes.items():
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1
        assert inside, f"'{text.get_text()}' is cut off"
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), f"'{one.get_text()}' lies on '{other.get_text()}'"
    for axes in figure.axes:
        if not axes.axison:
            continue
        area = axes.get_window_extent(renderer)
        assert area.height / figure.dpi > 1, "the bars are squeezed"
        assert area.width / figure.dpi > 2, "the bars are squeezed"
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


@pytest.mark.parametrize("name", FIGURES)
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
    check_readable(figure)
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


@pytest.mark.parametrize("name", FIGURES)
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
    assert "not run" in words(figure)
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


@pytest.mark.parametrize("name", FIGURES)
def test_all_cells_failed(name):
    table = fail(metrics_table(), modality="image")
    figure = drawn(name, table)
    check_readable(figure)
    assert "failed" in words(figure)


@pytest.mark.parametrize("name", [n for n in SHOWN if n != "fig5b"])
def test_thirty_methods(name):
    methods = [f"method_{i:02d}" for i in range(30)]
    table = metrics_table(methods=methods)
    figure = drawn(name, table, methods=methods)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == methods
    check_readable(figure)


@pytest.mark.parametrize("name", SHOWN)
def test_models_of_the_paper(name):
    models = ("resnet20", "vit_b16", "convnext_tiny")
    figure = drawn(name, metrics_table(models=models))
    check_readable(figure)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["ResNet-20", "vit_b16", "convnext_tiny"]


@pytest.mark.parametrize("name", FIGURES)
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
    for name in FIGURES:
        if name == "fig5b":
            continue
        for label, colour in colours(drawn(name, table)).items():
            assert seen.setdefault(label, colour) == colour
    assert len(set(seen.values())) == len(seen)


def test_all_shipped_methods_fit():
    check_readable(drawn("fig1a", metrics_table(), methods=METHODS))


def test_own_method_keeps_its_colour():
    table = metrics_table(methods=["ant", "bee", "cat", "si"])
    both, one = drawn("fig1a", table, methods=["ant", "bee", "si"]), drawn("fig4a", table, methods=["bee", "cat"])
    assert colours(both)["bee"] == colours(one)["bee"]


def test_shipped_methods_have_colours_of_their_own():
    figure = drawn("fig1a", metrics_table(), methods=METHODS)
    drawn_colours = colours(figure)
    assert len(drawn_colours) == len(set(drawn_colours.values())) == len(METHODS)


def test_colours_are_those_of_the_palette():
    figure = drawn("fig1a", metrics_table())
    own = {LABELS[method]: colour.lower() for method, colour in COLOURS.items()}
    for label, colour in colours(figure).items():
        assert colour == own[label]
    for container, colour in zip(figure.axes[0].containers, colours(figure).values(), strict=True):
        assert {to_hex(bar.get_facecolor()) for bar in container} == {colour}


@pytest.mark.parametrize("name", FIGURES)
def test_same_bytes(name, tmp_path):
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        registry.load("figure", name).function(metrics_table()).savefig(path, metadata={"Software": None})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_input_is_left_alone():
    table = fail(metrics_table(), seed=1)
    copy = table.copy(deep=True)
    for name in FIGURES:
        drawn(name, table)
    pd.testing.assert_frame_equal(table, copy)
