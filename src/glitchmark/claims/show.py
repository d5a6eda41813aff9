"""``glitchmark claims``: the claims table in a terminal."""

from collections import Counter
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glitchmark.claims.files import read_claims
from glitchmark.claims.tables import read
from glitchmark.claims.verdicts import VERDICTS, check
from glitchmark.errors import UserError

STYLES = {"holds": "bold green", "fails": "bold red", "undecided": "yellow", "not run": "dim"}


def show(folders: list[Path], files: list[str], console: Console, *, everything: bool = True) -> pd.DataFrame:
    """Check the claims on the tables of one or several runs and print them; returns the table that was printed.

    files: claims of the user's. everything: also list what was not run. Raises UserError for a folder without tables.
    """
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        raise UserError(f"two of the runs have the same name: {', '.join(names)}; give each folder once.")
    claims = read_claims(files)
    found = check(claims, read(folders, claims))
    shown = found if everything else found[found["verdict"] != "not run"]
    for source, rows in shown.groupby("source", sort=False):
        console.print(_table(str(source), rows))
    counts = Counter(found["verdict"])
    console.print(f"{len(found)} claims: " + ", ".join(f"{counts[name]} {name}" for name in VERDICTS))
    return found


def _table(source: str, rows: pd.DataFrame) -> Table:
    table = Table(title=Text(source, style="bold"), title_justify="left", expand=True, show_lines=False, box=None)
    table.add_column("verdict", no_wrap=True, width=9)
    table.add_column("claim", ratio=1, overflow="fold")
    table.add_column("claimed", no_wrap=True, width=14)
    table.add_column("measured [95 %]", overflow="fold", width=26)
    table.add_column("blocks", justify="right", no_wrap=True, width=6)
    for row in rows.itertuples():
        measured = "" if row.verdict == "not run" else _measured(row.measured, row.lower, row.upper)
        table.add_row(
            Text(row.verdict, style=STYLES[row.verdict]), _sentence(row), row.threshold, measured,
            str(row.blocks) if row.blocks else "",
        )  # fmt: skip
    return table


def _sentence(row) -> Text:
    """The claim, and below it what is missing, failed or extreme."""
    remarks = [f"missing: {row.missing}"] if row.missing else []
    remarks += [row.detail] if row.detail else []
    remarks += [f"{row.failed} failed rows"] if row.failed else []
    remarks += [f"{row.incomplete} incomplete blocks left out"] if row.incomplete else []
    text = Text(row.sentence)
    return text.append(f"\n{row.id}" + "".join(f"; {remark}" for remark in remarks), style="dim")


def _measured(value: float, lower: float, upper: float) -> str:
    return f"{value:.3g}" if pd.isna(lower) else f"{value:.3g} [{lower:.3g}, {upper:.3g}]"
