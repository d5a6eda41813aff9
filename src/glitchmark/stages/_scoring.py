"""How scores are stored: arrays that stand for Scores, whatever method made them."""

import numpy as np

from glitchmark.scores import Scores


def score_arrays(scores: list[Scores]) -> dict[str, np.ndarray]:
    """score float64 (S, n), and where the method gives them, suggested int64 (S, n), kind str (S, n) and
    flagged bool (S, n)."""
    stacked = {name: [getattr(s, name) for s in scores] for name in Scores._fields}
    return {name: np.stack(values) for name, values in stacked.items() if values[0] is not None}
