"""A job's manifest: which order it carried out, which keys are now in the store, and which of them failed."""

import json
from pathlib import Path
from typing import Any

from glitchmark.store import write_text


def write_manifest(path: str | Path, order_path: str | Path, keys: list[str], failed: dict[str, str]) -> None:
    """Write a manifest. order_path: "<name>-<digest>.json". failed: key -> reason."""
    digest = Path(order_path).stem.rsplit("-", 1)[1]
    write_text(Path(path), json.dumps({"digest": digest, "keys": keys, "failed": failed}, indent=0) + "\n")


def replace_manifests(path: str | Path, order_path: str | Path, failed: dict[str, str]) -> None:
    """Write the manifest of a job that overwrites files of its siblings, "<name>-<digest>.json", in place of theirs."""
    path = Path(path)
    for other in path.parent.glob(f"{path.stem.rsplit('-', 1)[0]}-*.json"):
        other.unlink()
    write_manifest(path, order_path, [], failed)


def read_manifest(path: str | Path) -> dict[str, Any] | None:
    """A manifest's content; None if there is none or it is unreadable, so that its job runs again."""
    try:
        manifest = json.loads(Path(path).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and {"digest", "keys", "failed"} <= set(manifest) else None
