"""CIFAR-10N and CIFAR-100N: the training labels that people gave, published beside the true ones.

Wei et al., Learning with Noisy Labels Revisited, ICLR 2022 (arXiv:2110.12088), table 1 has the noise rates;
https://github.com/UCSC-REAL/cifar-10-100n the files. The repository publishes no digests: the SHA-256 digests here are
those that other projects, which read the files, have published; what the paper says of the labels is checked as well.
"""

import io
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from glitchmark.datasets import Pool
from glitchmark.downloads import fetch
from glitchmark.errors import CellError, Unavailable

LICENCE = "labels: see LICENSE at github.com/UCSC-REAL/cifar-10-100n; images: none stated, cite Krizhevsky 2009"


@dataclass(frozen=True)
class LabelFile:
    """A published file: a dictionary of arrays, one label a training image, in torchvision's order."""

    name: str
    sha256: str
    url: str = "https://raw.githubusercontent.com/UCSC-REAL/cifar-10-100n/main/data/"


def with_human_labels(pool: Pool, cache: str, file: LabelFile, key: str, noise_percent: float, name: str) -> Pool:
    """A CIFAR pool with the labels that people gave its training images; a test image keeps its true one.

    key: of the labels in the file. noise_percent: the published share of wrong labels, to two digits.
    Raises Unavailable where the file cannot be had, CellError where its labels are not those that were published.
    """
    place = f"CIFAR-N/{file.name}"
    otherwise = f"name a folder that holds it: --config cache_dir=DIR, where DIR contains {place}"
    path = fetch(file.url + file.name, Path(cache).absolute() / place, file.sha256, f"data set '{name}'", otherwise)
    content = path.read_bytes()
    # It is a pickle, which may run anything: only the bytes that have the digest are ever loaded.
    if sha256(content).hexdigest() != file.sha256:
        raise Unavailable(f"data set '{name}': {path} was changed while it was read; run again.")
    import torch

    labels = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)
    training = ~pool.is_test
    annotated = pool.y.copy()
    annotated[training] = checked(labels, key, pool.y[training], len(pool.class_names), noise_percent, str(path))
    return replace(pool, annotated=annotated)


def checked(labels: Any, key: str, clean: np.ndarray, n_classes: int, noise_percent: float, where: str) -> np.ndarray:
    """``labels[key]``, int64 (n,), after checking what is known of them.

    clean: int64 (n,), the true labels as torchvision has them, which ``labels["clean_label"]`` must equal.
    Raises CellError, naming ``where``, for other keys, shapes, types, classes, true labels or noise rate.
    """
    found = {k: np.asarray(labels[k]) for k in ("clean_label", key) if isinstance(labels, dict) and k in labels}
    rules = {
        f"it has 'clean_label' and '{key}'": {"clean_label", key} <= set(found),
        f"they are {len(clean)} whole numbers each": all(
            v.shape == clean.shape and np.issubdtype(v.dtype, np.integer) for v in found.values()
        ),
        "'clean_label' has the labels of torchvision": np.array_equal(found.get("clean_label", ()), clean),
    }
    wrong = [rule for rule, holds in rules.items() if not holds]
    if not wrong:
        given = found[key].astype(np.int64)
        percent = round(100 * float((given != clean).mean()), 2)
        if given.min() < 0 or given.max() >= n_classes:
            wrong = [f"its labels are 0..{n_classes - 1}"]
        elif percent != noise_percent:
            wrong = [f"{noise_percent} % of '{key}' are wrong, but {percent} % are"]
    if wrong:
        raise CellError(f"{where} is not the published label file, of which is known that {'; '.join(wrong)}.")
    return given
