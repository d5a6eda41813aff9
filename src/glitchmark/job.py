"""A job: computes the keys of one chunk that the store lacks. ``python -m glitchmark.job ORDER MANIFEST``"""

import importlib
import json
import os
import platform
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glitchmark.store import Store

Order = dict[str, Any]


def main(order_path: str, manifest_path: str) -> int:
    """Run a chunk's order and write its manifest; returns the exit status."""
    order = json.loads(Path(order_path).read_text())
    # before NumPy and torch start their threads: results must not depend on how many cores are free
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ[name] = str(order["threads"])
    from glitchmark.errors import UserError
    from glitchmark.manifests import write_manifest
    from glitchmark.store import DamagedEntry, Store, mending

    store, damaged = Store(order["store"]), []
    with mending(store):
        missing = [node for node in order["nodes"] if not _is_there(store, node["key"])]
        try:
            compute = _load(order, missing) if missing else None
        except UserError as error:
            print(f"glitchmark: {order['stage']} {order['chunk']}: {error}", file=sys.stderr)
            return 2
        for node in missing:
            store.remove(node["key"])
            try:
                _put(store, order, node, compute)
            except DamagedEntry as error:  # the others go on, so that one more run is enough
                store.remove(error.key)
                damaged.append(error)
        if damaged:
            raise damaged[0]
        failures = {node["key"]: store.open(node["key"]).failure for node in order["nodes"]}
    failed = {key: reason for key, reason in failures.items() if reason is not None}
    write_manifest(manifest_path, order_path, list(failures), failed)
    return 0


def _is_there(store: "Store", key: str) -> bool:
    """Whether a result needs no computing: what was unavailable is tried again."""
    from glitchmark.errors import Unavailable

    return key in store and not (store.open(key).failure or "").startswith(Unavailable.MARK)


def _load(order: Order, nodes: list[dict]) -> Any:
    """The stage's compute function, with the plug-in files loaded; refuses code that is not the plan's.

    A result's key covers the code as it was when the plan was made, so an edit since then must not be stored under it.
    """
    from glitchmark import registry, sources
    from glitchmark.errors import UserError

    for kind, path in order["plugins"]:
        registry.load(kind, "", path)
    stage = importlib.import_module(f"glitchmark.stages.{order['stage']}")
    for origins, digest in {(tuple(map(tuple, node["origins"])), node["code"]) for node in nodes}:
        if sources.digest(*(Path(name) if is_file else name for is_file, name in origins)) != digest:
            raise UserError("the code was edited since this run was planned; run again.")
    return stage.compute


def _put(store: "Store", order: Order, node: dict, compute: Any) -> None:
    """Compute a node and store it, or the reason why it failed."""
    from glitchmark.errors import CellError, Unavailable, UserError
    from glitchmark.store import DamagedEntry, UpstreamFailure

    start, cpu = time.perf_counter(), time.process_time()
    arrays, info, failure, trace = {}, {}, None, ""
    try:
        inputs = {name: store.get(key) for name, key in node["inputs"].items()}
        runtime = {name: order[name] for name in ("threads", "features")}
        arrays, info = compute(node["spec"], inputs, runtime | {"paths": node["paths"]})
    except DamagedEntry:
        raise  # not this cell's fault: see store.mending
    except Unavailable as error:
        failure = f"{Unavailable.MARK}{error}"
    except (UpstreamFailure, CellError, UserError) as error:
        failure = str(error)
    except (Exception, SystemExit) as error:  # a plug-in that calls sys.exit() fails its cell, not its siblings
        failure, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported here
            failure = (
                f"{Unavailable.MARK}the GPU's memory was full; run again with fewer jobs at a time: --resources gpu=1"
            )
    cost = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_memory_mb": _peak_memory_mb(),  # of the process so far: the cells of a job share it
    }
    record = {"stage": order["stage"], "spec": node["spec"], "inputs": node["inputs"], "cost": cost}
    provenance = _provenance() | {name: node[name] for name in ("code", "libraries")} | {"threads": order["threads"]}
    store.put(node["key"], arrays, info, failure=failure, trace=trace, provenance=provenance, **record)


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # bytes there, kilobytes elsewhere


def _provenance() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
