"""Nodes -> chunks, the jobs that Snakemake schedules, and the small files through which the two talk.

A chunk's job reads its *order*, ``<results>/<run>/plan/<stage>/<name>-<digest>.json``, computes the keys that the
store lacks, and writes its *manifest*, ``<results>/<run>/manifests/<stage>/<name>.json``. An order's name holds the
digest of its content, so that a running job's order never changes under it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glitchmark import registry
from glitchmark.grid import Grid, resolve
from glitchmark.manifests import read_manifest
from glitchmark.plan import Node, Plan, canonical, code, fingerprint
from glitchmark.store import Store, write_text

STAGES = ("pool", "subset", "inject", "features", "train", "crossval", "influence", "score", "detect")
# stages whose cells are heavy enough to be spread over several jobs
SPREAD = ("features", "train", "crossval", "influence")


@dataclass(frozen=True)
class Chunk:
    """order: what the job does, JSON. upstream: manifests that must be there first."""

    stage: str
    name: str
    order: dict[str, Any]
    upstream: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of the order: equal digests mean equal results."""
        return fingerprint(canonical(self.order["identity"]))


class Workflow:
    """A config's run as Snakemake sees it: chunks, paths and what is there already."""

    def __init__(self, config: dict[str, Any]):
        """config: validated. Raises UserError for entries that cannot work; runs nothing, writes nothing."""
        self.config = config
        self.grid: Grid = resolve(config)
        self.folder = Path(config["results_dir"]) / config["run"]
        self.figures = Path(config["figures_dir"]) / config["run"]
        self.store = Store(Path(config["results_dir"]) / "store")
        self.plan = Plan(self.grid)
        chunks = self._cell_chunks()
        tables = self._table_chunk(chunks)
        chunks += [tables, *self._figure_chunks(tables)]
        self.chunks = {(chunk.stage, chunk.name): chunk for chunk in chunks}

    def manifest(self, stage: str, name: str) -> str:
        """Path of a chunk's manifest."""
        return f"{self.folder}/manifests/{stage}/{name}.json"

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

    def forget_outdated(self) -> None:
        """Remove the manifests that do not tell the truth: of another order, or naming keys that the store has lost.

        With ``retry_failed``, recorded failures are removed as well. Snakemake then runs these chunks, and they
        compute what is missing.
        """
        there = self.store.keys()
        for (stage, name), chunk in self.chunks.items():
            path = Path(self.manifest(stage, name))
            manifest = read_manifest(path)
            if manifest is None:
                continue
            failed = manifest["failed"] if self.config["retry_failed"] else {}
            for key in sorted(set(failed) & there):
                self.store.remove(key)
                there.remove(key)
            if manifest["digest"] != chunk.digest or not there.issuperset(manifest["keys"]):
                path.unlink()

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
        """Chunks without a manifest, "stage/name" each."""
        return [f"{s}/{n}" for s, n in self.chunks if not Path(self.manifest(s, n)).is_file()]

    def _cell_chunks(self) -> list[Chunk]:
        groups: dict[tuple[str, str], list[Node]] = {}
        for node in self.plan.nodes.values():
            groups.setdefault((node.stage, node.group), []).append(node)
        parts: list[tuple[str, str, Sequence[Node]]] = []
        for (stage, group), nodes in groups.items():
            step = self.config["cells_per_job"] if stage in SPREAD else len(nodes)
            for i in range(0, len(nodes), step):
                parts.append((stage, f"{group}-{i // step}" if stage in SPREAD else group, nodes[i : i + step]))
        home = {node.key: self.manifest(stage, name) for stage, name, nodes in parts for node in nodes}
        plugins = registry.files()
        chunks = []
        for stage, name, nodes in parts:
            order = {
                "stage": stage,
                "chunk": name,
                "identity": [node.key for node in nodes],
                "store": str(self.store.folder),
                "threads": self.config["threads"],
                "plugins": plugins,
                "nodes": [{"key": n.key, "spec": n.spec, "inputs": n.inputs, "paths": n.paths} for n in nodes],
            }
            upstream = sorted(
                {home[key] for node in nodes for key in node.inputs.values()} - {self.manifest(stage, name)}
            )
            chunks.append(Chunk(stage, name, order, tuple(upstream)))
        return chunks

    def _table_chunk(self, cells: list[Chunk]) -> Chunk:
        settings = {key: self.config[key] for key in ("validation", "validation_ratios", "ranking")}
        measured = [asdict(m) for m in self.plan.measurements]
        nodes = list(self.plan.nodes)
        order = {
            "stage": "evaluate",
            "chunk": "tables",
            "identity": [measured, nodes, settings, code("glitchmark.evaluation.tables")],
            "store": str(self.store.folder),
            "folder": str(self.folder),
            "measurements": measured,
            "nodes": nodes,
            "settings": settings,
        }
        upstream = tuple(self.manifest(chunk.stage, chunk.name) for chunk in cells)
        return Chunk("evaluate", "tables", order, upstream)

    def _figure_chunks(self, tables: Chunk) -> list[Chunk]:
        chunks = []
        for method in self.grid.figures:
            order = {
                "stage": "figure",
                "chunk": method.id,
                "identity": [
                    tables.digest,
                    method.plugin.name,
                    method.params,
                    code("glitchmark.figures", method.plugin.origin),
                ],
                "plugins": registry.files(),
                "figure": {"name": method.plugin.name, "params": method.params},
                "folder": str(self.folder),
            }
            chunks.append(Chunk("figure", method.id, order, (self.manifest("evaluate", "tables"),)))
        return chunks
