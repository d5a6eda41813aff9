"""Margins of the observed label."""

import numpy as np


def margins(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logit of the label minus the largest other logit, float64 (T, n), from logits (T, n, C) and int labels (n,)."""
    logits = logits.astype(np.float64)
    own = (slice(None), np.arange(len(labels)), labels)
    observed = logits[own]
    logits[own] = -np.inf
    return observed - logits.max(axis=2)
