"""The job that shows a run's data. ``python -m glitchmark.samples ORDER MANIFEST``

It needs no training, so that one can look at the glitches before anything is spent on them.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from glitchmark.manifests import replace_manifests
from glitchmark.outputs import save_figure, write_csv
from glitchmark.samples.counts import COUNTS, class_counts
from glitchmark.samples.sheets import contact_sheet, failed_sheet
from glitchmark.store import Store, mending

CELL = ("dataset", "glitch", "ratio", "seed")


def main(order_path: str, manifest_path: str) -> None:
    """Write class_counts.csv and a contact sheet for each image data set and glitch."""
    order = json.loads(Path(order_path).read_text())
    store = Store(order["store"])
    with mending(store):
        counts = pd.concat([_frame(cell, store) for cell in order["cells"]])
        write_csv(Path(order["counts"]), counts.reindex(columns=[*CELL, "class", *COUNTS, "status"]).convert_dtypes())
        for old in [path for kind in ("pdf", "png") for path in Path(order["folder"]).glob(f"*.{kind}")]:
            old.unlink()  # of another config
        for cell in order["cells"]:
            figure = _sheet(cell, store) if cell["sheets"] else None
            for path in cell["sheets"]:
                save_figure(Path(path), figure)
    replace_manifests(manifest_path, order_path, {})


def _failure(cell: dict[str, Any], store: Store) -> str | None:
    """Why a cell cannot be shown, if so."""
    reasons = (store.open(cell[name]).failure for name in ("pool", "subset", "inject"))
    return next((reason for reason in reasons if reason is not None), None)


def _frame(cell: dict[str, Any], store: Store) -> pd.DataFrame:
    """The class counts of one cell; one row that says why where its glitch could not be made."""
    labels, failure = {name: cell[name] for name in CELL}, _failure(cell, store)
    if failure is not None:
        return pd.DataFrame([labels | {"class": "", "status": f"failed: {failure}"}])
    counts = class_counts(*(store.open(cell[name]) for name in ("pool", "subset", "inject")))
    return counts.assign(**labels, status="ok")


def _sheet(cell: dict[str, Any], store: Store) -> Figure:
    ratio = f" {cell['ratio']:g}" if cell["ratio"] else ""
    title = f"{cell['dataset']}, {cell['glitch']}{ratio}, seed {cell['seed']}; below each image its given label"
    failure = _failure(cell, store)
    if failure is not None:
        return failed_sheet(title, failure)
    return contact_sheet(store.open(cell["pool"]), store.open(cell["inject"]), title)


if __name__ == "__main__":
    main(*sys.argv[1:])
