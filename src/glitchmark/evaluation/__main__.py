"""The job that writes a run's tables. ``python -m glitchmark.evaluation ORDER MANIFEST``"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glitchmark.evaluation.averages import summary, turned
from glitchmark.evaluation.costs import cost_table
from glitchmark.evaluation.frames import metric_table, series_table
from glitchmark.evaluation.sample_rows import SCHEMA
from glitchmark.evaluation.selection import RANKED, ranked_lists
from glitchmark.evaluation.tables import Tables
from glitchmark.manifests import replace_manifests
from glitchmark.outputs import replacing, write_csv
from glitchmark.store import mending, write_text

TOP = 12  # most suspicious samples of each method and cell, which galleries choose from


def main(order_path: str, manifest_path: str) -> None:
    """Write metrics, samples, series and costs, and the ranked lists of data without known glitches."""
    order = json.loads(Path(order_path).read_text())
    tables = Tables(order)
    with mending(tables.store):
        _write_tables(tables, Path(order["folder"]))
        _write_parquet(Path(order["folder"]) / "costs.parquet", cost_table(tables.nodes, tables.measurements))
        failures = tables.failures()
    labels = [m["labels"] for m in order["measurements"]]
    _write_ranked(Path(order["folder"]), labels, order["settings"]["ranking"])
    replace_manifests(manifest_path, order_path, failures)


def _write_tables(tables: Tables, folder: Path) -> None:
    """Write what is read cell by cell."""
    blocks, lines, kinds = [], [], {}
    with _parquet(folder / "samples.parquet", SCHEMA) as samples, _parquet(folder / "top.parquet", SCHEMA) as top:
        for cell in tables.cells():
            blocks += cell.blocks
            lines += cell.lines
            kinds.setdefault(cell.glitch, set()).update(cell.kinds)
            if cell.samples is not None:
                samples.write_table(cell.samples)
                top.write_table(cell.samples.filter(pc.field("rank") <= TOP))
    metrics = metric_table(blocks)
    _write_parquet(folder / "metrics.parquet", metrics)
    _write_parquet(folder / "series.parquet", series_table(lines))
    write_csv(folder / "summary.csv", summary(metrics))
    targets = {m["labels"]["method"]: m["labels"]["targets"] for m in tables.measurements if m["rows"]}
    write_text(folder / "notes.json", json.dumps({"turned": turned(metrics, targets, kinds)}, indent=1) + "\n")


def _write_ranked(folder: Path, labels: list[dict[str, Any]], ranking: str) -> None:
    """A list for each data set and model of cells in which nothing was broken on purpose."""
    for old in folder.glob("ranked/*.csv"):
        old.unlink()
    controls = {of["glitch"] for of in labels if of["control"]}
    for dataset in dict.fromkeys(of["dataset"] for of in labels if of["control"]):
        filters = [("dataset", "==", dataset), ("glitch", "in", controls)]
        samples = pd.read_parquet(folder / "samples.parquet", columns=RANKED, filters=filters)
        for name, ranked in ranked_lists(samples, ranking).items():
            write_csv(folder / "ranked" / f"{name}.csv", ranked)


def _write_parquet(path: Path, frame: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with _parquet(path, table.schema) as file:
        file.write_table(table)


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A Parquet file to write tables to, one after another."""
    repeated = [field.name for field in schema if not pa.types.is_floating(field.type)]
    options = {"compression": "zstd", "use_dictionary": repeated}  # scores differ: a dictionary of them only costs
    # without Arrow's schema, text that is handed over as numbers of words is read back as text
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, store_schema=False, **options) as writer:
        yield writer


if __name__ == "__main__":
    main(*sys.argv[1:])
