"""The last screen: what was made, in how long, and what failed. ``python -m glitchmark.summary MANIFEST`` fails a run
whose cells did not all succeed."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glitchmark.chunks import Workflow

SHOWN = 10  # failures that are listed; the tables have them all


def show(run: "Workflow", started: float) -> None:
    """Print the last screen of a run. started: time.time() at its start."""
    failures, unfinished = run.failures(), run.unfinished()
    minutes, seconds = divmod(round(time.time() - started), 60)
    cells = sum(node.stage == "train" for node in run.plan.nodes.values())
    print(
        f"\nglitchmark, run '{run.config['run']}': {cells} trained cells, {len(run.plan.nodes)} results in {minutes} min {seconds:02d} s"
    )
    print(f"  tables   {run.folder}/  (metrics.csv, metrics.parquet, samples.parquet, series.parquet, costs.parquet)")
    if any(glitch.id == "none" for glitch in run.grid.glitches):
        print(f"  ranked   {run.folder}/ranked/  (most suspicious samples first, for data without known glitches)")
    print(f"  figures  {run.figures}/  ({', '.join(run.names('figure')) or 'none'}; PDF and PNG)")
    if unfinished:
        print(
            f"  UNFINISHED: {len(unfinished)} jobs, e.g. {', '.join(unfinished[:3])}; what they finished is kept: run again."
        )
    _list_failures(failures)
    if not unfinished and not failures:
        print("  everything succeeded")


def _list_failures(failures: dict[str, str]) -> None:
    if not failures:
        return
    reasons: dict[str, list[str]] = {}
    for key, reason in failures.items():
        reasons.setdefault(reason, []).append(key)
    print(
        f"  FAILED: {len(failures)} results; the others are complete. Compute them again with --config retry_failed=true"
    )
    for reason, keys in sorted(reasons.items(), key=lambda item: -len(item[1]))[:SHOWN]:
        print(f"    {len(keys)} x {reason}  (e.g. {keys[0]})")


def main(tables_manifest: str) -> int:
    """0 if the manifest of a run's tables records no failure, else 1 with a line on standard error."""
    failed = json.loads(Path(tables_manifest).read_text())["failed"]
    if failed:
        print(f"glitchmark: {len(failed)} results failed; the tables' status column has the reasons.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
