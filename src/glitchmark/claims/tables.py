"""The tables of one or several runs, pooled for claims."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from glitchmark.claims.files import COLUMNS, TABLES, Claim
from glitchmark.errors import UserError

SCORE_COLUMNS = ("dataset", "model", "glitch", "ratio", "validation_noise", "seed", "sample_id", "score")
SETTINGS = ("data", "training")  # columns that tell runs with different settings apart, see pooled
OF_DATA, OF_TRAINING = ("inject", "toy"), ("train",)  # stages whose keys say so


class Tables(NamedTuple):
    """Tables of pooled runs, each with the columns run, data and training besides; see ``pooled``.

    parts: table -> name of what is measured (a metric, series or stage) -> its rows; the value of costs are seconds.
    settings: see ``_settings``. folders: run -> its folder, where samples.parquet lies.
    """

    parts: dict[str, dict[str, pd.DataFrame]]
    settings: dict[str, pd.DataFrame]
    folders: dict[str, Path]

    def scores(self, filters: list[tuple[str, str, Any]], runs: Iterable[str]) -> pd.DataFrame:
        """Rows of samples.parquet of these runs that fit pyarrow's ``filters``, with the settings' columns."""
        parts = [
            pq.read_table(self.folders[run] / "samples.parquet", columns=list(SCORE_COLUMNS), filters=filters)
            .to_pandas()
            .assign(run=run)
            for run in runs
        ]
        return _with_settings(pd.concat(parts), self.settings)


def read(folders: list[Path], claims: list[Claim]) -> Tables:
    """The tables of runs, as far as these claims read them. Raises UserError where a folder holds none."""
    names = {table: _named(claims, table, column) for table, column in TABLES.items()}
    parts: dict[str, list[pd.DataFrame]] = {table: [] for table in TABLES}
    for folder in folders:
        for table, columns in COLUMNS.items():
            wanted = {*names[table], *OF_DATA, *OF_TRAINING} if table == "costs" else names[table]
            frame = _read(folder / f"{table}.parquet", columns, (TABLES[table], "in", wanted))
            parts[table].append(frame.assign(run=folder.name))
    metrics, series, costs = (pd.concat(frames, ignore_index=True) for frames in parts.values())
    return pooled(metrics, series, costs, {folder.name: folder for folder in folders})


def pooled(metrics: pd.DataFrame, series: pd.DataFrame, costs: pd.DataFrame, folders: dict[str, Path]) -> Tables:
    """Tables of several runs, given with a column ``run``, in which a cell that stands in two runs counts once.

    Two runs have the same settings for a data set where they share an injected training set (its key in the store), and
    for a data set and model where they share a trained model. ``data`` and ``training`` name the first run with these
    settings. Blocks are made within them, so that runs with different settings are never mixed.
    """
    settings = _settings(costs)
    costs = costs.drop_duplicates("key").rename(columns={"seconds": "value"})
    frames = [_with_settings(frame, settings) for frame in (metrics, series, costs)]
    for i, frame in enumerate(frames[:2]):
        own = [column for column in frame if column not in ("run", "variant", "value", "status")]
        if frame["run"].nunique() > 1:
            frames[i] = frame.drop_duplicates(own)
    parts = {
        table: {str(name): rows.drop(columns=column) for name, rows in frame.groupby(column, sort=False)}
        for (table, column), frame in zip(TABLES.items(), frames, strict=True)
    }
    return Tables(parts, settings, folders)


def _named(claims: list[Claim], table: str, column: str) -> set[str]:
    """What is measured, of all that the claims read of a table. Rank correlations look up F1 to see what was run."""
    found = {"f1"} if table == "metrics" else set()
    for claim in claims:
        for filters in (claim.where, claim.a, claim.b):
            if claim.table == table and column in filters:
                found.update(np.atleast_1d(filters[column]).tolist())
    return found


def _read(path: Path, columns: tuple[str, ...], wanted: tuple[str, str, set[str]]) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"there is no table '{path}'; give the folder of a finished run, such as results/default.")
    stored = pq.read_schema(path).names
    if not stored:  # a run without a single measurement
        return pd.DataFrame(columns=list(columns))
    lacking = [column for column in columns if column not in stored]
    if lacking:
        raise UserError(f"'{path}' has no column '{lacking[0]}': an older version wrote it; run that config again.")
    frame = pq.read_table(path, columns=list(columns), filters=[wanted]).to_pandas()
    texts = [column for column in frame if not pd.api.types.is_numeric_dtype(frame[column])]
    return frame.fillna(dict.fromkeys(texts, ""))


def _settings(costs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For data and training: columns run, dataset (and model), and the first run with the same settings."""
    found = {}
    for name, stages, columns in (("data", OF_DATA, ["dataset"]), ("training", OF_TRAINING, ["dataset", "model"])):
        rows = costs.loc[costs["stage"].isin(stages), ["run", *columns, "key"]]
        first = rows.groupby("key", sort=False)["run"].transform("first")
        order = {run: place for place, run in enumerate(rows["run"].unique())}
        rows = rows.assign(**{name: first}).sort_values(name, key=lambda runs: runs.map(order), kind="stable")
        found[name] = rows.drop_duplicates(["run", *columns])[["run", *columns, name]]
    return found


def _with_settings(frame: pd.DataFrame, settings: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The frame with the columns data and training; training is empty for what reads no model."""
    for name, known in settings.items():
        columns = [column for column in known if column != name]
        frame = frame.drop(columns=name, errors="ignore").merge(known, on=columns, how="left")
        frame[name] = frame[name].fillna(frame["run"])
    frame["training"] = frame["training"].where(frame["model"] != "", "")
    return frame
