"""Influence signals: one module each, from influence to one suspicion score per training sample."""

from collections.abc import Callable

from glitchmark.influence.view import Influence
from glitchmark.registry import plugin
from glitchmark.scores import Scores, check_targets

__all__ = ["Influence", "Scores", "signal"]

# What a signal may declare that it reads, and for what of it there is a score each
READS = {
    "influence": "class sums, self-influence, factors and matrix, once for each estimator and validation subset",
    "dynamics": "influence at each checkpoint besides, which is on all validation samples in every subset",
    "factors": "features, logits and labels of training and validation samples, once for each validation subset",
    "training": "features, logits and labels of the training samples alone",
}

# What a signal may declare that it uses of influence, or gives
USES = {
    "sign": "positive and negative influence apart",
    "magnitude": "how large influence is",
    "conditional": "influence on the validation samples of single classes",
    "mixed": "it looks for both kinds of glitches in one training set",
    "repair": "it suggests labels",
}


def signal(
    name: str,
    *,
    targets: str,
    reference: str,
    reads: str = "influence",
    uses: tuple[str, ...] | None = None,
    undefined: tuple[str, ...] = (),
) -> Callable[[Callable], Callable]:
    """Mark a function ``(influence, **parameters) -> scores`` as a signal.

    It returns an array (n,), higher = more suspicious, or :class:`Scores` if it also suggests labels or kinds.
    targets: what it looks for: "mislabeled", "anomalous" or "both". reads: one of READS. uses: of USES, which table2
    shows; None if not told. undefined: of USES, what cannot be asked of it.
    """
    check_targets(targets)
    if reads not in READS:
        raise ValueError(f"signal '{name}' reads {reads!r}; allowed: {', '.join(READS)}")
    for keyword, told in (("uses", uses or ()), ("undefined", undefined)):
        if isinstance(told, str) or set(told) - set(USES):
            raise ValueError(f"signal '{name}' {keyword} {told!r}; allowed is a tuple of: {', '.join(USES)}")
    return plugin("signal", name, targets=targets, reads=reads, reference=reference, uses=uses, undefined=undefined)
