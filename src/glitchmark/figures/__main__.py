"""The job that draws figures. ``python -m glitchmark.figures ORDER MANIFEST``

One job draws several, since importing what draws takes longer than drawing. Each figure has a digest of all that it
depends on, kept beside the manifest: those that are there already stay untouched.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from glitchmark import registry
from glitchmark.figures._inputs import Inputs
from glitchmark.manifests import read_manifest, replace_manifests


def main(order_path: str, manifest_path: str) -> None:
    """Draw the figures of an order that are not there yet, and record those that failed."""
    order = json.loads(Path(order_path).read_text())
    for kind, path in order["plugins"]:
        registry.load(kind, "", path)
    inputs, failed = Inputs(order), {}
    for figure in order["figures"]:
        if _is_there(figure):
            continue
        reason = _draw(figure, inputs)
        if reason is None:
            replace_manifests(figure["manifest"], figure["manifest"], {})
        else:
            failed[f"figure {figure['id']}"] = reason
    replace_manifests(manifest_path, order_path, failed)


def _is_there(figure: dict[str, Any]) -> bool:
    return read_manifest(figure["manifest"]) is not None and all(Path(p).is_file() for p in figure["files"].values())


def _draw(figure: dict[str, Any], inputs: Inputs) -> str | None:
    """Draw one figure; the reason why, if that failed: the others are drawn all the same."""
    from glitchmark.figures._tables import drawn
    from glitchmark.outputs import save_figure, write_csv

    plugin = registry.load("figure", figure["name"])
    try:
        result = plugin.function(*(inputs.get(name) for name in plugin.info["reads"]), **figure["params"])
        if plugin.info["form"] == "table":
            write_csv(Path(figure["files"]["csv"]), result)
            result = drawn(result, plugin.info["title"])
        for kind in ("pdf", "png"):
            save_figure(Path(figure["files"][kind]), result)
    except Exception as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
