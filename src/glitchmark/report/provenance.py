"""Where the results come from: the machines, versions and code that the store's records name."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import yaml

from glitchmark.report.tables import Table, table

if TYPE_CHECKING:
    from glitchmark.store import Store


# the column of costs.parquet that names the plug-in whose code a stage runs; elsewhere the model
PLUGIN = {
    "pool": "dataset",
    "toy": "dataset",
    "inject": "glitch",
    "influence": "estimator",
    "matrix": "estimator",
    "agreement": "estimator",
    "score": "method",
    "detect": "method",
    "refit": "method",
}


class Provenance(NamedTuple):
    """facts: (name, value) each. config: YAML that, given as a config file, names this run again."""

    facts: list[tuple[str, str]]
    code: Table | None
    config: str


def of_run(costs: pd.DataFrame | None, store: Store, config: dict[str, Any]) -> Provenance:
    """From one result of each stage, plug-in and model, since records are alike and many. costs: costs.parquet."""
    facts = [("glitchmark", version("glitchmark"))]
    code = None
    if costs is not None:
        columns = costs["stage"].map(lambda stage: PLUGIN.get(stage, "model"))
        plugins = [row[column] for row, column in zip(costs.to_dict("records"), columns, strict=True)]
        picked = costs.assign(of=plugins).drop_duplicates(["stage", "of", "model"])
        records = [store.open(key).record["provenance"] for key in picked["key"]]
        libraries = {(name, v) for record in records for name, v in record["libraries"].items()}
        facts += [
            ("computed on", _distinct(f"{r['host']} ({r['platform']})" for r in records)),
            ("Python", _distinct(r["python"] for r in records)),
            ("libraries", ", ".join(f"{name} {v}" for name, v in sorted(libraries))),
            ("threads of a job", _distinct(str(r["threads"]) for r in records)),
            ("made", f"{min(r['time'] for r in records)} to {max(r['time'] for r in records)}"),
            ("read from", f"{len(records):,} of {len(costs):,} records: one of each stage, plug-in and model"),
        ]
        digests = picked.assign(code=[r["code"] for r in records], of=picked["of"].fillna(""))
        names = digests.groupby(["stage", "code"], sort=False)["of"].agg(_distinct).reset_index()
        code = table(
            names[["stage", "of", "code"]], "code", "Digest of the code of each stage and plug-in",
            notes=("Of the sources of the stage and the plug-in with all that they import inside the package; comments "
                   "and docstrings do not count.",),
        )  # fmt: skip
    facts.append(("this page", f"Python {platform.python_version()}, pandas {pd.__version__}"))
    return Provenance(facts, code, yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100))


def _distinct(values: Any) -> str:
    return ", ".join(dict.fromkeys(values))
