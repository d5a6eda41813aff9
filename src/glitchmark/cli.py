"""``glitchmark``: the commands that people call. The jobs that the workflow calls are in job.py and its siblings."""

import argparse
import inspect
import json
import os
import re
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from glitchmark import registry
from glitchmark.chunks import Workflow
from glitchmark.config import SCHEMA, read, validated
from glitchmark.errors import UserError
from glitchmark.feature_store import clean
from glitchmark.lock import hold
from glitchmark.store import Store, mending


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 2 for a mistake of the user's, with one sentence on standard error."""
    arguments, rest = _parser().parse_known_args(argv)
    if rest and arguments.command not in ("run", "report"):
        print(
            f"glitchmark: unknown argument '{rest[0]}'; see 'glitchmark {arguments.command} --help'.", file=sys.stderr
        )
        return 2
    try:
        _sort_config(arguments)
        status = arguments.function(arguments, rest)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `glitchmark list signals | head`: nobody reads on, which is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UserError as error:
        if arguments.verbose:
            raise
        print(f"glitchmark: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="glitchmark", description="Find mislabeled and anomalous training samples.")
    parser.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run a grid; other arguments go to snakemake")
    run.add_argument("--cores", default=str(os.cpu_count()), help="cores to use (default: all)")
    _add_config(run)
    run.set_defaults(function=_run)

    report = commands.add_parser("report", help="run what is missing of a grid, and write its report.html")
    report.add_argument("--cores", default=str(os.cpu_count()), help="cores to use (default: all)")
    _add_config(report)
    report.set_defaults(function=partial(_run, targets=("all", "report")))

    plan = commands.add_parser("plan", help="what a run would compute, without running it")
    _add_config(plan)
    plan.set_defaults(function=_plan)

    listing = commands.add_parser("list", help="the plug-ins of one kind")
    listing.add_argument("kind", choices=[f"{kind}s" if kind != "glitch" else "glitches" for kind in registry.PACKAGES])
    listing.set_defaults(function=_list)

    claims = commands.add_parser("claims", help="what the papers say against what runs measured")
    claims.add_argument("runs", nargs="*", metavar="RUN", help="names of runs, taken together (default: the config's)")
    claims.add_argument("--all", action="store_true", help="also the claims whose cells were not run")
    _add_config(claims)
    claims.set_defaults(function=_claims)

    clean = commands.add_parser("clean", help="remove stored results that no run refers to any more")
    clean.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    _add_config(clean)
    clean.set_defaults(function=_clean)

    new = commands.add_parser("new", help="a template for a plug-in of your own, with its test, in this folder")
    new.add_argument("kind", choices=["signal"])
    new.add_argument("name", help="in lower snake case")
    new.set_defaults(function=_new)

    explain = commands.add_parser("explain", help="the samples that influence others, or are influenced, the most")
    explain.add_argument("samples", nargs="*", metavar="SAMPLE_ID", help="default: the most suspicious ones")
    explain.add_argument("--top", type=int, default=5, help="proponents and opponents of each sample (default: 5)")
    explain.add_argument("--estimator", help="of influence (default: the grid's first one)")
    for name, kind in {"dataset": str, "model": str, "glitch": str, "ratio": float, "seed": int}.items():
        explain.add_argument(f"--{name}", type=kind, help="of the run's cell to look at (default: the first that fits)")
    _add_config(explain)
    explain.set_defaults(function=_explain)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="lay these over config.yaml")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="set single keys; a FILE will do")


def _sort_config(arguments: argparse.Namespace) -> None:
    """``--config config/paper.yaml`` is taken for what it means."""
    given = getattr(arguments, "config", [])
    files = [value for value in given if "=" not in value and value.endswith((".yaml", ".yml"))]
    if files:
        arguments.configfile = [*arguments.configfile, *files]
        arguments.config = [value for value in given if value not in files]


def is_dry_run(arguments: list[str]) -> bool:
    """Whether snakemake's command line asks for a dry run; a workflow file cannot ask Snakemake."""
    return any(re.fullmatch(r"--dry-?run|-[a-zA-Z]*n[a-zA-Z]*", argument) for argument in arguments)


def _root() -> Path:
    root = Path.cwd()
    if not (root / SCHEMA).is_file():
        raise UserError(f"there is no glitchmark project in '{root}'; change to the folder that holds the Snakefile.")
    return root


def _workflow(arguments: argparse.Namespace) -> Workflow:
    root = _root()
    return Workflow(validated(read(root, arguments.configfile, arguments.config), root))


def _run(arguments: argparse.Namespace, rest: list[str], targets: tuple[str, ...] = ()) -> int:
    _workflow(arguments)  # what is wrong with the config is said before snakemake starts
    command = [sys.executable, "-m", "snakemake", "--cores", arguments.cores, *targets]
    for option in ("configfile", "config"):
        values = getattr(arguments, option)
        command += [f"--{option}", *values] if values else []
    os.execv(sys.executable, [*command, *rest])


def _plan(arguments: argparse.Namespace, _: list[str]) -> int:
    run = _workflow(arguments)
    there = run.store.keys()
    cells = sum(node.stage == "train" for node in run.plan.nodes.values())
    print(
        f"run '{run.config['run']}': {cells} cells (data set, model, glitch, seed), {len(run.plan.nodes)} results in "
        f"{len(run.chunks)} jobs"
    )
    print(f"{'stage':<12}{'results':>8}{'to do':>8}{'jobs':>8}")
    for stage in dict.fromkeys(chunk.stage for chunk in run.chunks.values()):
        keys = [key for key, node in run.plan.nodes.items() if node.stage == stage]
        missing = sum(key not in there for key in keys)
        print(f"{stage:<12}{len(keys):>8}{missing:>8}{len(run.names(stage)):>8}")
    skipped = dict.fromkeys(  # of several ratios, once
        f"{glitch.id} on {dataset.id}"
        for glitch in run.grid.glitches
        for dataset in run.grid.datasets
        if not glitch.applies_to(dataset)
    )
    ids = {"dataset": [d.id for d in run.grid.datasets], "model": [m.id for m in run.grid.models]}
    for index, rule in enumerate(run.config["training"]):
        absent = [rule[key] for key, known in ids.items() if key in rule and rule[key] not in known]
        skipped |= dict.fromkeys(f"training[{index}] ({name} is not in this grid)" for name in absent[:1])
    kept = [m.labels["method"] for m in run.plan.measurements]
    skipped |= dict.fromkeys(
        f"detector {d.id} (its models or glitches are not in this grid)" for d in run.grid.detectors if d.id not in kept
    )
    repaired = {(m.labels["action"], m.labels["method"]) for m in run.plan.measurements if m.stage == "retrain"}
    asked = dict.fromkeys((repair.label, method) for repair in run.grid.repairs for method in repair.methods or ("",))
    skipped |= dict.fromkeys(f"repair {' of '.join(filter(None, one))}" for one in asked if one not in repaired)
    if skipped:
        print(f"left out, since they do not apply: {', '.join(skipped)}")
    return 0


def _list(arguments: argparse.Namespace, _: list[str]) -> int:
    kind = "glitch" if arguments.kind == "glitches" else arguments.kind[:-1]
    for name in registry.names(kind):
        plugin = registry.load(kind, name)
        print(f"{name:<18} {plugin.summary}")
        facts = {k: v for k, v in plugin.info.items() if v and isinstance(v, str | int | tuple)}
        for key, value in facts.items():
            print(f"{'':<18} {key}: {' x '.join(map(str, value)) if key == 'shape' else _text(value)}")
        if plugin.parameters:
            print(f"{'':<18} parameters: {', '.join(_parameter(*item) for item in plugin.parameters.items())}")
    return 0


def _parameter(name: str, default: object) -> str:
    return f"{name} (required)" if default is inspect.Parameter.empty else f"{name}={default!r}"


def _text(value: str | int | tuple) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _clean(arguments: argparse.Namespace, _: list[str]) -> int:
    results = Path(validated(read(_root(), arguments.configfile, arguments.config), _root())["results_dir"])
    store, lock = Store(results / "store"), hold(results)
    used: Counter[str] = Counter()
    for path in results.glob("*/plan/keys.json"):
        used.update(json.loads(path.read_text()))
    there = store.keys()
    unused = sorted(there - set(used))
    if not arguments.dry_run:
        store.sweep()
        for key in unused:
            store.remove(key)
    with mending(store):
        segments = clean(results / "features", map(store.open, sorted(there & set(used))), arguments.dry_run)
    lock.close()
    print(
        f"{'would remove' if arguments.dry_run else 'removed'} {len(unused)} results and {segments} segments of "
        f"features; {len(used)} results are in use by runs."
    )
    return 0


def _claims(arguments: argparse.Namespace, _: list[str]) -> int:
    from rich.console import Console  # with pandas and SciPy a second

    from glitchmark.claims.show import show

    config = validated(read(_root(), arguments.configfile, arguments.config), _root())
    folders = [Path(config["results_dir"]) / name for name in arguments.runs or [config["run"]]]
    show(folders, config["claims"], Console(), everything=arguments.all)
    return 0


def _new(arguments: argparse.Namespace, _: list[str]) -> int:
    from glitchmark.scaffold import new_signal

    print(new_signal(arguments.name, Path.cwd()))
    return 0


def _explain(arguments: argparse.Namespace, _: list[str]) -> int:
    from glitchmark.explain import report  # pandas and numba: half a second

    run = _workflow(arguments)
    asked = {name: getattr(arguments, name) for name in ("dataset", "model", "glitch", "ratio", "seed")}
    filters = {name: value for name, value in asked.items() if value is not None}
    with mending(run.store):
        print(report(run, arguments.samples, arguments.top, arguments.estimator, filters))
    return 0


if __name__ == "__main__":
    sys.exit(main())
