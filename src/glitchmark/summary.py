"""The last screen: what was made, in how long, and what failed. ``python -m glitchmark.summary MANIFEST...`` fails a
run whose cells and figures did not all succeed."""

import csv
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from glitchmark.errors import Unavailable

if TYPE_CHECKING:
    from glitchmark.chunks import Workflow

SHOWN = 10  # failures that are listed; the tables have them all


def show(run: "Workflow", started: float, to_do: int, stopped: bool) -> None:
    """Print the last screen of a run. started: time.time() at its start. to_do: results that were missing then.
    stopped: whether Snakemake gave up; otherwise what is missing was not asked for."""
    failures, unfinished = run.failures(), run.unfinished()
    minutes, seconds = divmod(round(time.time() - started), 60)
    made = to_do - run.missing()
    print(
        f"\nglitchmark, run '{run.config['run']}': {made} results computed in {minutes} min {seconds:02d} s, "
        f"{len(run.plan.nodes) - to_do} were there already"
    )
    if not unfinished:
        print(f"  tables   {run.folder}/  (summary.csv; metrics, samples, series and costs.parquet; claims.csv)")
        if any(glitch.is_control for glitch in run.grid.glitches):
            print(f"  ranked   {run.folder}/ranked/  (most suspicious samples first, for data without known glitches)")
        _show_claims(run.folder / "claims.csv")
        print(f"  figures  {run.figures}/  ({len(run.grid.figures)} figures and tables, PDF and PNG)")
        _show_samples(run)
        _note_directions(run.folder / "notes.json")
    elif not stopped:
        if "samples/samples" not in unfinished:
            _show_samples(run)
        print(f"  {len(unfinished)} jobs of this grid were not asked for, e.g. {', '.join(unfinished[:3])}.")
    else:
        print(f"  UNFINISHED: {len(unfinished)} jobs, e.g. {', '.join(unfinished[:3])}.")
        print("  What they computed is kept; the messages above say why they stopped. Run again to go on.")
    _list_failures(run, failures)
    if not failures and not (unfinished and stopped):
        print("  everything succeeded")


def _show_claims(path: Path) -> None:
    """How many of the papers' claims hold."""
    with open(path, newline="") as file:
        verdicts = Counter(row["verdict"] for row in csv.DictReader(file))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    print(f"  claims   {path}  ({counts}; `glitchmark claims` shows them)")


def _show_samples(run: "Workflow") -> None:
    print(f"  samples  {run.figures}/samples/  (images before and after glitches), {run.folder}/class_counts.csv")


def _note_directions(notes: Path) -> None:
    """Methods whose scores are highest for clean samples: higher is to mean more suspicious."""
    turned = json.loads(notes.read_text())["turned"]
    if turned:
        methods = ", ".join(f"{method} ({auroc:.2f})" for method, auroc in turned.items())
        print(f"  note     below chance on the glitches that they look for, by mean AUROC: {methods}")


def _list_failures(run: "Workflow", failures: dict[str, str]) -> None:
    if not failures:
        return
    cells: dict[str, list[str]] = {}
    for key, reason in failures.items():
        cells.setdefault(reason, []).append(key)
    again = "run again" if _all_unavailable(failures) else "--config retry_failed=true"
    print(f"  FAILED: {len(failures)} results; the others are complete. To try them again: {again}")
    for reason, keys in sorted(cells.items(), key=lambda item: -len(item[1]))[:SHOWN]:
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        print(f"    {_name(run, keys[0])}{more}: {reason}")
    if len(cells) > SHOWN:
        print(f"    ... and {len(cells) - SHOWN} other reasons; the status column of summary.csv has them")


def _all_unavailable(failures: dict[str, str]) -> bool:
    return all(reason.startswith(Unavailable.MARK) for reason in failures.values())


def _name(run: "Workflow", key: str) -> str:
    """What a person calls a result."""
    node = run.plan.nodes.get(key)
    if node is None:  # a figure, whose key is its name
        return key
    labels = next((m.labels for m in run.plan.measurements if m.key == key), node.spec)
    parts = [str(labels[k]) for k in ("dataset", "model", "glitch", "method") if isinstance(labels.get(k), str)]
    seed = f" seed {labels['seed']}" if "seed" in labels else ""
    return f"{node.stage} {'/'.join(p for p in parts if p)}{seed}"


def main(*manifests: str) -> int:
    """0 if no manifest of a run's tables and figures records a failure, else 1 with a line on standard error."""
    failed = {key for path in manifests for key in json.loads(Path(path).read_text())["failed"]}
    if failed:
        print(f"glitchmark: {len(failed)} results failed; the last screen and the tables say why.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
