"""The job that writes a run's tables. ``python -m glitchmark.evaluation ORDER MANIFEST``"""

import itertools
import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from glitchmark.evaluation.tables import Tables, ranked_lists
from glitchmark.store import write_text


def main(order_path: str, manifest_path: str) -> None:
    """Write metrics, samples, series and costs, and the ranked lists of data without known glitches."""
    order = json.loads(Path(order_path).read_text())
    folder, tables = Path(order["folder"]), Tables(order)
    metrics = tables.metrics()
    _write(folder / "metrics.parquet", [metrics])
    metrics.to_csv(_temporary(folder / "metrics.csv"), index=False)
    _rename(folder / "metrics.csv")
    uncontrolled = _write(folder / "samples.parquet", tables.samples(), keep=lambda f: f["glitch"].iloc[0] == "none")
    _write(folder / "series.parquet", [tables.series()])
    _write(folder / "costs.parquet", [tables.costs()])
    if uncontrolled:
        (folder / "ranked").mkdir(exist_ok=True)
        for name, ranked in ranked_lists(pd.concat(uncontrolled), order["settings"]["ranking"]).items():
            ranked.to_csv(_temporary(folder / "ranked" / f"{name}.csv"), index=False)
            _rename(folder / "ranked" / f"{name}.csv")
    digest = Path(order_path).stem.rsplit("-", 1)[1]
    manifest = {"digest": digest, "keys": [], "failed": tables.failures()}
    write_text(Path(manifest_path), json.dumps(manifest, indent=0) + "\n")


def _write(path: Path, frames, keep=lambda frame: False) -> list[pd.DataFrame]:
    """Write frames, one after another, as one Parquet file; returns those that ``keep`` says to."""
    kept, writer = [], None
    for frame in itertools.chain(frames, [None]):
        if frame is None:  # the end; without any frame, an empty table
            if writer is not None:
                break
            frame = pd.DataFrame()
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if writer is None:
            writer = pq.ParquetWriter(_temporary(path), table.schema, compression="zstd")
        writer.write_table(table.cast(writer.schema))
        if len(frame) and keep(frame):
            kept.append(frame)
    writer.close()
    _rename(path)
    return kept


def _temporary(path: Path) -> Path:
    return path.with_name(f".new-{path.name}")


def _rename(path: Path) -> None:
    _temporary(path).replace(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
