"""The job that writes a run's report. ``python -m glitchmark.report ORDER MANIFEST``"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from glitchmark.errors import UserError
from glitchmark.manifests import replace_manifests
from glitchmark.report import claims, costs, failures, figures, overview, page, provenance
from glitchmark.report.tables import read_csv, table
from glitchmark.store import Store, mending, write_text

ROWS = 4000  # of the table of results: more would make the page slow
GALLERY = "gallery"
FORMATS = dict.fromkeys(overview.MAIN.values(), ".3f") | {"ratio": "g", "validation_noise": "g"}


def main(order_path: str, manifest_path: str) -> int:
    """Write report.html; returns the exit status."""
    order = json.loads(Path(order_path).read_text())
    path = Path(order["folder"]) / "report.html"
    try:
        with mending(Store(order["store"])):
            write_text(path, page.render(**parts(order)))
    except UserError as error:
        print(f"glitchmark: {error}", file=sys.stderr)
        return 2
    print(f"glitchmark: {path}, {path.stat().st_size / 1e6:.1f} MB")
    replace_manifests(manifest_path, order_path, {})
    return 0


def parts(order: dict[str, Any]) -> dict[str, Any]:
    """What the page's template names. A table of the run that is not there is None, and the page says so."""
    folder = Path(order["folder"])
    cost, metrics = _parquet(folder / "costs.parquet"), _parquet(folder / "metrics.parquet", metric="f1")
    summary, claimed = _csv(folder / "summary.csv", overview.TEXTS), _csv(folder / "claims.csv")
    failed = failures.recorded(folder, "evaluate")
    undrawn = failures.recorded(folder, "figures") if order["figures"] else {}
    shown = [figures.shown(figure, undrawn) for figure in order["figures"]]
    best = None if metrics is None else overview.best_methods(metrics)
    results = n_results = None
    if summary is not None:
        rows, n_results = overview.main_rows(summary, ROWS)
        caption = "Results by data set, model, glitch and method"
        results = table(rows, "results-table", caption, formats=FORMATS) if len(rows) else None
    return {
        "run": order["run"],
        "folder": str(folder),
        "facts": overview.facts(cost, order["keys"], len(failed)),
        "metrics_there": metrics is not None,
        "best": best[0] if best else None,
        "finding": best[1] if best else "",
        "claims": None if claimed is None or claimed.empty else claims.claims_table(claimed),
        "claims_there": claimed is not None,
        "verdicts": [] if claimed is None or claimed.empty else claims.counted(claimed),
        "figures": [figure for figure in shown if figure.name != GALLERY],
        "galleries": [figure for figure in shown if figure.name == GALLERY],
        "results": results,
        "n_results": n_results,
        "failures": failures.grouped(failed, cost),
        "provenance": provenance.of_run(cost, Store(order["store"]), order["config"]),
        "costs": [] if cost is None else [costs.by_stage(cost), costs.by_method(cost)],
    }


def _parquet(path: Path, **equal: str) -> pd.DataFrame | None:
    """A table of the run, or its rows in which every named column has the value; None if it is not there."""
    filters = [(column, "=", value) for column, value in equal.items()] or None
    return pd.read_parquet(path, filters=filters) if path.is_file() else None


def _csv(path: Path, texts: tuple[str, ...] = ()) -> pd.DataFrame | None:
    return read_csv(path, texts) if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
