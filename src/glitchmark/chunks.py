"""Nodes -> chunks, the jobs that Snakemake schedules, and the small files through which the two talk.

A chunk's job reads its *order*, ``<results>/<run>/plan/<stage>/<name>-<digest>.json``, computes the keys that the
store lacks, and writes its *manifest*, ``<results>/<run>/manifests/<stage>/<name>-<digest>.json``. The digest is that
of all that the results depend on: where the manifest is there, there is nothing to do, whatever any file's time.
The jobs that write tables and figures overwrite those of another config, and remove the manifests that say those are
there.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glitchmark.chunk import Chunk, plugin_files
from glitchmark.errors import Unavailable
from glitchmark.manifests import read_manifest
from glitchmark.nodes import Node
from glitchmark.plan import Plan
from glitchmark.products import STAGES, Products
from glitchmark.resolve import resolve
from glitchmark.store import Store, write_text

# stages whose cells are heavy enough to be spread over several jobs
SPREAD = ("train", "crossval", "influence", "dynamics", "matrix", "agreement", "refit", "retrain")
UNASKED = ("report",)  # made only when asked for


class Workflow:
    """A config's run as Snakemake sees it: chunks, paths and what is there already."""

    def __init__(self, config: dict[str, Any]):
        """config: validated. Raises UserError for entries that cannot work; runs nothing, writes nothing."""
        self.config = config
        self.grid = resolve(config)
        self.folder = Path(config["results_dir"]) / config["run"]
        self.figures = Path(config["figures_dir"]) / config["run"]
        self.store = Store(Path(config["results_dir"]) / "store")
        self.features = Path(config["results_dir"]) / "features"
        self.plan = Plan(self.grid)
        chunks = self._cell_chunks()
        chunks += Products(self.grid, self.plan, self.folder, self.figures, self.store, chunks).chunks()
        self.chunks = {(chunk.stage, chunk.name): chunk for chunk in chunks}

    @property
    def gpu(self) -> int:
        """How many GPUs a job that computes with a network asks Snakemake for; torch is not imported to find out."""
        device = self.config["device"]
        return int(device == "cuda" or (device == "auto" and any(Path("/dev").glob("nvidia[0-9]*"))))

    def manifest(self, stage: str, name: str) -> str:
        """Path of a chunk's manifest."""
        return f"{self.folder}/manifests/{stage}/{name}-{self.chunks[stage, name].digest}.json"

    def upstream(self, stage: str, name: str) -> list[str]:
        """The manifests that must be there before a chunk's job can start."""
        return [self.manifest(*chunk) for chunk in self.chunks[stage, name].upstream]

    def order(self, stage: str, name: str) -> str:
        """Path of a chunk's order."""
        return f"{self.folder}/plan/{stage}/{name}-{self.chunks[stage, name].digest}.json"

    def names(self, stage: str) -> list[str]:
        """The chunks of a stage."""
        return [name for s, name in self.chunks if s == stage]

    def write_orders(self) -> None:
        """Write every chunk's order and the list of keys that this run refers to."""
        for (stage, name), chunk in self.chunks.items():
            write_text(Path(self.order(stage, name)), json.dumps(chunk.order, indent=1, sort_keys=True) + "\n")
        keys = sorted(self.plan.nodes)
        write_text(self.folder / "plan" / "keys.json", json.dumps(keys, indent=0) + "\n")

    def forget_lost(self) -> None:
        """Remove the manifests that name results which the store has lost, and with ``retry_failed`` the recorded
        failures. Snakemake then runs these chunks and the tables, and they compute what is missing.

        Where something was unavailable, the chunk and all that it comes from run again: their jobs try that once more
        (see job.py) and find the rest in the store.
        """
        there, waiting = self.store.keys(), set()
        for chunk in self.chunks:
            manifest = read_manifest(Path(self.manifest(*chunk)))
            if manifest is None:
                continue
            failed = manifest["failed"]
            if self.config["retry_failed"]:
                for key in sorted(set(failed) & there):
                    if self.store.open(key).failure is not None:  # another run may have mended it
                        self.store.remove(key)
                        there.remove(key)
            # the tables' manifest repeats the failures of all
            if chunk[0] not in STAGES and any(reason.startswith(Unavailable.MARK) for reason in failed.values()):
                waiting |= self._with_upstream(chunk)
            # drawing is cheap, and what stood in its way may be gone
            again = failed and (self.config["retry_failed"] or chunk[0] == "figures")
            if again or not there.issuperset(manifest["keys"]):
                waiting.add(chunk)
        if any(chunk[0] not in STAGES for chunk in waiting):
            # under the same keys there may be other results now; figures whose inputs are the same stay (see figures)
            waiting |= {chunk for chunk in self.chunks if chunk[0] in STAGES}
        if waiting:
            for chunk in waiting:
                Path(self.manifest(*chunk)).unlink(missing_ok=True)

    def _with_upstream(self, chunk: tuple[str, str]) -> set[tuple[str, str]]:
        """A chunk and all chunks that it comes from."""
        found, open_ones = set(), [chunk]
        while open_ones:
            found.add(one := open_ones.pop())
            open_ones += set(self.chunks[one].upstream) - found
        return found

    def missing(self) -> int:
        """How many of the run's results the store lacks."""
        return len(set(self.plan.nodes) - self.store.keys())

    def failures(self) -> dict[str, str]:
        """Key -> reason of every recorded failure of this run."""
        found: dict[str, str] = {}
        for stage, name in self.chunks:
            manifest = read_manifest(Path(self.manifest(stage, name)))
            found |= manifest["failed"] if manifest else {}
        return found

    def unfinished(self) -> list[str]:
        """Chunks with results that are not there, "stage/name" each."""
        there = self.store.keys()
        done = {
            chunk: Path(self.manifest(*chunk)).is_file()
            if chunk[0] in STAGES
            else there.issuperset(self.chunks[chunk].order["identity"])
            for chunk in self.chunks
            if chunk[0] not in UNASKED
        }
        return ["/".join(chunk) for chunk, finished in done.items() if not finished]

    def _cell_chunks(self) -> list[Chunk]:
        groups: dict[tuple[str, str], list[Node]] = {}
        for node in self.plan.nodes.values():
            groups.setdefault((node.stage, node.group), []).append(node)
        parts: list[tuple[str, str, Sequence[Node]]] = []
        for (stage, group), nodes in groups.items():
            step = self.config["cells_per_job"] if stage in SPREAD else len(nodes)
            for i in range(0, len(nodes), step):
                parts.append((stage, f"{group}-{i // step}" if stage in SPREAD else group, nodes[i : i + step]))
        home = {node.key: (stage, name) for stage, name, nodes in parts for node in nodes}
        chunks = []
        for stage, name, nodes in parts:
            order = {
                "stage": stage,
                "chunk": name,
                "identity": [node.key for node in nodes],
                "store": str(self.store.folder),
                "features": str(self.features),
                "threads": self.config["threads"],
                "plugins": plugin_files(plugin for node in nodes for plugin in node.plugins),
                "nodes": [_node_order(node) for node in nodes],
            }
            upstream = sorted({home[key] for node in nodes for key in node.inputs.values()})
            chunks.append(Chunk(stage, name, order, tuple(upstream)))
        return chunks


def _node_order(node: Node) -> dict[str, Any]:
    """What a job must know of a node."""
    names = ("key", "spec", "inputs", "paths", "code", "libraries")
    origins = [[isinstance(origin, Path), str(origin)] for origin in node.origins]
    return {name: getattr(node, name) for name in names} | {"origins": origins}
