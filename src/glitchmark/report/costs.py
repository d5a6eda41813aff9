"""What the run cost, by stage and by method."""

import pandas as pd

from glitchmark.report.tables import Table, table

FORMATS = {
    "seconds": ".1f",
    "cpu_seconds": ".1f",
    "seconds_a_result": ".3f",
    "share_of_training": ".3f",
    "peak_memory_mb": ".0f",
}


def by_stage(costs: pd.DataFrame) -> Table:
    """Results, seconds, CPU seconds and the largest memory of each stage. costs: costs.parquet."""
    groups = costs.groupby("stage", sort=False)
    return table(
        _summed(groups), "cost-stage", "Cost by stage", formats=FORMATS,
        notes=("Seconds of the computation itself, without the start of processes. Memory is a process's peak, which "
               "the results of a job share.",),
    )  # fmt: skip


def by_method(costs: pd.DataFrame) -> Table:
    """The same for every signal and detector, beside what training cost on average."""
    rows = costs[costs["method"].notna() & (costs["method"] != "")]
    frame = _summed(rows.groupby(["method", "stage"], sort=False))
    frame.insert(
        5, "share_of_training", frame["seconds_a_result"] / costs.loc[costs["stage"] == "train", "seconds"].mean()
    )
    return table(
        frame.sort_values("seconds", ascending=False, kind="stable"), "cost-method", "Cost by method", formats=FORMATS,
        notes=("Of scoring alone: signals share the influence, and CleanLab the cross-validation, which the stages "
               "above count once. Share of training: a result's seconds over those of the mean training.",),
    )  # fmt: skip


def _summed(groups: pd.api.typing.DataFrameGroupBy) -> pd.DataFrame:
    frame = groups.agg(
        results=("key", "size"),
        seconds=("seconds", "sum"),
        cpu_seconds=("cpu_seconds", "sum"),
        seconds_a_result=("seconds", "mean"),
        peak_memory_mb=("peak_memory_mb", "max"),
    )
    return frame.reset_index()
