"""The job that writes a run's tables. ``python -m glitchmark.evaluation ORDER MANIFEST``"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from glitchmark.evaluation.tables import Tables, ranked_lists
from glitchmark.manifests import replace_manifests
from glitchmark.outputs import replacing, write_csv
from glitchmark.store import mending, write_text


def main(order_path: str, manifest_path: str) -> None:
    """Write metrics, samples, series and costs, and the ranked lists of data without known glitches."""
    order = json.loads(Path(order_path).read_text())
    tables = Tables(order)
    with mending(tables.store):
        failures = _write_tables(tables, Path(order["folder"]), order["settings"]["ranking"])
    replace_manifests(manifest_path, order_path, failures)


def _write_tables(tables: Tables, folder: Path, ranking: str) -> dict[str, str]:
    """Write everything; returns key -> reason of what failed."""
    metrics = tables.metrics()
    _write_parquet(folder / "metrics.parquet", [metrics])
    write_csv(folder / "metrics.csv", metrics)
    write_text(folder / "notes.json", json.dumps({"turned": tables.turned(metrics)}, indent=1) + "\n")
    _write_parquet(folder / "samples.parquet", tables.samples())
    _write_parquet(folder / "series.parquet", [tables.series()])
    _write_parquet(folder / "costs.parquet", [tables.costs()])
    for old in folder.glob("ranked/*.csv"):
        old.unlink()
    for dataset in dict.fromkeys(m["labels"]["dataset"] for m in tables.measurements):
        unknown = list(tables.samples(controls_of=dataset))
        if unknown:
            for name, ranked in ranked_lists(pd.concat(unknown), ranking).items():
                write_csv(folder / "ranked" / f"{name}.csv", ranked)
    return tables.failures()


def _write_parquet(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write frames, one after another, as one Parquet file; an empty one if there are none."""
    remaining = iter(frames)
    first = pa.Table.from_pandas(next(remaining, pd.DataFrame()), preserve_index=False)
    repeated = [field.name for field in first.schema if not pa.types.is_floating(field.type)]
    options = {"compression": "zstd", "use_dictionary": repeated}  # scores differ: a dictionary of them only costs
    with replacing(path) as temporary, pq.ParquetWriter(temporary, first.schema, **options) as writer:
        writer.write_table(first)
        for frame in remaining:
            writer.write_table(pa.Table.from_pandas(frame, schema=first.schema, preserve_index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
