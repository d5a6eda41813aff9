"""What every method returns, whether signal or detector, and the checks that it has to pass."""

from typing import Any, NamedTuple

import numpy as np

from glitchmark.errors import CellError

KINDS = ("", "mislabeled", "anomalous")


TARGETS = ("mislabeled", "anomalous", "both")


def check_targets(targets: str) -> None:
    """Raise ValueError unless a method's ``targets`` is one of TARGETS."""
    if targets not in TARGETS:
        raise ValueError(f"targets={targets!r} is unknown; allowed: {', '.join(TARGETS)}")


class Scores(NamedTuple):
    """score: (n,), higher = more suspicious. suggested: int64 (n,), a label for each sample, or None.
    kind: str (n,), "mislabeled" or "anomalous" for each sample if it is a glitch at all, or None.
    flagged: bool (n,), what the method itself takes for glitches, without being told how many there are, or None."""

    score: np.ndarray
    suggested: np.ndarray | None = None
    kind: np.ndarray | None = None
    flagged: np.ndarray | None = None


def checked(result: Any, method: str, n: int, n_classes: int) -> Scores:
    """The result of a method as Scores with a float64 score; raises CellError, naming the method, if it is no such."""
    scores = result if isinstance(result, Scores) else Scores(result)
    try:
        score = np.asarray(scores.score)
    except ValueError as error:
        raise CellError(f"{method} returned no array: {error}") from error
    if score.shape != (n,) or score.dtype.kind not in "biuf":
        raise CellError(f"{method} returned {score.dtype} {score.shape}; expected one number a training sample, ({n},)")
    score = score.astype(np.float64)
    if not np.isfinite(score).all():
        raise CellError(f"{method} returned {np.count_nonzero(~np.isfinite(score))} scores that are NaN or infinite")
    suggested = scores.suggested
    if suggested is not None:
        suggested = np.asarray(suggested)
        if suggested.shape != (n,) or not np.issubdtype(suggested.dtype, np.integer):
            raise CellError(f"{method} suggested {suggested.dtype} {suggested.shape}; expected integer labels ({n},)")
        if suggested.min() < 0 or suggested.max() >= n_classes:
            raise CellError(f"{method} suggested a label outside 0..{n_classes - 1}")
        suggested = suggested.astype(np.int64)
    kind = scores.kind
    if kind is not None:
        kind = np.asarray(kind).astype(str)
        if kind.shape != (n,) or not np.isin(kind, KINDS).all():
            raise CellError(f"{method} returned kinds other than 'mislabeled' and 'anomalous', one a sample")
    flagged = scores.flagged
    if flagged is not None:
        flagged = np.asarray(flagged)
        if flagged.shape != (n,) or flagged.dtype != bool:
            raise CellError(f"{method} flagged {flagged.dtype} {flagged.shape}; expected bool, one a sample, ({n},)")
    return Scores(score, suggested, kind, flagged)
