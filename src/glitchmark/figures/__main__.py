"""The job that draws figures. ``python -m glitchmark.figures ORDER MANIFEST``

One job draws several, since importing what draws takes longer than drawing. Beside the job's manifest each figure has
a record, named by the digest of its code and parameters, with the digests of the tables that it was drawn from and of
its files: where these are what they were, the figure stays untouched.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from glitchmark import registry
from glitchmark.figures._inputs import Inputs
from glitchmark.manifests import read_manifest, replace_manifests
from glitchmark.store import DamagedEntry, Store, file_digest, mending, write_text


def main(order_path: str, manifest_path: str) -> None:
    """Draw the figures of an order that are not there yet, and record those that failed."""
    order = json.loads(Path(order_path).read_text())
    for kind, path in order["plugins"]:
        registry.load(kind, "", path)
    inputs, failed = Inputs(order), {}
    with mending(Store(order["store"])):
        for figure in order["figures"]:
            read = inputs.digests(registry.load("figure", figure["name"]).info["reads"])
            if _is_there(figure, read):
                continue
            reason = _draw(figure, inputs)
            if reason is None:
                _record(figure, read)
            else:
                Path(figure["manifest"]).unlink(missing_ok=True)
                failed[f"figure {figure['id']}"] = reason
    replace_manifests(manifest_path, order_path, failed)


def _is_there(figure: dict[str, Any], read: dict[str, str]) -> bool:
    """Whether it was drawn from these tables, and its files are what was drawn: Snakemake puts back older ones where a
    job is killed."""
    record = read_manifest(figure["manifest"])
    return record is not None and record["read"] == read and record["files"] == _digests(figure)


def _record(figure: dict[str, Any], read: dict[str, str]) -> None:
    replace_manifests(figure["manifest"], figure["manifest"], {})  # removes the records of earlier digests
    record = read_manifest(figure["manifest"]) | {"read": read, "files": _digests(figure)}
    write_text(Path(figure["manifest"]), json.dumps(record, indent=0) + "\n")


def _digests(figure: dict[str, Any]) -> dict[str, str]:
    return {path: file_digest(Path(path)) for path in figure["files"].values() if Path(path).is_file()}


def _draw(figure: dict[str, Any], inputs: Inputs) -> str | None:
    """Draw one figure, or in its place the reason why that failed, which is returned, so that the others go on."""
    from glitchmark.figures._style import empty
    from glitchmark.figures._tables import drawn, not_there
    from glitchmark.outputs import save_figure, write_csv

    plugin, reason = registry.load("figure", figure["name"]), None
    try:
        result = plugin.function(*(inputs.get(name) for name in plugin.info["reads"]), **figure["params"])
        picture = drawn(result, plugin.info["title"]) if plugin.info["form"] == "table" else result
    except DamagedEntry:
        raise  # not this figure's fault: see store.mending
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
        result, picture = not_there(f"failed: {reason}"), empty(f"failed: {reason}")
    if plugin.info["form"] == "table":
        write_csv(Path(figure["files"]["csv"]), result)
    for kind in ("pdf", "png"):
        save_figure(Path(figure["files"][kind]), picture)
    return reason


if __name__ == "__main__":
    main(*sys.argv[1:])
