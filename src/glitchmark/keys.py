"""Digests of JSON values, of which the keys of results are made."""

import json
from hashlib import blake2b
from typing import Any


def canonical(value: Any) -> str:
    """JSON that is the same for equal values, whatever their order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def fingerprint(text: str) -> str:
    """32 hexadecimal digits."""
    return blake2b(text.encode(), digest_size=16).hexdigest()
