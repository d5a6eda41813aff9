"""PyOD's detectors that compute with torch, on an array."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from glitchmark.detectors._pyod import checked_rows
from glitchmark.parameters import at_least_one


@contextmanager
def global_draws(seed: int) -> Iterator[None]:
    """NumPy's and torch's global generators, from which PyOD draws, start from ``seed`` and are restored afterwards."""
    import torch  # two seconds to import

    before = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


def one_class_network(x: np.ndarray, seed: int, epochs: int) -> np.ndarray:
    """Scores float32 (n,) of PyOD's DeepSVDD with its default settings; x: (n, d), finite."""
    from pyod.models.deep_svdd import DeepSVDD  # two seconds to import

    x, epochs = checked_rows(x), at_least_one(epochs, "epochs")
    with global_draws(seed):  # random_state leaves NumPy's generator alone, which shuffles what the centre sums up
        detector = DeepSVDD(n_features=x.shape[1], epochs=epochs, verbose=0, random_state=seed)
        return detector.fit(x).decision_scores_


def isolation_forests_on_random_networks(x: np.ndarray, seed: int, n_ensemble: int) -> np.ndarray:
    """Scores float64 (n,) of PyOD's DIF with its default settings, on the CPU; x: (n, d), finite."""
    from pyod.models.dif import DIF  # two seconds to import

    x, n_ensemble = checked_rows(x), at_least_one(n_ensemble, "n_ensemble")
    most = min(256, len(x))  # as scikit-learn does, but with a warning a forest
    with global_draws(seed), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'pin_memory' argument is set as true")  # for want of a GPU
        detector = DIF(n_ensemble=n_ensemble, max_samples=most, device="cpu", random_state=seed)
        return detector.fit(x).decision_scores_
