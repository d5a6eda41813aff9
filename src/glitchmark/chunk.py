"""What a job does and what it depends on."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from glitchmark.keys import canonical, fingerprint
from glitchmark.registry import Plugin


@dataclass(frozen=True)
class Chunk:
    """order: what the job does, JSON; its "identity" is what the results depend on. upstream: chunks that come first,
    as (stage, name)."""

    stage: str
    name: str
    order: dict[str, Any]
    upstream: tuple[tuple[str, str], ...]

    @cached_property
    def digest(self) -> str:
        """Of the identity: equal digests mean equal results."""
        return fingerprint(canonical(self.order["identity"]))


def plugin_files(plugins: Iterable[Plugin]) -> list[tuple[str, str]]:
    """(kind, path) of the plug-ins that a job must load from files outside the package."""
    return sorted({(p.kind, str(p.origin)) for p in plugins if isinstance(p.origin, Path)})
