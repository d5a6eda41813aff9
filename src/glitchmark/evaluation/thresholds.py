"""Which scores stand out, where nobody knows how many samples are glitches.

Each rule takes float64 scores (S, n), higher = more suspicious, and flags bool (S, n), row by row: every sample above a
threshold of that row. All depend on neither the scale nor the offset of a row, and flag nothing where it is constant.
"""

import numpy as np

LARGEST_SHARE = 0.5  # of the samples, that the gap rule flags
DEVIATIONS, CONSISTENCY = 3, 1.4826  # the latter makes the MAD of a normal distribution its standard deviation
START = 0.1  # share of the samples that the mixture's higher component starts with
FLOOR = 1e-6  # added to the variances of a mixture of scores with variance one, as scikit-learn does
ITERATIONS, TOLERANCE = 100, 1e-3  # scikit-learn's: steps, and gain in mean log likelihood
TINY = 10 * np.finfo(float).eps


def gap(scores: np.ndarray) -> np.ndarray:
    """The scores above the largest gap between neighbours in sorted order, at least one and at most half of them.

    Of equal gaps the highest counts. Nothing is flagged where the upper half of the scores is constant.
    """
    rows, n = scores.shape
    quarter = scores / 4  # differences of the largest numbers there are would overflow
    highest = np.sort(quarter, axis=1)[:, ::-1][:, : int(LARGEST_SHARE * n) + 1]
    gaps = highest[:, :-1] - highest[:, 1:]
    if not gaps.size:
        return np.zeros((rows, n), bool)
    place = gaps.argmax(axis=1)[:, None]
    threshold, width = (np.take_along_axis(values, place, axis=1) for values in (highest, gaps))
    return (quarter >= threshold) & (width > 0)


def mad(scores: np.ndarray) -> np.ndarray:
    """The scores more than three (scaled) median absolute deviations above the median.

    Where more than half of the scores are equal the deviation is 0, and every score above them is flagged.
    """
    quarter = scores / 4
    median = np.median(quarter, axis=1, keepdims=True)
    deviation = np.median(np.abs(quarter - median), axis=1, keepdims=True)
    return quarter > median + DEVIATIONS * CONSISTENCY * deviation


def mixture(scores: np.ndarray) -> np.ndarray:
    """The scores from the lowest one on that a mixture of two normal distributions gives to its higher component.

    "Lowest" is among the scores above the lower component's mean: a wider higher component would claim the low end too.
    All scores above it are flagged, even where a wider lower component claims the highest ones. The mixture is fitted
    by expectation-maximisation, all rows at once, from the top tenth against the rest; a fit that still moves after 100
    steps counts as it is. One score far beyond all others has a component for itself. More than half may be flagged.
    """
    standard = _standardised(scores)
    highest_last = np.sort(standard, axis=1)
    found = _fit(highest_last)
    logit, means = _logit(highest_last, found), found[1:3]
    higher = np.where((means[1] < means[0])[:, None], -logit, logit) > 0
    above = highest_last > means.min(axis=0)[:, None]
    threshold = np.where(higher & above, highest_last, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    return (standard >= threshold) & (np.ptp(standard, axis=1, keepdims=True) > 0)


RULES = {"gap": gap, "mixture": mixture, "mad": mad}


def _standardised(scores: np.ndarray) -> np.ndarray:
    """Rows with mean 0 and variance 1; zeros where a row is constant, or as good as that."""
    quarter = scores / 4
    low, high = quarter.min(axis=1, keepdims=True), quarter.max(axis=1, keepdims=True)
    varies = high > low
    unit = (quarter - low) / np.where(varies, high - low, 1)  # whose squares neither overflow nor vanish
    return (unit - unit.mean(axis=1, keepdims=True)) / np.where(varies, unit.std(axis=1, keepdims=True), 1)


def _fit(x: np.ndarray) -> np.ndarray:
    """A mixture of two components for each row of sorted, standardised scores: weight of the second one, means and
    variances, (5, S). The second one starts as the top tenth. Steps and stopping rule are those of scikit-learn, which
    takes milliseconds a row."""
    n = x.shape[1]
    share = np.zeros_like(x)
    share[:, n - max(1, round(START * n)) :] = 1
    found = _maximised(x, share)
    moving, before = np.arange(len(x)), np.full(len(x), -np.inf)
    for _ in range(ITERATIONS):
        share, likelihood = _expected(x, found[:, moving])
        found[:, moving] = _maximised(x, share)
        moved = np.abs(likelihood - before) >= TOLERANCE
        if not moved.any():
            break
        x, moving, before = x[moved], moving[moved], likelihood[moved]
    return found


def _maximised(x: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Weight, means and variances from each score's share in the second component, (S, n)."""
    n = x.shape[1]
    second = np.stack([share.sum(axis=1), np.vecdot(share, x), np.einsum("sn,sn,sn->s", share, x, x)])
    both = np.array([[n], [0], [n]])  # sums of 1, x and its square: the scores are standardised
    counts, sums, squares = np.stack([both - second, second], axis=1)
    counts = np.maximum(counts, TINY)
    means = sums / counts
    return np.concatenate([counts[1:] / n, means, np.maximum(squares / counts - means**2, 0) + FLOOR])


def _expected(x: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each score's share in the second component, (S, n), and the mean log likelihood of the scores, (S,), without the
    constant that is the same for all mixtures."""
    weight, mean, _, variance, _ = found
    logit = _logit(x, found)
    odds = np.exp(-np.abs(logit))
    share = np.where(logit > 0, 1, odds) / (1 + odds)
    first = np.log(np.maximum(1 - weight, TINY)) - (np.log(variance) + (1 + mean**2) / variance) / 2
    return share, first + (np.maximum(logit, 0) + np.log(1 + odds)).mean(axis=1)


def _logit(x: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Log of the odds (S, n) that a score comes from the second component."""
    weight, means, variances = found[0], found[1:3], found[3:]
    prior = np.log(weight) - np.log(np.maximum(1 - weight, TINY))
    constant = prior - np.diff(np.log(variances) + means**2 / variances, axis=0)[0] / 2
    linear, square = np.diff(means / variances, axis=0)[0], -np.diff(1 / variances, axis=0)[0] / 2
    logit = x * square[:, None]
    logit += linear[:, None]
    logit *= x
    logit += constant[:, None]
    return logit
