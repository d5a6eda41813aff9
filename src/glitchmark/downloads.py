"""Files from the network: fetched once, tried again where the network fails, and checked against their digest."""

import fcntl
import socket
import sys
import time
from hashlib import file_digest
from http.client import HTTPException
from pathlib import Path

from glitchmark.errors import UserError

WAITS = (1.0, 5.0)  # seconds before a second and a third try
TIMEOUT = 60.0  # seconds without a byte


def fetch(url: str, file: Path, sha256: str, otherwise: str = "") -> Path:
    """``file``, downloaded from ``url`` unless it is there, with a progress bar on a terminal.

    sha256: its digest, or the first hexadecimal digits of it, as torch hub's file names have them. otherwise: what else
    the user can do, for the message. Jobs that want the same file at once wait for the one that fetches it.
    Raises UserError where it cannot be fetched, or where what is there is another file.
    """
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file.parent / f".{file.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.is_file():
                _download(url, file, sha256, otherwise)
    with open(file, "rb") as opened:
        found = file_digest(opened, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise UserError(
            f"the file '{file}' is damaged or another one: its SHA-256 digest starts with {found[: len(sha256)]}, and "
            f"that of {url} with {sha256}; remove it, and it is fetched again."
        )
    return file


def _download(url: str, file: Path, sha256: str, otherwise: str) -> None:
    from torch import hub

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torch hub would wait for ever
    try:
        for wait in (*WAITS, None):
            try:
                hub.download_url_to_file(url, str(file), sha256, progress=sys.stderr.isatty())
                return
            except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: the digest is another one
                if wait is None:
                    raise UserError(
                        f"{url} could not be fetched in {len(WAITS) + 1} tries ({error}); the file is expected at "
                        f"'{file}': put it there{otherwise}."
                    ) from error
                time.sleep(wait)
    finally:
        socket.setdefaulttimeout(before)
