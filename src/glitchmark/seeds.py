"""Random numbers: every draw comes from (run seed, purpose, cell), spelled out."""

from hashlib import blake2b

import numpy as np


def seed_sequence(seed: int, purpose: str, *cell: str) -> np.random.SeedSequence:
    """The entropy of one draw.

    Parameters
    ----------
    seed: the run's seed.
    purpose: what is drawn, e.g. ``"subset"`` or ``"batches"``; two purposes never share a stream.
    cell: what tells this draw from its siblings, e.g. the data set's name.
    """
    words = "\0".join((purpose, *cell)).encode()
    return np.random.SeedSequence([seed, int.from_bytes(blake2b(words, digest_size=16).digest(), "big")])


def generator(seed: int, purpose: str, *cell: str) -> np.random.Generator:
    """A NumPy generator for one draw (see :func:`seed_sequence`)."""
    return np.random.default_rng(seed_sequence(seed, purpose, *cell))


def integer(seed: int, purpose: str, *cell: str) -> int:
    """A seed in [0, 2**31) for libraries that want an integer (see :func:`seed_sequence`)."""
    return int(seed_sequence(seed, purpose, *cell).generate_state(1)[0] >> 1)
