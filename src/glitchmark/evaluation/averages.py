"""What is averaged over the rows of metrics.parquet."""

import numpy as np
import pandas as pd

from glitchmark.evaluation.frames import METRIC_COLUMNS
from glitchmark.evaluation.statistics import bootstrap_interval

CHANCE = 0.45  # a mean AUROC below it is no accident of few seeds


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """summary.csv: a row for each row of metrics.parquet but its seed and subset, in that order.

    n: seeds with a value; subsets of a seed are averaged first. failed: seeds without one. mean, lower, upper: over
    seeds, see bootstrap_interval; empty bounds for one seed. status: the first reason of a failure, else "ok".
    """
    columns = [name for name in METRIC_COLUMNS if name not in ("subset", "seed", "value", "status")]
    group = table.groupby(columns, sort=False).ngroup()
    rows = table.loc[~group.duplicated(), columns].reset_index(drop=True)
    failed = table["status"].str.startswith("failed")
    by_seed = table.assign(group=group, failed=failed).groupby(["group", "seed"])[["value", "failed"]]
    by_seed = by_seed.agg({"value": "mean", "failed": "any"})
    rows[["n", "failed"]] = by_seed.groupby("group").agg(n=("value", "count"), failed=("failed", "sum"))
    rows[["mean", "lower", "upper"]] = np.nan
    valid = by_seed["value"].dropna()
    size = valid.groupby("group").transform("size")
    for n in sorted(set(size)):
        of_seeds = valid[size == n]
        at = of_seeds.index.get_level_values("group").to_numpy()[::n]
        values = of_seeds.to_numpy().reshape(-1, n)
        rows.loc[at, "mean"] = values.mean(axis=1)
        if n > 1:
            rows.loc[at, ["lower", "upper"]] = bootstrap_interval(values)
    rows["status"] = table["status"][failed].groupby(group[failed]).first().reindex(rows.index, fill_value="ok")
    return rows


def turned(table: pd.DataFrame, targets: dict[str, str], kinds: dict[str, set[str]]) -> dict[str, float]:
    """Method -> mean AUROC, of those that rank below chance the glitches that they look for: their direction may be
    turned. table: metrics.parquet. targets: by method. kinds: by glitch, those that are there."""
    aurocs = table[(table["metric"] == "auroc") & table["method"].isin(list(targets))].dropna(subset="value")
    meant = [targets[m] == "both" or kinds[g] == {targets[m]} for m, g in aurocs[["method", "glitch"]].to_numpy()]
    means = aurocs[np.array(meant, bool)].groupby("method")["value"].mean()
    return means[means < CHANCE].to_dict()
