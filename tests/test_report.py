"""The report: complete, escaped, loading nothing, and usable in a real browser."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from glitchmark.report import __main__ as report
from glitchmark.report import failures, overview, page
from glitchmark.report.costs import by_method, by_stage
from glitchmark.report.tables import read_csv, table
from glitchmark.store import Store

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
NASTY = '<script>alert("x")</script> & <b>'
METHODS = {"cnci": 0.8, "si": 0.6, "random": 0.1, "iforest": 0.3}
DATASETS = {NASTY: "image", "digits": "image", "wine": "table"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """What is in a page: (tag, attributes, text directly inside) of every element."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict, list[str]]] = []
        self._open: list[tuple[str, dict, list[str]]] = []
        self.feed(html)
        assert [tag for tag, _, _ in self._open] == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        if self._open:
            self._open[-1][2].append(data)

    def all(self, *tags):
        return [(attributes, "".join(text).strip()) for tag, attributes, text in self.elements if tag in tags]

    def texts(self, *tags):
        return [text for _, text in self.all(*tags)]

    @property
    def shown(self):
        """All that a reader sees."""
        return "\n".join("".join(text) for tag, _, text in self.elements if tag not in ("script", "style"))


def metric_rows(methods=METHODS, datasets=DATASETS, seeds=(0, 1, 2), glitches=("uniform",)) -> pd.DataFrame:
    """F1 of each method, by data set, model and seed; a detector that reads no model, and a second, smaller validation
    ratio that is better."""
    rows = [
        {
            "dataset": dataset, "modality": modality, "model": "" if method == "iforest" else f"{modality}_net",
            "estimator": "tracin" if method in ("cnci", "si") else "", "glitch": glitch, "ratio": 0.1,
            "validation_ratio": ratio, "subset": 0, "validation_noise": 0.0, "action": "", "budget": 0.0, "seed": seed,
            "method": method, "variant": "", "class": "", "metric": "f1",
            "value": f1 + 0.01 * seed + (0.5 if ratio == 0.05 else 0), "status": "ok",
        }
        for dataset, modality in datasets.items() for glitch in glitches for seed in seeds
        for method, f1 in methods.items() for ratio in ((0.0,) if method == "iforest" else (0.05, 0.2))
    ]  # fmt: skip
    return pd.DataFrame(rows)


class Run:
    """A made-up run on disk, and its order."""

    def __init__(self, folder: Path, *, failed=None):
        self.folder, self.figures, self.store = folder / "results", folder / "figures", folder / "store"
        self.figures.mkdir(parents=True)
        (self.folder / "manifests" / "evaluate").mkdir(parents=True)
        for stage in ("report", "figure", "figures"):
            (self.folder / "manifests" / stage).mkdir()
        self.undrawn({})
        metrics = metric_rows()
        metrics.to_parquet(self.folder / "metrics.parquet")
        summary = metrics.drop(columns=["subset", "seed", "value", "status"]).drop_duplicates()
        summary = summary.assign(n=3, failed=0, mean=0.123456, lower=0.1, upper=np.nan, status="ok")
        summary.to_csv(self.folder / "summary.csv", index=False)
        self.costs(metrics)
        claims = {
            "id": ["a", "b", "c", "d"], "source": "Myrtakis et al.", "sentence": ["CNCI beats SI", NASTY, "x", "y"],
            "quantity": "difference", "threshold": "> 0", "measured": [np.nan, 0.2, -0.1, 0.0],
            "lower": [np.nan, 0.1, -0.2, -0.1], "upper": [np.nan, 0.3, -0.05, 0.1],
            "verdict": ["not run", "holds", "fails", "undecided"], "note": None,
        }  # fmt: skip
        pd.DataFrame(claims).to_csv(self.folder / "claims.csv", index=False)
        self.order = {
            "folder": str(self.folder), "run": NASTY, "figures_folder": str(self.figures), "store": str(self.store),
            "figures": [], "config": {"run": NASTY, "seeds": [0, 1]}, "keys": 1234, "identity": [],
        }  # fmt: skip
        self.fail(failed or {})

    def costs(self, metrics):
        store, rows = Store(self.store), []
        for i, row in enumerate(metrics.drop_duplicates(["dataset", "method", "seed"]).to_dict("records")):
            key = f"{i:032x}"
            cell = {
                n: row[n] for n in ("dataset", "modality", "model", "estimator", "glitch", "ratio", "seed", "method")
            }
            cost = {"seconds": 2.0, "cpu_seconds": 1.5, "peak_memory_mb": 100.0 + i}
            rows.append({"stage": "score", **cell, "variant": "", "key": key, **cost, "parameters": np.nan})
            provenance = {
                "host": "tower", "platform": "Linux", "python": "3.11.7", "time": f"2026-01-0{1 + i % 9}T00:00:00+0000",
                "code": f"code-of-{row['method']}", "libraries": {"numpy": "2.4.6"}, "threads": 1,
            }  # fmt: skip
            store.put(key, {}, {}, provenance=provenance)
        rows.append(
            rows[0]
            | {"stage": "pool", "method": None, "dataset": "letters", "glitch": None, "ratio": np.nan, "seconds": 0.0}
        )
        rows.append(rows[0] | {"stage": "train", "method": "", "key": rows[0]["key"], "seconds": 10.0})
        pd.DataFrame(rows).to_parquet(self.folder / "costs.parquet")

    def fail(self, failed):
        manifest = {"digest": "x", "keys": [], "failed": failed}
        (self.folder / "manifests" / "evaluate" / "tables-x.json").write_text(json.dumps(manifest))

    def undrawn(self, failed):
        manifest = {"digest": "x", "keys": [], "failed": failed}
        (self.folder / "manifests" / "figures" / "part-0-x.json").write_text(json.dumps(manifest))

    def figure(self, id, *, size=(700, 500), csv=None, drawn=True, title="A title", caption="Says.", **params):
        """csv: of a table. drawn: by this run; otherwise an earlier one's picture is there."""
        files = {kind: str(self.figures / f"{id}.{kind}") for kind in ("png", "pdf")}
        Image.new("RGB", size, "white").save(files["png"])
        if csv is not None:
            files["csv"] = str(self.figures / f"{id}.csv")
            Path(files["csv"]).write_text(csv)
        manifest = self.folder / "manifests" / "figure" / f"{id}-x.json"
        if drawn:
            manifest.write_text(json.dumps({"digest": "x", "keys": [], "failed": {}}))
        figure = {
            "id": id, "name": id.split("_")[0], "params": params, "title": title, "reference": "KDD 2025",
            "caption": caption, "form": "figure" if csv is None else "table", "files": files, "manifest": str(manifest),
        }  # fmt: skip
        self.order["figures"].append(figure)

    def html(self) -> str:
        manifests = self.folder / "manifests" / "report"
        order = self.folder / "report-abc.json"
        order.write_text(json.dumps(self.order))
        assert report.main(str(order), str(manifests / "report-abc.json")) == 0
        assert [path.name for path in manifests.iterdir()] == ["report-abc.json"]
        return (self.folder / "report.html").read_text()


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


@pytest.fixture
def full(run):
    """A run with every kind of figure and two failures."""
    run.figure("fig1a", title=NASTY, caption=f"First {NASTY}.\n\nSecond\n``paragraph``.")
    run.figure("fig2a", size=(1432, 500))
    run.figure("table1", csv="method,F1,label\n" + "".join(f"m{i},{i / 100},NA\n" for i in range(40)))
    run.figure("table2", csv="\n")
    run.figure("fig9", drawn=False)
    run.figure("fig10", drawn=False)
    run.figure("gallery_wine", size=(1432, 2000), title="The most suspicious samples", dataset="wine")
    run.undrawn({"figure fig10": f"ValueError: {NASTY}"})
    run.fail({f"{0:032x}": f"diverged {NASTY}", f"{1:032x}": f"diverged {NASTY}"})
    return run


def test_page_is_well_formed_and_accessible(full):
    read = Page(full.html())
    ids = [attributes["id"] for _, attributes, _ in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes, _ in read.all("a")]
    assert len(links) > 10
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    for name in ("aria-labelledby", "data-picture"):
        assert {a[name] for _, a, _ in read.elements if name in a} <= set(ids)
    assert [attributes for attributes, _ in read.all("html")] == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    images = read.all("img")
    assert len(images) == 4
    assert all(attributes["alt"].strip() for attributes, _ in images)
    assert len({attributes["alt"] for attributes, _ in images[:2]}) == 2
    tables = read.all("table")
    assert len(read.all("caption")) == len(tables) >= 5
    assert all(attributes.get("scope") == "col" for attributes, _ in read.all("th"))
    assert read.all("a")[0][0] == {"class": "skip", "href": "#main"}


def test_page_loads_nothing(full):
    html = full.html()
    read = Page(html)
    for _tag, attributes, _ in read.elements:
        for name in ("src", "href", "srcset", "poster", "data", "action", "background"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (name, attributes[name][:80])
    styles = "".join(read.texts("style"))
    assert "@import" not in styles
    assert all(url.strip("'\" ").startswith("data:") for url in re.findall(r"url\(([^)]*)", styles))
    policy = next(a["content"] for a, _ in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert html.count("jquery.com/license") == 0  # DataTables and jQuery once, in the encoded script
    assert len(read.all("script")) == 2


def test_texts_of_users_are_escaped(full):
    html = full.html()
    assert "<script>alert" not in html
    read = Page(html)
    assert f"glitchmark: run “{NASTY}”" in read.texts("h1")
    assert NASTY in read.texts("td")  # a data set, and a claim
    assert f"diverged {NASTY}" in [text.strip() for text in read.texts("summary")]
    assert any(NASTY in text for text in read.texts("code"))  # the config
    assert any(a["alt"].startswith(NASTY) for a, _ in read.all("img"))


def test_figures_and_tables(full):
    read = Page(full.html())
    cards = {a["id"]: text for a, text in read.all("h3") if a["id"].startswith("figure-")}
    assert cards == {
        "figure-fig1a": NASTY, "figure-fig2a": "A title", "figure-table1": "A title", "figure-table2": "A title",
        "figure-fig9": "A title", "figure-fig10": "A title", "figure-gallery_wine": "The most suspicious samples",
    }  # fmt: skip
    sources = {a["id"]: a for a, _ in read.all("img")}
    assert set(sources) == {
        "picture-fig1a",
        "picture-fig2a",
        "picture-table2",
        "picture-gallery_wine",
    }  # no rows: a picture
    assert (sources["picture-fig2a"]["width"], sources["picture-fig2a"]["height"]) == ("1432", "500")
    assert all(a["src"].startswith("data:image/png;base64,") for a in sources.values())
    wide = [a["aria-labelledby"] for a, _ in read.all("article") if "wide" in a["class"]]
    assert wide == ["figure-fig2a", "figure-table1", "figure-gallery_wine"]
    missing = [text for a, text in read.all("p") if a.get("class") == "missing"]
    assert missing == ["Not drawn yet; run the workflow to draw it.", f"Drawing it failed: ValueError: {NASTY}"]
    assert any("dataset: wine" in text for text in read.texts("p"))
    captions = [text for a, text in read.all("p") if a.get("class") == "caption"]
    assert captions[:2] == [f"First {NASTY}.", "Second paragraph."]
    assert read.texts("td").count("NA") == 40  # a label, not a missing value


def test_summary_says_what_was_run(full):
    read = Page(full.html())
    facts = dict(zip(read.texts("dt"), read.texts("dd"), strict=True))
    assert facts["data sets"] == f"{NASTY}, digits, wine"
    assert facts["models"] == "image_net, table_net"
    assert facts["glitches"] == "uniform 0.1"
    assert facts["seeds"] == "0, 1, 2"
    assert facts["methods"] == "cnci, si, random, iforest"
    assert facts["results"] == "1,234"
    assert facts["minutes of computing"].startswith(f"{(36 * 2 + 10) / 60:.1f}, ")
    assert facts["failures"] == "2 of 1,234 results"
    assert "By mean F1, cnci is first in 2 of 2 combinations of data and glitch." in read.texts("p")
    assert facts["computed on"] == "tower (Linux)"
    assert facts["libraries"] == "numpy 2.4.6"
    assert facts["made"] == "2026-01-01T00:00:00+0000 to 2026-01-09T00:00:00+0000"
    assert facts["read from"] == "9 of 38 records: one of each stage, plug-in and model"
    assert {"code-of-cnci", "code-of-iforest"} <= set(read.texts("td"))


def test_costs_by_hand(run):
    costs = pd.read_parquet(run.folder / "costs.parquet")
    stages, methods = ({tuple(cell.text for cell in row) for row in made(costs).rows} for made in (by_stage, by_method))
    # three data sets and three seeds of four methods, two seconds each; training took ten
    assert stages == {
        ("score", "36", "72.0", "54.0", "2.000", "135"), ("pool", "1", "0.0", "1.5", "0.000", "100"),
        ("train", "1", "10.0", "1.5", "10.000", "100"),
    }  # fmt: skip
    named = {row[0]: row[1:6] for row in methods if row[1] == "score"}
    assert set(named) == set(METHODS)
    assert named["si"] == ("score", "9", "18.0", "13.5", "0.200")


def test_claims_are_worded(full):
    read = Page(full.html())
    verdicts = [(a["class"], text) for a, text in read.all("span") if "verdict" in a.get("class", "")]
    assert verdicts[4:] == [
        ("verdict holds", "✓ holds"), ("verdict fails", "✗ fails"), ("verdict undecided", "? undecided"),
        ("verdict not-run", "– not run"),
    ]  # fmt: skip
    assert [text for _, text in verdicts[:4]] == ["holds", "fails", "undecided", "not run"]
    headings = [text for _, text in read.all("th")]
    assert "note" not in headings  # nothing in it
    assert headings.index("verdict") < headings.index("sentence") < headings.index("measured") < headings.index("id")


@pytest.mark.parametrize("name", ["metrics.parquet", "costs.parquet", "summary.csv", "claims.csv"])
def test_missing_tables_are_said(run, name):
    assert f"Missing: {run.folder}/{name}" not in Page(run.html()).shown
    (run.folder / name).unlink()
    read = Page(run.html())
    assert any(text.startswith(f"Missing: {run.folder}/{name}") for text in read.texts("p"))
    assert len(read.texts("h2")) == 8  # every section is there all the same


def test_empty_tables(run):
    """A run with control cells alone, without claims and figures."""
    pd.read_parquet(run.folder / "metrics.parquet").assign(metric="flagged_gap").to_parquet(
        run.folder / "metrics.parquet"
    )
    summary = pd.read_csv(run.folder / "summary.csv").assign(metric="flagged_gap")
    summary.to_csv(run.folder / "summary.csv", index=False)
    (run.folder / "claims.csv").write_text("id,source,sentence,quantity,threshold,measured,verdict\n")
    text = Page(run.html()).shown
    assert "No method was measured on known glitches in this run, so none can be called the best." in text
    assert "No method was measured on known glitches in this run." in text
    assert f"No claim was checked: {run.folder}/claims.csv has no rows." in text
    assert "names no figures" in text
    assert "does not name the figure “gallery”" in text
    assert "Nothing failed." in text


def test_many_failures(run):
    keys = pd.read_parquet(run.folder / "costs.parquet")["key"].unique()
    failed = dict.fromkeys(keys[:30], "the same") | {key: f"own {i}" for i, key in enumerate(keys[30:])}
    run.fail(failed)
    read = Page(run.html())
    shown = [text.replace("\n", " ") for text in read.texts("summary")]
    assert [text.strip() for text in shown[:2]] == ["the same", "own 0"]
    items = read.texts("li")
    assert "and 10 more" in items
    assert "score: digits / image_net / tracin / uniform / si, seed 0" in items
    assert "36 results failed" in read.texts("strong")


def test_failures_name_what_costs_does_not_know(run):
    found = failures.grouped({"k1": "reason", "k2": "reason", "k3": "other"}, None)
    assert found == [failures.Failure("reason", 2, ["k1", "k2"]), failures.Failure("other", 1, ["k3"])]
    costs = pd.read_parquet(run.folder / "costs.parquet")
    assert failures.grouped({"unknown": "reason"}, costs) == [failures.Failure("reason", 1, ["unknown"])]


@pytest.mark.parametrize("name", ["evaluate/tables-x.json", "figures/part-0-x.json"])
def test_without_manifests(run, capsys, name):
    run.figure("fig1a")
    (run.folder / "manifests" / name).unlink()
    order = run.folder / "report-abc.json"
    order.write_text(json.dumps(run.order))
    assert report.main(str(order), str(run.folder / "manifests" / "report" / "report-abc.json")) == 2
    assert f"manifests/{name.split('/')[0]} holds no manifest" in capsys.readouterr().err
    assert not (run.folder / "report.html").exists()


def test_same_run_same_bytes(full):
    assert full.html() == full.html()


def best(rows):
    found, finding = overview.best_methods(rows)
    return [dict(zip(found.headings, [cell.text for cell in row], strict=True)) for row in found.rows], finding


def test_best_methods_by_hand():
    rows, finding = best(metric_rows({"a": 0.5, "b": 0.4, "iforest": 0.3, "c": 0.2}, glitches=("uniform", "singular")))
    # 0.5 + (0, 0.01, 0.02); the better, smaller validation ratio does not count
    assert [(row["data"], row["glitch"]) for row in rows] == [
        ("images", "uniform"), ("images", "singular"), ("tables", "uniform"), ("tables", "singular"),
    ]  # fmt: skip
    assert rows[0]["best"].startswith("a 0.51 [0.50,")
    assert rows[0]["second"].startswith("b 0.41")
    assert rows[0]["third"].startswith("iforest 0.31")
    assert (rows[0]["data sets"], rows[2]["data sets"]) == ("2", "1")
    assert finding == "By mean F1, a is first in 4 of 4 combinations of data and glitch."


def test_best_methods_counts_data_sets_once():
    """A data set with more models weighs no more than another: the mean of .9 and the mean of .1 and .3."""
    rows = metric_rows({"a": 0.0}, {"x": "image", "y": "image"}, seeds=(0,))
    rows = rows[rows["validation_ratio"] == 0.2].assign(value=[0.9, 0.1])
    other = rows[rows["dataset"] == "y"].assign(model="second", value=0.3)
    told, _ = best(pd.concat([rows, other]))
    assert told[0]["best"] == "a 0.55"  # one seed: no interval


def test_best_methods_leaves_out_failed_ones():
    rows = metric_rows({"a": 0.5, "b": 0.4})
    broken = rows["method"].eq("a") & rows["seed"].eq(2) & rows["dataset"].eq("digits")
    rows.loc[broken, ["value", "status"]] = [np.nan, "failed: diverged"]
    told, _ = best(rows)
    assert told[0]["best"].startswith("b")
    assert told[0]["not ranked"] == "1"
    assert told[1]["best"].startswith("a")  # tables: nothing failed there
    unmeasured = metric_rows({"a": 0.5, "b": 0.4})
    told, _ = best(unmeasured[~(unmeasured["method"].eq("a") & unmeasured["dataset"].eq("digits"))])
    assert (told[0]["best"][0], told[0]["not ranked"]) == ("b", "1")


def test_best_methods_ties_and_exclusions():
    rows = metric_rows({"a": 0.5, "b": 0.4}, glitches=("uniform",))
    tables = rows["modality"].eq("table")
    rows.loc[tables & rows["method"].eq("a"), "value"] = 0.1
    toys = rows.assign(modality="toy", method="c", value=1.0)
    repaired = rows.assign(action="remove", method="d", value=1.0)
    told, finding = best(pd.concat([rows, toys, repaired]))
    assert len(told) == 2
    assert finding == "By mean F1, a and b are first in 1 of 2 combinations of data and glitch each."
    assert overview.best_methods(toys) is None
    rows["value"] = rows["method"].eq("b").astype(float)
    third = metric_rows({"c": 2.0}, glitches=("singular",))
    single = rows.assign(glitch="human", value=rows["method"].eq("a").astype(float))
    _, finding = best(pd.concat([rows, third, single]))
    assert finding == "By mean F1, b, c and a are first in 2 of 6 combinations of data and glitch each."


def test_main_rows():
    base = metric_rows({"a": 0.5, "iforest": 0.4}).drop(columns=["subset", "seed", "value", "status"]).drop_duplicates()
    frames = [base.assign(n=3, failed=0, mean=0.5, lower=0.4, upper=0.6, status="ok")]
    frames.append(frames[0].assign(metric="auroc", mean=0.9))
    frames[0].loc[frames[0]["method"] == "iforest", ["mean", "lower", "upper", "failed"]] = [np.nan, np.nan, np.nan, 3]
    frames.append(frames[0].assign(action="remove"))
    found, total = overview.main_rows(pd.concat(frames), 4)
    assert (len(found), total) == (4, 6)
    assert found["F1"].tolist()[:3] == [0.5] * 3
    assert np.isnan(found["F1"].iloc[3])  # a failed method is there
    assert found["failed"].tolist() == [0, 0, 0, 3]
    assert found["AUROC"].tolist() == [0.9] * 4
    assert found["interval of F1"].tolist() == ["[0.400,\u00a00.600]"] * 3 + [""]
    on_training = frames[1].assign(metric="f1", estimator="training", validation_ratio=0.0).drop_duplicates()
    by_estimator = pd.concat([*frames, on_training, on_training.assign(estimator="tracin", validation_ratio=0.2)])
    assert set(overview.main_rows(by_estimator, 100)[0]["estimator"]) == {"", "training", "tracin"}
    assert "variant" not in found
    assert "estimator" not in found


def test_numbers_are_sorted_by_value(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name,share,count,seconds,blocks\nNone,0.123456,10,2000.25,\nnan,,2,0.5,3\nx,2,1,,1\n")
    found = table(read_csv(path), "t", "T")
    assert found.numeric == [False, True, True, True, True]
    assert [[cell.text for cell in row] for row in found.rows] == [
        ["None", "0.1235", "10", "2000.2", "–"], ["nan", "–", "2", "0.5", "3"], ["x", "2.000", "1", "–", "1"],
    ]  # fmt: skip
    assert [cell.order for cell in found.rows[0]] == [None, "0.123456", "10", "2000.25", ""]
    set_ones = table(read_csv(path), "t", "T", formats={"share": ".2f"})
    assert [row[1].text for row in set_ones.rows] == ["0.12", "–", "2.00"]


def test_contrast():
    """WCAG 2.1, 1.4.3: at least 4.5 for every colour of text on both backgrounds, light, dark and printed."""

    def luminance(colour):
        colour = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
        parts = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    style = (page.FOLDER / "style.css").read_text()
    palettes = [
        dict(re.findall(r"--([a-z]+): #([0-9a-f]+);", block)) for block in re.findall(r":root {([^}]*)}", style)
    ]
    assert len(palettes) == 3
    for palette in palettes:
        for text in ("text", "soft", "link", "holds", "fails", "undecided"):
            for back in ("back", "card"):
                low, high = sorted((luminance(palette[text]), luminance(palette[back])))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (text, back, palette)


@pytest.fixture
def browser(tmp_path):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: no test in a browser")
    if CHROMIUM is None or shutil.which("chromedriver") is None:
        pytest.skip("chromium and chromedriver are not on the PATH: no test in a browser")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "window-size=1280,900", f"user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def test_in_a_browser(full, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    full.html()
    browser.get("about:blank")
    browser.get_log("performance")
    ready = "return document.documentElement.classList.contains('ready')"
    active = browser.switch_to

    def open_page(width, colours):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": colours}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get((full.folder / "report.html").as_uri())
        WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(ready))

    backs = {}
    for width in (360, 1280):
        for colours in ("dark", "light"):
            open_page(width, colours)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            assert browser.execute_script("return document.documentElement.classList.contains('dark')") == (
                colours == "dark"
            )
            backs[colours] = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert backs["dark"] != backs["light"]

    # the first stop skips the navigation
    active.active_element.send_keys(Keys.TAB)
    assert active.active_element.text == "Skip to the content"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.execute_script(outline) == "solid"
    active.active_element.send_keys(Keys.ENTER)
    active.active_element.send_keys(Keys.TAB)
    assert active.active_element.get_attribute("href").endswith(("#failures", "#claims"))

    # a table is sorted with the keyboard, numbers by value
    header = browser.find_elements(By.CSS_SELECTOR, "#table-table1 thead th")[1]
    header.find_element(By.CSS_SELECTOR, "[tabindex='0']").send_keys(Keys.ENTER)
    cells = "#table-table1 tbody tr td:nth-child(2)"
    WebDriverWait(browser, 5).until(lambda _: header.get_attribute("aria-sort") == "ascending")
    header.find_element(By.CSS_SELECTOR, "[tabindex='0']").send_keys(Keys.ENTER)
    WebDriverWait(browser, 5).until(lambda _: header.get_attribute("aria-sort") == "descending")
    assert [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, cells)][:3] == ["0.3900", "0.3800", "0.3700"]
    search = browser.find_element(By.CSS_SELECTOR, "input[aria-label='Search: A title']")
    search.send_keys("m17")
    assert [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, cells)] == ["0.1700"]

    # a figure is enlarged and closed, and the focus comes back
    button = browser.find_element(By.CSS_SELECTOR, "[data-picture='picture-fig2a']")
    button.send_keys(Keys.ENTER)
    assert browser.find_element(By.CSS_SELECTOR, "dialog[open] img").size["width"] == 1432
    active.active_element.send_keys(Keys.ESCAPE)
    assert browser.find_elements(By.CSS_SELECTOR, "dialog[open]") == []
    assert active.active_element == button

    button.send_keys(Keys.ENTER)
    assert active.active_element.text == "Close"
    active.active_element.send_keys(Keys.ENTER)
    assert browser.find_elements(By.CSS_SELECTOR, "dialog[open]") == []

    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {e["params"]["request"]["url"].split(":")[0] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert asked <= {"file", "blob", "data"}

    # without scripts, everything is there
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get((full.folder / "report.html").as_uri())
    assert len(browser.find_elements(By.CSS_SELECTOR, "#table-table1 tbody tr")) == 40


def test_report_does_not_import_torch():
    code = (
        "import sys, glitchmark.report.__main__; sys.exit(bool({'torch', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
