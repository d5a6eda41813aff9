"""Writing what people read: renamed into place, and the same bytes for the same content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table, without its index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".new-{path.name}")
    frame.to_csv(temporary, index=False)
    temporary.replace(path)


def save_figure(path: Path, figure: Figure) -> None:
    """Save a figure as PDF or PNG, by the path's suffix, with no time stamp in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".new-{path.name}")
    metadata = {"CreationDate": None} if path.suffix == ".pdf" else {"Software": None}
    figure.savefig(temporary, format=path.suffix[1:], dpi=200, metadata=metadata)
    temporary.replace(path)
