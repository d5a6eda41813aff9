"""Writing what people read: renamed into place, and the same bytes for the same content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; what is written under it takes that file's place at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".new-{path.name}")
    yield temporary
    temporary.replace(path)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table, without its index."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False)


def save_figure(path: Path, figure: Figure) -> None:
    """Save a figure as PDF or PNG, by the path's suffix, with no time stamp in it."""
    metadata = {"CreationDate": None} if path.suffix == ".pdf" else {"Software": None}
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=200, metadata=metadata)
