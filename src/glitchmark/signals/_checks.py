"""Checks of whole-number parameters."""

from glitchmark.errors import CellError


def whole(value: int, name: str) -> int:
    """``value`` if it is a whole number of at least 1, else CellError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise CellError(f"{name}: {value!r} must be a whole number of at least 1")
    return value
