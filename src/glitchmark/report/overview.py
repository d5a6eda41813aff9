"""What was run and which methods found most: the report's summary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glitchmark.evaluation.selection import of_largest_ratio, representative
from glitchmark.evaluation.statistics import mean_interval
from glitchmark.report.tables import Table, table

TEXTS = ("model", "estimator", "method", "variant", "class", "action")  # columns of summary.csv that may be empty
CELL = ("dataset", "model", "seed")
KIND = ("modality", "glitch", "ratio")
PLACES = ("best", "second", "third")  # columns: methods of each glitch
MODALITIES = {"image": "images", "table": "tables"}
MAIN = {
    "f1": "F1",
    "average_precision": "average precision",
    "auroc": "AUROC",
    "repair_accuracy": "repair",
    "characterisation_accuracy": "characterisation",
}  # metrics of the table of results


def facts(costs: pd.DataFrame | None, keys: int, failed: int) -> list[tuple[str, str]]:
    """What was run, (name, value) each. costs: costs.parquet. keys: number of results. failed: how many of them."""
    found = []
    if costs is not None:
        seconds, toys = costs["seconds"].sum(), costs["modality"] == "toy"
        of_toys, costs = costs[toys], costs[~toys]
        named = costs.dropna(subset="glitch")  # other data sets only lend anomalies
        glitches = (named["glitch"] + named["ratio"].map(" {:g}".format)).str.removesuffix(" 0")
        found = [
            ("data sets", _listed(named["dataset"])),
            ("models", _listed(costs["model"])),
            ("glitches", _listed(glitches)),
            ("seeds", _listed(costs["seed"].dropna().astype(int))),
            ("methods", _listed(costs["method"])),
            ("toy problems", _listed(of_toys["dataset"])),
            ("minutes of computing", f"{seconds / 60:.1f}, summed over all results, whenever they were made"),
        ]
    found.append(("results", f"{keys:,}"))
    return [
        *((name, value) for name, value in found if value),
        ("failures", f"{failed} of {keys:,} results" if failed else "none"),
    ]


def best_methods(metrics: pd.DataFrame) -> tuple[Table, str] | None:
    """The methods with the highest mean F1 for each kind of data and glitch, and the main finding in one sentence.

    metrics: the rows of metrics.parquet with metric f1. A data set counts once whatever its number of models, a seed
    once whatever its number of data sets; of several validation ratios, the largest counts, of several estimators the
    first, and those with the least noise in the validation labels. A method is ranked where it has a value in every
    data set, model and seed of its kind; how many are left out is said. None where there is nothing to rank.
    """
    plain = (metrics["class"] == "") & (metrics["method"] != "") & (metrics["action"] == "")
    rows = metrics[metrics["modality"].isin(MODALITIES) & plain]
    if rows.empty:
        return None
    rows = of_largest_ratio(representative(rows))
    rows = rows.assign(method=rows["method"] + rows["variant"].map(lambda v: f" ({v})" if v else ""))
    told, first = [], []
    for (modality, glitch, ratio), cells in rows.groupby(list(KIND), sort=False):
        ranked, left_out = _ranked(cells)
        if not ranked:
            continue
        row = {"data": MODALITIES[modality], "glitch": glitch, "ratio": ratio, "data_sets": cells["dataset"].nunique()}
        row |= {place: _told(*of) for place, of in zip(PLACES, ranked, strict=False)}
        told.append(row | {"not_ranked": len(left_out)})
        first.append(ranked[0][0])
    if not told:
        return None
    counts = pd.Series(first).value_counts(sort=False).sort_values(ascending=False, kind="stable")
    names = list(counts.index[counts == counts.iloc[0]])
    subject = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    verb, each = ("is", "") if len(names) == 1 else ("are", " each")
    finding = (
        f"By mean F1, {subject} {verb} first in {counts.iloc[0]} of {len(first)} combinations of data and glitch{each}."
    )
    notes = (
        "F1 of flagging the true number of glitches: mean over data sets and models, with the bootstrap 95 % interval "
        "over seeds (none with one seed). Where intervals overlap, the order may be chance.",
        "Not ranked: methods without a value in some data set, model or seed (failed or not run).",
    )
    return table(
        pd.DataFrame(told), "best-methods", "Best methods by glitch", formats={"ratio": "g"}, notes=notes
    ), finding


def _ranked(cells: pd.DataFrame) -> tuple[list[tuple[str, np.ndarray]], list[str]]:
    """Method and its means by seed (n,), the best first, and the methods that miss a cell."""
    pairs = {(d, s) for d, s in zip(cells["dataset"], cells["seed"], strict=True)}
    with_model = cells[cells["model"] != ""]
    triples = set(zip(*(with_model[name] for name in CELL), strict=True))
    found, left_out = {}, []
    for name, of in cells.groupby("method", sort=False):
        there = of.dropna(subset="value")
        got = set(zip(*(there[column] for column in CELL), strict=True))
        whole = {(d, s) for d, _, s in got} >= pairs if (of["model"] == "").all() else got >= triples
        if not whole:
            left_out.append(name)
            continue
        found[name] = of.groupby(["seed", "dataset"])["value"].mean().groupby("seed").mean().to_numpy()
    return sorted(found.items(), key=lambda item: -item[1].mean()), left_out


def _told(method: str, by_seed: np.ndarray) -> str:
    """The method with its mean and, where there are several seeds, the interval; the latter in one line."""
    mean, low, high = mean_interval(by_seed)
    return f"{method} {mean:.2f}" + ("" if np.isnan(low) else f" [{low:.2f},\u00a0{high:.2f}]")


def _listed(values: pd.Series) -> str:
    """The distinct values in the order of their appearance."""
    names = [str(value) for value in values.dropna().unique()]
    return ", ".join(name for name in names if name)


def main_rows(summary: pd.DataFrame, limit: int) -> tuple[pd.DataFrame, int]:
    """What summary.csv says of every data set, model, glitch and method, a row each: the means of the main metrics.

    Returns at most ``limit`` rows, and how many there are.
    """
    rows = summary.fillna(dict.fromkeys(TEXTS, ""))
    rows = rows[(rows["class"] == "") & (rows["action"] == "") & (rows["method"] != "") & (rows["modality"] != "toy")]
    rows = rows[rows["metric"].isin(MAIN)]
    rows = of_largest_ratio(rows)
    index = ["method", "dataset", "model", "glitch", "ratio", "variant", "estimator", "validation_noise"]
    wide = rows.set_index([*index, "metric"])["mean"].unstack("metric").reindex(columns=list(MAIN))
    f1 = rows[rows["metric"] == "f1"].set_index(index)[["lower", "upper", "n", "failed"]]
    wide = wide.join(f1).reset_index()
    varied = [name for name in index[5:] if wide.loc[wide[name] != "", name].nunique() > (name != "variant")]
    shown: dict[str, Any] = {name: wide[name] for name in (*index[:5], *varied)}
    interval = [
        "" if np.isnan(low) else f"[{low:.3f},\u00a0{high:.3f}]"
        for low, high in zip(wide["lower"], wide["upper"], strict=True)
    ]
    shown |= {"F1": wide["f1"], "interval of F1": interval}
    shown |= {title: wide[name] for name, title in MAIN.items() if name != "f1"}
    shown |= {"seeds": wide["n"], "failed": wide["failed"]}
    frame = pd.DataFrame(shown).sort_values("F1", ascending=False, kind="stable")
    return frame.head(limit), len(frame)
