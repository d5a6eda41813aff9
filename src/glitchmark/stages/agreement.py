"""How one estimator's influence agrees with a reference, such as leave-one-out retraining."""

import numpy as np
from scipy.stats import rankdata

from glitchmark.influence.view import Influence
from glitchmark.stages._estimator import factors_and_build


def compute(spec, inputs, runtime):
    """arrays: correlation float64 (m,), over the training samples for each validation sample (Spearman); NaN where all
    have the same influence."""
    influence = Influence.from_factors(*factors_and_build(spec, inputs, runtime)).matrix()
    return {"correlation": column_correlation(influence, inputs["matrix"].arrays["influence"])}, {}


def column_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman correlation of the columns of a and b, (n, m) each: float64 (m,), NaN where a column is constant."""
    ranks = [rankdata(x, axis=0) for x in (a, b)]
    centred = [x - x.mean(axis=0) for x in ranks]
    product = np.prod([np.linalg.norm(x, axis=0) for x in centred], axis=0)
    sums = np.einsum("nm,nm->m", *centred)
    return np.divide(sums, product, out=np.full(len(sums), np.nan), where=product > 0)
