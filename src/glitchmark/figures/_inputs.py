"""What figures are given: the run's tables, and what lies beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glitchmark.stages._samples import training_inputs
from glitchmark.store import Store, file_digest

TABLES = ("metrics", "series", "costs", "top")
FILES = {name: f"{name}.parquet" for name in TABLES} | {"claims": "claims.csv"}


class Inputs:
    """Reads each input once, whichever figures ask for it. order: of the job, see chunks."""

    def __init__(self, order: dict[str, Any]):
        self.order, self.folder = order, Path(order["folder"])
        self._tables: dict[str, pd.DataFrame] = {}
        self._file_digests: dict[str, str] = {}

    def digests(self, reads: tuple[str, ...]) -> dict[str, str]:
        """Digests of the files among the inputs that a figure reads, "" for one that is not there; the others are told
        by the plan alone."""
        return {name: self._digest(FILES[name]) for name in reads if name in FILES}

    def get(self, name: str) -> Any:
        """What a figure that reads ``name``, one of figures.READS, is given."""
        return self._table(name) if name in TABLES else getattr(self, name)

    def _digest(self, file: str) -> str:
        if file not in self._file_digests:
            path = self.folder / file
            self._file_digests[file] = file_digest(path) if path.is_file() else ""
        return self._file_digests[file]

    def _table(self, name: str) -> pd.DataFrame:
        if name not in self._tables:
            self._tables[name] = pd.read_parquet(self.folder / f"{name}.parquet")
        return self._tables[name].copy(deep=False)

    @cached_property
    def claims(self) -> pd.DataFrame:
        """claims.csv."""
        return pd.read_csv(self.folder / "claims.csv", keep_default_na=False, na_values={"value": [""]})

    @cached_property
    def images(self) -> Callable[..., list[np.ndarray]]:
        """A function (dataset, sample ids, **cell) -> images, uint8 (h, w) or (h, w, 3) each.

        cell: glitch, ratio and seed, which tell how a sample looked in training; what is left out is that of the first
        cell that fits. KeyError for unknown ids.
        """
        store = Store(self.order["store"])

        def read(dataset: str, ids: list[str], **cell: Any) -> list[np.ndarray]:
            asked = {"dataset": dataset, **cell}
            fitting = [c for c in self.order["cells"] if all(c[name] == value for name, value in asked.items())]
            if not fitting:
                raise KeyError(f"no cell of this run is {asked}")
            of = fitting[0]
            inject, pool = store.get(of["inject"]), store.get(of["pool"])
            place = {name: i for i, name in enumerate(inject.arrays["id"].tolist())}
            x = training_inputs({"inject": inject, "pool": pool}, np.array([place[name] for name in ids], int))
            return [image.squeeze() for image in x]

        return read

    @cached_property
    def pipeline(self) -> pd.DataFrame:
        """A row a stage of the run: jobs, results, and the stages that it reads (tuple)."""
        frame = pd.DataFrame(self.order["pipeline"])
        return frame.assign(upstream=frame["upstream"].map(tuple))

    @cached_property
    def methods(self) -> pd.DataFrame:
        """A row a signal, detector and estimator of the run: id, kind, name, and the facts of its decorator."""
        return pd.DataFrame(self.order["methods"])
