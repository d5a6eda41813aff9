"""The claims' table: what the papers say, and what was measured."""

import pandas as pd

from glitchmark.report.tables import Table, table

VERDICTS = ("holds", "fails", "undecided", "not run")
MARKS = {"holds": "✓ holds", "fails": "✗ fails", "undecided": "? undecided", "not run": "– not run"}
FIRST = ("verdict", "sentence", "source", "threshold", "measured", "lower", "upper")  # columns; the others follow
FORMATS = dict.fromkeys(("measured", "lower", "upper"), ".3f")
STYLES = {mark: f"verdict {name.replace(' ', '-')}" for name, mark in MARKS.items()}


def claims_table(claims: pd.DataFrame) -> Table:
    """claims: claims.csv, whose empty columns are left out; what was not run comes last.

    A verdict is told in words, not by its colour alone.
    """
    order = (claims["verdict"] == "not run").sort_values(kind="stable").index
    verdicts = claims["verdict"].map(lambda verdict: MARKS.get(verdict, verdict))
    frame = claims.assign(verdict=verdicts).loc[order].dropna(axis="columns", how="all")
    first = [name for name in FIRST if name in frame]
    frame = frame[[*first, *(name for name in frame.columns if name not in first)]]
    return table(frame, "claims-table", "Claims of the papers", formats=FORMATS, styles={"verdict": STYLES})


def counted(claims: pd.DataFrame) -> list[tuple[str, int]]:
    """(verdict, number of claims) each."""
    counts = claims["verdict"].value_counts()
    return [(verdict, int(counts.get(verdict, 0))) for verdict in VERDICTS]
