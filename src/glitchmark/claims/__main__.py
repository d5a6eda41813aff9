"""The job that checks claims on a run's tables. ``python -m glitchmark.claims ORDER MANIFEST``"""

import json
import sys
from pathlib import Path

from glitchmark.claims.files import read_claims
from glitchmark.claims.tables import read
from glitchmark.claims.verdicts import check
from glitchmark.manifests import replace_manifests
from glitchmark.outputs import write_csv


def main(order_path: str, manifest_path: str) -> None:
    """Write claims.csv into the run's folder."""
    order = json.loads(Path(order_path).read_text())
    claims = read_claims(order["claims"])
    folder = Path(order["folder"])
    write_csv(folder / "claims.csv", check(claims, read([folder], claims)))
    replace_manifests(manifest_path, order_path, {})


if __name__ == "__main__":
    main(*sys.argv[1:])
