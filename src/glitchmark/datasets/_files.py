"""What the data sets that read a user's own files share: what is not there, and what the files hold."""

from hashlib import blake2b, file_digest

import numpy as np

from glitchmark.datasets import Description
from glitchmark.errors import UserError


def not_there(what: str, path: str, key: str) -> UserError:
    """The error for a user's file or folder that does not exist; key: the parameter that names it."""
    return UserError(
        f"the {what} '{path}' does not exist; check the data set's '{key}' and the key 'data_dir' "
        "(--config data_dir=DIR)."
    )


def cannot_open(file: str, error: OSError, key: str = "file") -> UserError:
    """The error for a user's file that is missing or cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return not_there("data file", file, key)
    return UserError(f"the data file '{file}' cannot be read: {error.strerror or error}.")


def content_digest(*files: str) -> str:
    """A digest of the content of files, hexadecimal; one that is not given ("") is left out."""
    digest = blake2b()
    for file in files:
        if file:
            with open(file, "rb") as handle:
                digest.update(file_digest(handle, "blake2b").digest())
    return digest.hexdigest()


def described(
    y: np.ndarray, class_names: tuple[str, ...], is_test: np.ndarray, shape: tuple[int, ...], digest: str
) -> Description:
    """What the plan needs to know of files that were looked through.

    y: int (N,). is_test: bool (N,). shape: of one sample, (d,) of a table. digest: see :func:`content_digest`.
    """
    return Description(
        modality="table" if len(shape) == 1 else "image",
        n_samples=len(y),
        n_classes=len(class_names),
        n_test=int(is_test.sum()),
        shape=shape,
        digest=digest,
        class_names=class_names,
        class_counts=tuple(np.bincount(y[~is_test], minlength=len(class_names)).tolist()),
    )
