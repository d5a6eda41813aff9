"""Results and what the tables tell of them, before anything is computed."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from glitchmark import sources
from glitchmark.registry import Plugin


@dataclass(frozen=True)
class Node:
    """One result of one stage. group: names the job that computes it, with its siblings.

    spec: goes into the key. paths: of files whose digests are in the spec; they do not. origins: the modules and
    plug-in files that compute it; code and libraries: their digest and the versions of what they import.
    """

    key: str
    stage: str
    group: str
    spec: dict[str, Any]
    inputs: dict[str, str]
    paths: dict[str, str]
    plugins: tuple[Plugin, ...]
    origins: tuple[str | Path, ...]
    code: str
    libraries: dict[str, str]


@dataclass(frozen=True)
class Measurement:
    """A node that the tables have rows about. labels: what they call it. rows: validation ratio (0 where no validation
    sample is read) and subset of each row of a score. inject, pool: keys of truth and classes."""

    key: str
    stage: str
    labels: dict[str, Any]
    rows: list[tuple[float, int]]
    inject: str
    pool: str


@cache
def code(*origins: Any) -> tuple[str, dict[str, str]]:
    """The digest of the sources of modules or files, and the versions of the libraries that they import."""
    return sources.digest(*origins), sources.libraries(*origins)
