"""The job that draws figures: what it draws anew, what it leaves alone, and what a failing figure costs the others."""

import json
from pathlib import Path

import pandas as pd
import pytest

from glitchmark import registry
from glitchmark.evaluation.frames import METRIC_COLUMNS, SERIES_COLUMNS
from glitchmark.figures.__main__ import main
from glitchmark.manifests import read_manifest
from glitchmark.store import Store

FAILING = '''from pathlib import Path

from glitchmark.figures import figure


@figure("failing", title="Failing", reference="none", form="{form}")
def failing(metrics):
    """Fails until a file is there."""
    if not Path("{mark}").is_file():
        raise {error}("no ink")
    {result}
'''


@pytest.fixture(autouse=True)
def no_loaded_files(monkeypatch):
    monkeypatch.setattr(registry, "_loaded_files", {})


@pytest.fixture
def run(tmp_path):
    """A function that writes tables (n rows) and runs the job on figures (id, plug-in); returns the manifest."""
    folder, names = tmp_path / "results", {"fig1a": "figure", "cancellation": "figure", "table3": "table"}
    Store(tmp_path / "store").folder.mkdir()

    def go(*ids, n=0, plugins=()):
        folder.mkdir(exist_ok=True)
        pd.DataFrame([[""] * len(METRIC_COLUMNS)] * n, columns=METRIC_COLUMNS).to_parquet(folder / "metrics.parquet")
        pd.DataFrame(columns=SERIES_COLUMNS).to_parquet(folder / "series.parquet")
        figures = []
        for name in ids:
            kinds = ("png", "pdf", "csv") if names.get(name.removesuffix("_2"), go.form) == "table" else ("png", "pdf")
            figures.append(
                {
                    "id": name, "name": name.removesuffix("_2"), "params": {}, "digest": "d",
                    "files": {kind: str(tmp_path / f"{name}.{kind}") for kind in kinds},
                    "manifest": str(folder / "manifests" / "figure" / f"{name}-d.json"),
                }
            )  # fmt: skip
        order = {"folder": str(folder), "store": str(tmp_path / "store"), "plugins": list(plugins), "figures": figures}
        (folder / "part-0-abc.json").write_text(json.dumps(order))
        manifest = folder / "manifests" / "figures" / "part-0-abc.json"
        main(str(folder / "part-0-abc.json"), str(manifest))
        return read_manifest(manifest)

    go.form = "figure"
    return go


def times(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in folder.iterdir() if p.suffix in (".png", ".pdf", ".csv")}


def test_figures_that_are_there_stay_untouched_and_a_new_one_is_drawn(run, tmp_path):
    assert run("fig1a", "table3")["failed"] == {}
    before = times(tmp_path)
    assert set(before) == {"fig1a.png", "fig1a.pdf", "table3.png", "table3.pdf", "table3.csv"}
    run("fig1a", "table3", "cancellation")
    after = times(tmp_path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"cancellation.png", "cancellation.pdf"}


def test_other_tables_under_the_same_keys_redraw_what_reads_them(run, tmp_path):
    run("fig1a", "cancellation")
    before = times(tmp_path)
    run("fig1a", "cancellation", n=1)  # another metrics.parquet; cancellation reads the series alone
    after = times(tmp_path)
    assert after["fig1a.png"] > before["fig1a.png"]
    assert after["cancellation.png"] == before["cancellation.png"]


@pytest.mark.parametrize("how", ["older", "gone"])
def test_files_that_are_not_what_was_drawn_are_drawn_again(run, tmp_path, how):
    """Snakemake puts back what was there before a job that is killed."""
    run("fig1a", "cancellation")
    drawn, before = (tmp_path / "fig1a.png").read_bytes(), times(tmp_path)
    if how == "older":
        (tmp_path / "fig1a.png").write_bytes(b"of yesterday")
    else:
        (tmp_path / "fig1a.png").unlink()
    run("fig1a", "cancellation")
    assert (tmp_path / "fig1a.png").read_bytes() == drawn
    assert times(tmp_path)["cancellation.png"] == before["cancellation.png"]


@pytest.mark.parametrize("error", ["ValueError", "SystemExit"])
@pytest.mark.parametrize("form", ["figure", "table"])
def test_a_figure_that_fails_says_so_and_takes_nothing_along(run, tmp_path, form, error, capsys):
    run.form = form
    result = "import pandas as pd; return pd.DataFrame({'a': [1]})" if form == "table" else (
        "from matplotlib.figure import Figure; return Figure()"
    )  # fmt: skip
    mark = tmp_path / "ink"
    (tmp_path / "failing.py").write_text(FAILING.format(form=form, mark=mark, error=error, result=result))
    plugins = [("figure", str(tmp_path / "failing.py"))]
    found = run("fig1a", "failing", "cancellation", plugins=plugins)
    assert found["failed"] == {"figure failing": f"{error}: no ink"}
    assert "no ink" in capsys.readouterr().err
    before = times(tmp_path)  # Snakemake wants every file that the rule names
    assert {"failing.png", "failing.pdf", "fig1a.pdf", "cancellation.pdf"} <= set(before)
    assert ("failing.csv" in before) == (form == "table")
    mark.touch()
    assert run("fig1a", "failing", "cancellation", plugins=plugins)["failed"] == {}
    after = times(tmp_path)
    assert after["fig1a.png"] == before["fig1a.png"]
    assert after["failing.png"] > before["failing.png"]
