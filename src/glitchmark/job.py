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


def main(order_path: str, manifest_path: str) -> int:
    """Run a chunk's order and write its manifest; returns the exit status."""
    order = json.loads(Path(order_path).read_text())
    # before NumPy and torch start their threads: results must not depend on how many cores are free
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ[name] = str(order["threads"])
    from glitchmark.errors import UserError
    from glitchmark.manifests import write_manifest
    from glitchmark.store import DamagedEntry, Store

    store = Store(order["store"])
    try:
        failed = {n["key"]: f for n in order["nodes"] if (f := _ensure(store, order, n)) is not None}
    except UserError as error:
        print(f"glitchmark: {order['stage']} {order['chunk']}: {error}", file=sys.stderr)
        return 2
    except DamagedEntry as error:
        store.remove(error.key)
        print(f"glitchmark: {error}; the entry was removed. Run again to compute it anew.", file=sys.stderr)
        return 1
    write_manifest(manifest_path, order_path, [n["key"] for n in order["nodes"]], failed)
    return 0


def _ensure(store, order: dict, node: dict) -> str | None:
    """Compute a node unless it is there; returns the reason if it failed, now or before."""
    from glitchmark.errors import CellError, UserError
    from glitchmark.store import DamagedEntry, UpstreamFailure

    if node["key"] in store:
        return store.open(node["key"]).failure
    record = {"stage": order["stage"], "spec": node["spec"], "inputs": node["inputs"], "provenance": _provenance()}
    start, cpu = time.perf_counter(), time.process_time()
    try:
        inputs = {name: store.get(key) for name, key in node["inputs"].items()}
        arrays, info = _compute(order, node, inputs)
        failure, trace = None, ""
    except (UserError, DamagedEntry, OSError, MemoryError):
        raise  # not this cell's fault alone: the job ends, what it computed stays
    except (UpstreamFailure, CellError) as error:
        arrays, info, failure, trace = {}, {}, str(error), ""
    except (Exception, SystemExit) as error:  # a plug-in that calls sys.exit() fails its cell, not its siblings
        arrays, info, failure, trace = {}, {}, f"{type(error).__name__}: {error}", traceback.format_exc()
    cost = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_memory_mb": _peak_memory_mb(),  # of the process so far: the cells of a job share it
    }
    store.put(node["key"], arrays, info, failure=failure, trace=trace, cost=cost, **record)
    return failure


def _compute(order: dict, node: dict, inputs: dict) -> tuple[dict, dict]:
    from glitchmark import registry

    for kind, path in order["plugins"]:
        registry.load(kind, "", path)
    stage = importlib.import_module(f"glitchmark.stages.{order['stage']}")
    return stage.compute(node["spec"], inputs, {"threads": order["threads"], "paths": node["paths"]})


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # bytes there, kilobytes elsewhere


def _provenance() -> dict[str, str]:
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
