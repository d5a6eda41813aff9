"""The job that draws one figure. ``python -m glitchmark.figures ORDER PDF PNG MANIFEST``"""

import json
import sys
from pathlib import Path

import pandas as pd

from glitchmark import registry
from glitchmark.manifests import replace_manifests
from glitchmark.outputs import save_figure


def main(order_path: str, pdf: str, png: str, manifest_path: str) -> None:
    """Draw the order's figure as PDF and PNG."""
    order = json.loads(Path(order_path).read_text())
    for kind, path in order["plugins"]:
        registry.load(kind, "", path)
    plugin = registry.load("figure", order["figure"]["name"])
    table = pd.read_parquet(Path(order["folder"]) / f"{plugin.info['reads']}.parquet")
    figure = plugin.function(table, **order["figure"]["params"])
    for path in (pdf, png):
        save_figure(Path(path), figure)
    replace_manifests(manifest_path, order_path, {})


if __name__ == "__main__":
    main(*sys.argv[1:])
