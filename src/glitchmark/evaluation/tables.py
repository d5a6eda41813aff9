"""The run's tables, from the entries of its measurements.

Columns are those of docs/tables.md; rows are in the order of the grid, so that equal runs give equal bytes.
"""

from collections.abc import Iterator
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
CHANCE = 0.45  # a mean AUROC below it is no accident of few seeds
DETECTION = ("f1", "precision", "recall", "average_precision", "auroc")


class Truth:
    """What is known of a cell's training samples, read once for all methods."""

    def __init__(self, inject: Entry, pool: Entry):
        arrays = inject.arrays
        self.ids, self.ties = np.array(arrays["id"]), metrics.tie_break(arrays["id"])
        self.observed, self.true = np.array(arrays["observed_label"]), np.array(arrays["true_label"])
        self.glitch, self.kind = np.array(arrays["glitch"]), np.array(arrays["kind"])
        self.class_names = np.array(pool.info["class_names"])
        self.names = np.full(len(self.ids), "")
        if "names" in pool.arrays:
            own = self.true >= 0  # added samples come from elsewhere
            self.names = np.where(own, pool.arrays["names"][np.where(own, arrays["row"], 0)], "")


class Tables:
    """Reads a run's store. order: the measurements and settings, as the plan wrote them."""

    def __init__(self, order: dict[str, Any]):
        self.order, self.store = order, Store(order["store"])
        self.measurements = order["measurements"]
        self._truth: tuple[str, Truth | None] = ("", None)

    def metrics(self) -> pd.DataFrame:
        """metrics.parquet: a row a measurement."""
        self._seen = self._metrics_by_method()
        rows = [row for measurement in self.measurements for row in self._metric_rows(measurement)]
        frame = pd.DataFrame(rows, columns=METRIC_COLUMNS)
        return frame.astype({"value": "float64", "ratio": "float64", "validation_ratio": "float64"})

    def turned(self, table: pd.DataFrame) -> dict[str, float]:
        """Method -> mean AUROC, of those that rank below chance the glitches that they look for: their direction may be
        turned. table: metrics.parquet."""
        targets = {m["labels"]["method"]: m["labels"]["targets"] for m in self.measurements if m["rows"]}
        kinds: dict[str, set[str]] = {}
        for m in self.measurements:
            truth = self._truth_of(m)
            if truth is not None:
                kinds.setdefault(m["labels"]["glitch"], set()).update(np.unique(truth.kind[truth.kind != ""]).tolist())
        aurocs = table[table["metric"] == "auroc"].dropna(subset="value")
        meant = [targets[m] == "both" or kinds[g] == {targets[m]} for m, g in aurocs[["method", "glitch"]].to_numpy()]
        means = aurocs[np.array(meant, bool)].groupby("method")["value"].mean()
        return means[means < CHANCE].to_dict()

    def samples(self, *, controls_only: bool = False) -> Iterator[pd.DataFrame]:
        """samples.parquet, a frame a measurement: a row a sample, for the largest validation ratio's first subset.

        controls_only: only cells in which nothing was broken on purpose.
        """
        for m in self.measurements:
            if controls_only and not m["labels"]["control"]:
                continue
            entry = self.store.open(m["key"])
            truth = self._truth_of(m)
            if not m["rows"] or entry.failure is not None or truth is None:
                continue
            row = int(np.argmax([ratio for ratio, _ in m["rows"]]))
            score = entry.arrays["score"][row]
            suggested = entry.arrays["suggested"][row] if "suggested" in entry.arrays else None
            names = truth.class_names
            frame = pd.DataFrame({column: [m["labels"][column]] * len(score) for column in CELL})
            frame["sample_id"], frame["name"] = truth.ids, truth.names
            frame["observed_label"] = names[truth.observed]
            known = not m["labels"]["control"]
            frame["true_label"] = np.where(truth.true >= 0, names[truth.true], "") if known else ""
            frame["suggested_label"] = "" if suggested is None else names[suggested]
            frame["glitch_kind"] = truth.kind
            frame["kind"] = np.array(entry.arrays["kind"][row]) if "kind" in entry.arrays else ""
            frame["score"] = score
            frame["rank"] = metrics.ranking(score, truth.ties)
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
        """costs.parquet: seconds, CPU seconds and peak memory of every node; where a table names it, with its cell."""
        labels = {m["key"]: m["labels"] for m in self.measurements}
        rows = []
        for key in self.order["nodes"]:
            record = self.store.open(key).record
            cell = {c: labels.get(key, {}).get(c) for c in CELL}
            for name in ("dataset", "seed"):
                if cell[name] is None:
                    cell[name] = record["spec"].get(name)
            rows.append({"stage": record["stage"], **cell, "key": key, **record["cost"]})
        return pd.DataFrame(rows)

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

    def _metrics_by_method(self) -> dict[str, set[str]]:
        """Which metrics each method yields beyond detection, so that its failed cells are missing from none of them."""
        extra = {"suggested": "repair_accuracy", "kind": "characterisation_accuracy"}
        seen: dict[str, set[str]] = {}
        for m in self.measurements:
            if m["rows"]:
                arrays = self.store.open(m["key"]).arrays
                seen.setdefault(m["labels"]["method"], set()).update(extra[name] for name in extra if name in arrays)
        return seen

    def _metric_rows(self, m: dict[str, Any]) -> Iterator[dict[str, Any]]:
        entry = self.store.open(m["key"])
        base = {column: m["labels"][column] for column in CELL} | {
            "validation_ratio": self.order["settings"]["validation"],
            "subset": 0,
            "budget": 0.0,
            "class": "",
        }
        if m["stage"] == "train":
            value = entry.info.get("validation_accuracy", np.nan)
            yield base | {"metric": "validation_accuracy", "value": value, "status": _status(entry)}
            return
        for row, (ratio, subset) in enumerate(m["rows"]):
            base = base | {"validation_ratio": ratio, "subset": subset}
            if entry.failure is not None:
                names = [*DETECTION, *sorted(self._seen.get(m["labels"]["method"], set()) - set(DETECTION))]
                yield from (base | {"metric": name, "value": np.nan, "status": _status(entry)} for name in names)
                continue
            for group, metric, value, status in self._measured(m, entry, row):
                yield base | {"class": group, "metric": metric, "value": value, "status": status}

    def _measured(self, m: dict[str, Any], entry: Entry, row: int) -> Iterator[tuple[str, str, float, str]]:
        """(class, metric, value, status) of one score; nothing where no glitch is known."""
        truth = self._truth_of(m)
        glitched = truth.kind != ""
        if not glitched.any():
            return
        score = entry.arrays["score"][row]
        status = "constant" if np.all(score == score[0]) else "ok"
        values = metrics.detection(score, metrics.ranking(score, truth.ties), glitched)
        if "suggested" in entry.arrays:
            mislabeled = truth.kind == "mislabeled"
            values |= metrics.repair(entry.arrays["suggested"][row], truth.true, mislabeled)
        yield from (("", metric, value, status) for metric, value in values.items())
        if "kind" in entry.arrays:
            for group, told in metrics.characterisation(np.array(entry.arrays["kind"][row]), truth.kind).items():
                yield from ((group, metric, value, status) for metric, value in told.items())


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
