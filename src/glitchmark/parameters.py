"""Checks that plug-ins make of their own parameters; what they raise fails the cell with one sentence."""

import math
from collections.abc import Sequence

from glitchmark.errors import CellError
from glitchmark.registry import suggestion


def one_of(value: str, name: str, allowed: Sequence[str]) -> str:
    """``value`` if it is allowed, else CellError."""
    if value not in allowed:
        raise CellError(f"{name}: {value!r} is unknown{suggestion(value, allowed)}; allowed: {', '.join(allowed)}")
    return value


def positive(value: float, name: str) -> float:
    """``value`` if it is a finite number greater than zero, else CellError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise CellError(f"{name}: {value!r} must be a finite number greater than 0")
    return value


def at_least_one(value: int, name: str) -> int:
    """``value`` if it is a whole number of at least 1, else CellError."""
    return _whole(value, name, 1)


def seed_number(value: int, name: str = "seed") -> int:
    """``value`` if it is a whole number of at least 0, else CellError."""
    return _whole(value, name, 0)


def _whole(value: int, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise CellError(f"{name}: {value!r} must be a whole number of at least {least}")
    return value
