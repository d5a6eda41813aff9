"""Files that are downloaded once, checked by digest and kept in a cache folder."""

import fcntl
import shutil
import socket
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import file_digest
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from glitchmark.errors import Unavailable

NETWORK_ERRORS = (URLError, TimeoutError, ConnectionError, HTTPException)
WAITS = (1.0, 4.0)  # seconds before the second and before the third try
TIMEOUT = 60.0  # seconds without an answer before a connection counts as lost


def fetch(url: str, path: Path, sha256: str, what: str, otherwise: str) -> Path:
    """``path``, downloaded from ``url`` if it is not there or damaged; a progress bar shows on a terminal.

    sha256: its digest, or the first hexadecimal digits of that. what, otherwise: for the message, what the file is of,
    and what to do instead. Raises Unavailable where there is no such file and it cannot be downloaded.
    """
    if has_digest(path, sha256):
        return path
    from torch.hub import download_url_to_file

    def download() -> None:  # into a temporary file, which takes the place of `path` once its digest is right
        download_url_to_file(url, str(path), hash_prefix=sha256, progress=sys.stderr.isatty())

    found = "has another digest than was published" if path.exists() else "does not exist"
    try:
        with alone(path.parent):
            if not has_digest(path, sha256):
                with_retries(download)
    except (OSError, HTTPException, RuntimeError) as error:
        raise Unavailable(
            f"{what}: the file {path} {found}, and downloading it from {url} failed ({reason(error)}); go online, or "
            f"{otherwise}."
        ) from error
    return path


def has_digest(path: Path, sha256: str) -> bool:
    """Whether a file is there and its SHA-256 starts with these hexadecimal digits."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest().startswith(sha256)


def with_retries(download: Callable[[], Any], waits: Sequence[float] = WAITS) -> Any:
    """What ``download()`` returns. It is called again after network errors, and once more after another failure.

    waits: seconds before each further try after a network error. A finished file whose digest does not match is a
    RuntimeError in torch and torchvision. Raises the last error.
    """
    waits, mismatched = list(waits), False
    while True:
        try:
            with _timeout(TIMEOUT):
                return download()
        except (*NETWORK_ERRORS, RuntimeError) as error:
            if is_network_error(error):
                refused = isinstance(error, HTTPError) and error.code < 500
                if refused or not waits:
                    raise
                time.sleep(waits.pop(0))
            elif mismatched:
                raise
            else:
                mismatched = True


def is_network_error(error: BaseException) -> bool:
    """Whether a download failed on the way; torchvision passes some such failures on as text."""
    return isinstance(error, NETWORK_ERRORS) or "urlopen error" in str(error) or "HTTP Error" in str(error)


def reason(error: BaseException) -> str:
    """An error's text in one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


@contextmanager
def alone(folder: str | Path) -> Iterator[None]:
    """One process at a time downloads into a folder; the others wait. The lock dies with its process."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with open(Path(folder) / ".lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """Downloads of torch and torchvision set no timeout of their own and would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def unpack(archive: Path, folder: Path, *, max_members: int, max_bytes: int) -> None:
    """Extract a tar archive whose files all lie in one folder, named like ``folder``, which then exists completely.

    Raises Unavailable, and leaves nothing, for an archive that is damaged, has more members or more bytes in its files
    than allowed, links or special files, or paths that leave the folder.
    """
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}.", suffix=".partial"))
    try:
        with tarfile.open(archive) as tar:
            _extract(tar, temporary, max_members, max_bytes)
        (temporary / folder.name).rename(folder)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise Unavailable(
            f"the archive {archive.absolute()} cannot be extracted to {folder.absolute()}: {reason(error)}; remove it, "
            "so that it is downloaded again."
        ) from error
    finally:
        shutil.rmtree(temporary)


def _extract(tar: tarfile.TarFile, folder: Path, max_members: int, max_bytes: int) -> None:
    # Members are read one by one: limits hold before a byte of a member that breaks them is written.
    n_bytes = 0
    for i, member in enumerate(tar):
        n_bytes += member.size
        if not (member.isreg() or member.isdir()):
            raise tarfile.TarError(f"its member '{member.name}' is neither a file nor a folder")
        if i >= max_members or n_bytes > max_bytes:
            raise tarfile.TarError(f"it holds more than {max_members} members or {max_bytes} bytes")
        tar.extract(member, folder, filter="data")
