"""Figures and tables of the run as the page shows them: pictures embedded, tables as text."""

from __future__ import annotations

import io
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from glitchmark.manifests import read_manifest
from glitchmark.report.tables import Table, read_csv, table

WIDE = 1000  # pixels: at 200 dpi, more than a column of a page


class Picture(NamedTuple):
    """src: a data: URL. width, height: pixels."""

    src: str
    width: int
    height: int
    wide: bool


class Shown(NamedTuple):
    """One figure. name: of its plug-in. parameters: those that were set. caption: paragraphs. files: paths that are
    there. missing: what to say where nothing is."""

    id: str
    name: str
    title: str
    reference: str
    parameters: str
    caption: list[str]
    files: list[str]
    picture: Picture | None
    table: Table | None
    missing: str


def shown(figure: dict[str, Any], failed: dict[str, str]) -> Shown:
    """A figure of the order. A table is shown as such where its CSV has rows, else as the picture, which says why it
    has none. What an earlier run drew is not shown: a figure without its own manifest is said to be missing.

    failed: "figure <id>" -> reason why it could not be drawn.
    """
    drawn = read_manifest(figure["manifest"]) is not None
    paths = {kind: Path(path) for kind, path in figure["files"].items() if drawn and Path(path).is_file()}
    content = picture = None
    if "csv" in paths:
        frame = read_csv(paths["csv"])
        if len(frame):
            content = table(frame, f"table-{figure['id']}", figure["title"])
    if content is None and "png" in paths:
        picture = _picture(paths["png"])
    reason = failed.get(f"figure {figure['id']}")
    missing = "Not drawn yet; run the workflow to draw it." if reason is None else f"Drawing it failed: {reason}"
    # a docstring, whose literals stand in double backticks
    paragraphs = [" ".join(part.split()) for part in figure["caption"].replace("``", "").split("\n\n")]
    parameters = ", ".join(f"{name}: {value}" for name, value in figure["params"].items())
    return Shown(
        figure["id"], figure["name"], figure["title"], figure["reference"], parameters, [p for p in paragraphs if p],
        [str(path) for path in paths.values()], picture, content, missing,
    )  # fmt: skip


def _picture(path: Path) -> Picture:
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    return Picture(f"data:image/png;base64,{b64encode(data).decode()}", width, height, width > WIDE)
