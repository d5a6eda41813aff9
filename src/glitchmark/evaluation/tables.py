"""The run's tables, from the entries of its measurements.

Columns are those of docs/tables.md; rows are in the order of the grid, so that equal runs give equal bytes.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from glitchmark.evaluation import metrics
from glitchmark.evaluation.selection import representative
from glitchmark.evaluation.series import SERIES
from glitchmark.store import Entry, Store

METRIC_COLUMNS = [
    "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_ratio", "subset", "validation_noise",
    "budget", "seed", "method", "variant", "class", "metric", "value", "status",
]  # fmt: skip
CELL = (
    "dataset", "modality", "model", "estimator", "glitch", "ratio", "validation_noise", "seed", "method", "variant",
)  # fmt: skip
SAMPLE_COLUMNS = [
    *CELL, "sample_id", "name", "observed_label", "true_label", "suggested_label", "glitch_kind", "kind", "score",
    "rank",
]  # fmt: skip
CHANCE = 0.45  # a mean AUROC below it is no accident of few seeds
DETECTION = ("f1", "precision", "recall", "average_precision", "auroc")
FIT = ("training_loss", "training_accuracy", "training_loss_published")
PARAMETERS = {"train": "trained", "crossval": "trained", "features": "frozen"}  # of a stage, which are counted
TRAINING = ("dataset", "modality", "model", "glitch", "ratio", "seed")
# what a result without rows of its own is named by, out of the cell of the first measurement that reads it
SHARED = {
    "pool": ("dataset", "modality"),
    "subset": ("dataset", "modality", "seed"),
    "inject": ("dataset", "modality", "glitch", "ratio", "seed"),
    "validation": ("dataset", "modality", "validation_noise", "seed"),
    "features": ("dataset", "modality", "model"),
    "crossval": TRAINING,
    "matrix": TRAINING,
    "influence": (*TRAINING, "estimator", "validation_noise"),
}


class Truth:
    """What is known of a cell's training samples, read once for all methods."""

    def __init__(self, inject: Entry, pool: Entry):
        arrays = inject.arrays
        self.ids = np.array(arrays["id"])
        self.ties = metrics.tie_break(self.ids)
        self.observed, self.true = np.array(arrays["observed_label"]), np.array(arrays["true_label"])
        self.kind = np.array(arrays["kind"])
        self.class_names = pd.Series([*pool.info["class_names"], ""]).array  # -1, no class, is the last
        self.names = np.full(len(self.ids), "")
        if "names" in pool.arrays:
            own = self.true >= 0  # added samples come from elsewhere
            self.names = np.where(own, pool.arrays["names"][np.where(own, arrays["row"], 0)], "")


class Tables:
    """Reads a run's store. order: the measurements and settings, as the plan wrote them."""

    def __init__(self, order: dict[str, Any]):
        self.order, self.store = order, Store(order["store"])
        self.measurements = order["measurements"]
        self.whole = (order["settings"]["validation"], 0)  # validation ratio and subset of what is told of a model
        self._truth: tuple[str, Truth | None] = ("", None)

    def metrics(self) -> pd.DataFrame:
        """metrics.parquet: a row a measurement."""
        measured = [self._measured(m) for m in self.measurements]
        seen: dict[str, dict[str, None]] = {}  # the metrics of each method: its failed cells are missing from none
        for m, found in zip(self.measurements, measured, strict=True):
            names = seen.setdefault(m["labels"]["method"], dict.fromkeys(DETECTION))
            names |= dict.fromkeys(row["metric"] for row in found or ())
        rows = []
        for m, found in zip(self.measurements, measured, strict=True):
            cell = {column: m["labels"][column] for column in CELL} | {"budget": 0.0}
            rows += [cell | row for row in (self._failed(m, seen) if found is None else found)]
        frame = pd.DataFrame(rows, columns=METRIC_COLUMNS)
        return frame.astype({"value": "float64", "ratio": "float64", "validation_ratio": "float64"})

    def turned(self, table: pd.DataFrame) -> dict[str, float]:
        """Method -> mean AUROC, of those that rank below chance the glitches that they look for: their direction may be
        turned. table: metrics.parquet."""
        targets = {m["labels"]["method"]: m["labels"]["targets"] for m in self.measurements if m["rows"]}
        kinds: dict[str, set[str]] = {}
        for m in {m["inject"]: m for m in self.measurements}.values():
            truth = self._truth_of(m)
            if truth is not None:
                kinds.setdefault(m["labels"]["glitch"], set()).update(np.unique(truth.kind[truth.kind != ""]).tolist())
        aurocs = table[table["metric"] == "auroc"].dropna(subset="value")
        meant = [targets[m] == "both" or kinds[g] == {targets[m]} for m, g in aurocs[["method", "glitch"]].to_numpy()]
        means = aurocs[np.array(meant, bool)].groupby("method")["value"].mean()
        return means[means < CHANCE].to_dict()

    def samples(self, *, controls_of: str | None = None) -> Iterator[pd.DataFrame]:
        """samples.parquet, a frame a cell: a row a method and sample, for the largest validation ratio's first subset.

        controls_of: a data set, of which only the cells in which nothing was broken on purpose count.
        """
        scored = [m for m in self.measurements if m["rows"]]
        if controls_of is not None:
            scored = [m for m in scored if m["labels"]["control"] and m["labels"]["dataset"] == controls_of]
        for _, cell in groupby(scored, key=lambda m: m["inject"]):
            frame = self._sample_rows(list(cell))
            if frame is not None:
                yield frame

    def series(self) -> pd.DataFrame:
        """series.parquet: what has an axis of its own (see evaluation.series)."""
        rows = []
        for m in self.measurements:
            if m["stage"] not in SERIES:
                continue
            entry, (of_entry, names) = self.store.open(m["key"]), SERIES[m["stage"]]
            cell = {column: m["labels"][column] for column in CELL} | {"status": _status(entry)}
            if entry.failure is None:
                rows += [cell | row for row in of_entry(entry, self._truth_of(m).kind)]
            else:
                rows += [cell | {"class": "", "series": name, "x": np.nan, "value": np.nan} for name in names]
        return pd.DataFrame(rows, columns=[*CELL, "class", "series", "x", "value", "status"])

    def costs(self) -> pd.DataFrame:
        """costs.parquet: seconds, CPU seconds, peak memory and parameters of every node, with what it is about."""
        labels = {m["key"]: m["labels"] for m in self.measurements}
        rows: dict[str, dict[str, Any]] = {}
        for key in self.order["nodes"]:  # inputs come before what reads them
            entry = self.store.open(key)
            stage, spec = entry.record["stage"], entry.record["spec"]
            cell = dict.fromkeys(CELL) | {name: spec[name] for name in ("dataset", "seed") if name in spec}
            if key in labels:
                cell |= {column: labels[key][column] for column in CELL}
                for read in (rows[k] for k in entry.record["inputs"].values()):
                    if read["stage"] in SHARED and read["modality"] is None:
                        read |= {column: cell[column] for column in SHARED[read["stage"]]}
            counted = stage in PARAMETERS and entry.failure is None
            parameters = entry.info["parameters"][PARAMETERS[stage]] if counted else np.nan
            rows[key] = {"stage": stage, **cell, "key": key, **entry.record["cost"], "parameters": parameters}
        return pd.DataFrame(list(rows.values()))

    def failures(self) -> dict[str, str]:
        """Key -> reason of every node that failed."""
        reasons = {key: self.store.open(key).failure for key in self.order["nodes"]}
        return {key: reason for key, reason in reasons.items() if reason is not None}

    def _truth_of(self, m: dict[str, Any]) -> Truth | None:
        """The truth of a measurement's cell, None if it could not be made; the last one is kept."""
        if self._truth[0] != m["inject"]:
            inject, pool = self.store.open(m["inject"]), self.store.open(m["pool"])
            truth = None if (inject.failure or pool.failure) is not None else Truth(inject, pool)
            self._truth = (m["inject"], truth)
        return self._truth[1]

    def _sample_rows(self, cell: list[dict[str, Any]]) -> pd.DataFrame | None:
        """Rows about one cell, from its methods that did not fail; None if none did."""
        truth = self._truth_of(cell[0])
        labels, told = [], []
        for m in cell:
            entry = self.store.open(m["key"])
            if entry.failure is None:
                labels.append([m["labels"][column] for column in CELL])
                told.append(_told(entry, m["rows"], truth))
        if not told:
            return None
        known = np.full(len(truth.ids), -1) if cell[0]["labels"]["control"] else truth.true
        samples = {
            "sample_id": truth.ids,
            "name": truth.names,
            "observed_label": truth.class_names.take(truth.observed),
            "true_label": truth.class_names.take(known),
            "glitch_kind": truth.kind,
        }
        method, sample = np.indices((len(told), len(truth.ids))).reshape(2, -1)
        parts = [
            pd.DataFrame(labels, columns=CELL).take(method).reset_index(drop=True),
            pd.DataFrame(samples).take(sample).reset_index(drop=True),
            pd.DataFrame({name: np.concatenate([of[name] for of in told]) for name in told[0]}),
        ]
        frame = pd.concat(parts, axis=1)
        frame["suggested_label"] = truth.class_names.take(frame["suggested_label"].to_numpy())
        return frame[SAMPLE_COLUMNS]

    def _measured(self, m: dict[str, Any]) -> list[dict[str, Any]] | None:
        """What metrics.parquet says of a measurement, beyond its cell; None if it failed."""
        entry = self.store.open(m["key"])
        if entry.failure is not None:
            return None
        if m["stage"] == "train":
            return self._of_training(m, entry)
        return [row for i, draw in enumerate(m["rows"]) for row in _of_score(entry, i, draw, self._truth_of(m))]

    def _of_training(self, m: dict[str, Any], entry: Entry) -> list[dict[str, Any]]:
        arrays, truth = entry.arrays, self._truth_of(m)
        fit = metrics.training_fit(arrays["logits_train"][-1], arrays["labels_train"], truth.true, truth.kind)
        told = [("", "validation_accuracy", entry.info["validation_accuracy"])]
        told += [(kind, name, value) for kind, found in fit.items() for name, value in found.items()]
        return [_row(self.whole, *row) for row in told]

    def _failed(self, m: dict[str, Any], names: dict[str, dict[str, None]]) -> list[dict[str, Any]]:
        """Rows without a value, of what a failed measurement would have told. names: of the metrics by method."""
        status = _status(self.store.open(m["key"]))
        if m["stage"] == "train":
            truth = self._truth_of(m)
            # without training data, which kinds there would have been is not known
            kinds = ["clean"] if truth is None else [kind for kind, _ in metrics.by_kind(truth.kind)]
            told = [("", "validation_accuracy")]
            for kind in kinds:
                told += [(kind, name) for name in (*FIT, *(("true_label_accuracy",) if kind == "mislabeled" else ()))]
            return [_row(self.whole, kind, name, np.nan, status) for kind, name in told]
        return [_row(draw, "", name, np.nan, status) for draw in m["rows"] for name in names[m["labels"]["method"]]]


def _row(draw: tuple[float, int], group: str, metric: str, value: float, status: str = "ok") -> dict[str, Any]:
    ratio, subset = draw
    return {
        "validation_ratio": ratio, "subset": subset, "class": group, "metric": metric, "value": value, "status": status,
    }  # fmt: skip


def _of_score(entry: Entry, i: int, draw: tuple[float, int], truth: Truth) -> Iterator[dict[str, Any]]:
    """What is measured of row i of a score; nothing where no glitch is known."""
    glitched = truth.kind != ""
    if not glitched.any():
        return
    score = np.array(entry.arrays["score"][i])
    status = "constant" if np.all(score == score[0]) else "ok"
    values = metrics.detection(score, metrics.ranking(score, truth.ties), glitched)
    if "suggested" in entry.arrays:
        values |= metrics.repair(entry.arrays["suggested"][i], truth.true, truth.kind == "mislabeled")
    yield from (_row(draw, "", name, value, status) for name, value in values.items())
    if "kind" in entry.arrays:
        for group, told in metrics.characterisation(np.array(entry.arrays["kind"][i]), truth.kind).items():
            yield from (_row(draw, group, name, value, status) for name, value in told.items())


def _told(entry: Entry, rows: list[tuple[float, int]], truth: Truth) -> dict[str, np.ndarray]:
    """What a method says of each sample, for the largest validation ratio's first subset; labels as numbers."""
    i, arrays, n = int(np.argmax([ratio for ratio, _ in rows])), entry.arrays, len(truth.ids)
    score = np.array(arrays["score"][i])
    return {
        "suggested_label": np.array(arrays["suggested"][i]) if "suggested" in arrays else np.full(n, -1),
        "kind": np.array(arrays["kind"][i]) if "kind" in arrays else np.full(n, ""),
        "score": score,
        "rank": metrics.ranking(score, truth.ties),
    }


def _status(entry: Entry) -> str:
    return "ok" if entry.failure is None else f"failed: {entry.failure}"


def ranked_lists(samples: pd.DataFrame, by: str) -> dict[str, pd.DataFrame]:
    """For data without known glitches, a list a data set and model that a person can work through.

    samples: rows of samples.parquet of cells in which nothing was broken. by: the method that orders the lists. Of
    several estimators, the first one counts.
    Each list has a row a sample: its name (a file, where the source has such), its given and suggested label, the kind
    of glitch that it would be, in how many seeds it was training data, and its mean rank under every method, as a share
    of the training set (0 = most suspicious).
    """
    lists = {}
    samples = representative(samples)
    # detectors that read no model are listed with every model
    models = samples.loc[samples["model"] != ""].groupby("dataset", sort=False)["model"].unique()
    for dataset, names in models.items():
        for model in names:
            rows = samples[(samples["dataset"] == dataset) & samples["model"].isin([model, ""])]
            lists[f"{dataset}-{model}"] = _ranked(rows, by)
    return lists


def _ranked(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    size = rows.groupby(["method", "estimator", "seed"])["rank"].transform("max")
    place = rows.assign(place=(rows["rank"] - 1) / size)
    places = place.pivot_table(index="sample_id", columns="method", values="place", aggfunc="mean")
    first = rows.groupby("sample_id")
    table = pd.DataFrame({"name": first["name"].first(), "observed_label": first["observed_label"].first()})
    for column in ("suggested_label", "kind"):
        told = rows[rows[column] != ""]
        preferred = told[told["method"] == by] if by in set(told["method"]) else told
        # most frequent over seeds, the first in the alphabet on a tie
        counts = preferred.groupby(["sample_id", column]).size().rename("count").reset_index()
        counts = counts.sort_values(["sample_id", "count", column], ascending=[True, False, True])
        table[column] = counts.drop_duplicates("sample_id").set_index("sample_id")[column]
    table["seeds"] = first["seed"].nunique()
    table = table.fillna({"suggested_label": "", "kind": ""}).join(places.add_prefix("rank_"))
    first_by = [column for column in (f"rank_{by}",) if column in table]  # gone if the method failed everywhere
    return table.sort_values([*first_by, "sample_id"], kind="stable").reset_index()
