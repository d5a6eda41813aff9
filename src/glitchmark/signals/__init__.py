"""Influence signals: one module each, from influence to one suspicion score per training sample."""

from collections.abc import Callable

from glitchmark.influence.view import Influence
from glitchmark.registry import plugin
from glitchmark.scores import Scores, check_targets

__all__ = ["Influence", "Scores", "signal"]


def signal(name: str, *, targets: str, reference: str) -> Callable[[Callable], Callable]:
    """Mark a function ``(influence, **parameters) -> scores`` as a signal.

    It returns an array (n,), higher = more suspicious, or :class:`Scores` if it also suggests labels or kinds.
    targets: what it looks for: "mislabeled", "anomalous" or "both".
    """
    check_targets(targets)
    return plugin("signal", name, targets=targets, reference=reference)
