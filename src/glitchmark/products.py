"""The jobs whose results are files that people read: samples, tables, claims, figures and the report."""

import inspect
from pathlib import Path
from typing import Any

from glitchmark.chunk import Chunk, plugin_files
from glitchmark.claims.files import read_claims
from glitchmark.grid import Grid, Method
from glitchmark.keys import canonical, fingerprint
from glitchmark.nodes import code
from glitchmark.plan import Plan
from glitchmark.store import Store, file_digest

STAGES = ("samples", "evaluate", "claims", "figures", "report")
FIGURES_PER_JOB = 12  # importing what draws takes longer than drawing, so that a job draws several
DATA = (".yaml", ".html", ".j2", ".css", ".js")  # files of the package that are read as data


class Products:
    """Made from what the jobs of cells leave. folder: the run's. figures: that of its figures. cells: those jobs."""

    def __init__(self, grid: Grid, plan: Plan, folder: Path, figures: Path, store: Store, cells: list[Chunk]):
        self.grid, self.plan, self.folder, self.figures, self.store = grid, plan, folder, figures, store
        self.cells = cells

    def chunks(self) -> list[Chunk]:
        """All of them."""
        tables = self._table_chunk(self.cells)
        claims = self._claims_chunk(tables)
        figures = self._figure_chunks(self.cells, tables, claims)
        return [self._samples_chunk(self.cells), tables, claims, *figures, self._report_chunk([claims, *figures])]

    def _samples_chunk(self, cells: list[Chunk]) -> Chunk:
        """Class counts, and for images a contact sheet of each glitch in the first seed."""
        shown, folder = [], self.figures / "samples"
        for cell in self.plan.injections():
            stem = f"{folder}/{cell['dataset']}-{cell['glitch']}-{cell['ratio']:g}"
            wanted = cell["modality"] == "image" and cell["seed"] == self.grid.config["seeds"][0]
            shown.append(cell | {"sheets": [f"{stem}.pdf", f"{stem}.png"] if wanted else []})
        order = {
            "stage": "samples",
            "chunk": "samples",
            "identity": [shown, code("glitchmark.samples.__main__")],
            "store": str(self.store.folder),
            "folder": str(folder),
            "cells": shown,
            "counts": str(self.folder / "class_counts.csv"),
        }
        upstream = tuple((c.stage, c.name) for c in cells if c.stage in ("pool", "subset", "inject"))
        return Chunk("samples", "samples", order, upstream)

    def _table_chunk(self, cells: list[Chunk]) -> Chunk:
        settings = {"validation": self.grid.config["validation"], "ranking": self.grid.ranking}
        measured = [vars(m) for m in self.plan.measurements]
        nodes = list(self.plan.nodes)
        order = {
            "stage": "evaluate",
            "chunk": "tables",
            "identity": [measured, nodes, settings, code("glitchmark.evaluation.__main__")],
            "store": str(self.store.folder),
            "folder": str(self.folder),
            "measurements": measured,
            "nodes": nodes,
            "settings": settings,
        }
        return Chunk("evaluate", "tables", order, tuple((chunk.stage, chunk.name) for chunk in cells))

    def _claims_chunk(self, tables: Chunk) -> Chunk:
        """The claims of papers against the tables."""
        files = self.grid.config["claims"]
        read_claims(files)  # what is wrong with one is said before anything runs
        order = {
            "stage": "claims",
            "chunk": "claims",
            "identity": [
                tables.digest,
                *(file_digest(Path(path)) for path in files),
                code("glitchmark.claims.__main__"),
                *_package_files("claims"),
            ],
            "folder": str(self.folder),
            "claims": files,
        }
        return Chunk("claims", "claims", order, ((tables.stage, tables.name),))

    def _figure_chunks(self, cells: list[Chunk], tables: Chunk, claims: Chunk) -> list[Chunk]:
        """Some figures each; a figure has a digest of its own, and is drawn only where that is new."""
        figures = [self._figure(method, tables, claims) for method in self.grid.figures]
        beside = {
            "folder": str(self.folder),
            "store": str(self.store.folder),
            "cells": self.plan.injections(),
            "pipeline": _pipeline([*cells, tables, claims]),
            "methods": [
                {"id": m.id, "kind": m.plugin.kind, "name": m.plugin.name, **m.plugin.info}
                for m in (*self.grid.signals, *self.grid.detectors, *self.grid.estimators)
            ],
        }
        chunks = []
        for i in range(0, len(figures), FIGURES_PER_JOB):
            part = figures[i : i + FIGURES_PER_JOB]
            name = f"part-{i // FIGURES_PER_JOB}"
            order = {
                "stage": "figures",
                "chunk": name,
                "identity": [figure["digest"] for figure in part],
                "plugins": plugin_files(m.plugin for m in self.grid.figures),
                "figures": part,
                **beside,
            }
            reads_claims = any("claims" in method.plugin.info["reads"] for method in self.grid.figures)
            upstream = [tables, *([claims] if reads_claims else [])]
            chunks.append(Chunk("figures", name, order, tuple((chunk.stage, chunk.name) for chunk in upstream)))
        return chunks

    def _figure(self, method: Method, tables: Chunk, claims: Chunk) -> dict[str, Any]:
        """What is told of a figure: how to draw it, where to, and the manifest that says that it is there."""
        info = method.plugin.info
        read = [tables.digest, claims.digest if "claims" in info["reads"] else ""]
        origins = ("glitchmark.figures.__main__", method.plugin.origin)
        digest = fingerprint(canonical([*read, method.id, method.plugin.name, method.params, code(*origins)]))
        kinds = ("png", "pdf", "csv") if info["form"] == "table" else ("png", "pdf")
        return {
            "id": method.id,
            "name": method.plugin.name,
            "params": method.params,
            "title": info["title"],
            "reference": info["reference"],
            "caption": inspect.getdoc(method.plugin.function) or "",
            "form": info["form"],
            "digest": digest,
            "files": {kind: f"{self.figures}/{method.id}.{kind}" for kind in kinds},
            "manifest": f"{self.folder}/manifests/figure/{method.id}-{digest}.json",
        }

    def _report_chunk(self, parts: list[Chunk]) -> Chunk:
        """One HTML file of everything that was measured."""
        order = {
            "stage": "report",
            "chunk": "report",
            "identity": [
                *(part.digest for part in parts),
                code("glitchmark.report.__main__"),
                *_package_files("report"),
                self.grid.config,
                [figure["caption"] for part in parts for figure in part.order.get("figures", [])],
            ],
            "run": self.grid.config["run"],
            "folder": str(self.folder),
            "figures_folder": str(self.figures),
            "figures": [figure for part in parts for figure in part.order.get("figures", [])],
            "config": self.grid.config,
            "keys": len(self.plan.nodes),
            "store": str(self.store.folder),
            "nodes": list(self.plan.nodes),
        }
        return Chunk("report", "report", order, tuple((part.stage, part.name) for part in parts))


def _pipeline(chunks: list[Chunk]) -> list[dict[str, Any]]:
    """Each stage of a run: its jobs, its results, and the stages that it reads."""
    stages: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        stages.setdefault(chunk.stage, []).append(chunk)
    return [
        {
            "stage": stage,
            "jobs": len(mine),
            "results": 0 if stage in STAGES else sum(len(chunk.order["nodes"]) for chunk in mine),
            "upstream": sorted({read for chunk in mine for read, _ in chunk.upstream if read != stage}),
        }
        for stage, mine in stages.items()
    ]


def _package_files(package: str) -> list[str]:
    """Digests of the files of a package that are no Python: their content counts as code does."""
    folder = Path(__file__).parent / package
    return [file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in DATA]
