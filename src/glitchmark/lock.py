"""One run at a time on a results folder, even after a run was killed: the lock dies with its process."""

import fcntl
import os
import platform
from pathlib import Path
from typing import TextIO

from glitchmark.errors import UserError


def hold(folder: str | Path) -> TextIO:
    """Lock a results folder until the returned file is closed or the process ends, however it ends.

    Raises UserError that names the holder if another run has it.
    """
    path = Path(folder) / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+")  # noqa: SIM115 - the caller keeps it open
    except OSError as error:
        raise UserError(
            f"results_dir: '{folder}' cannot be written ({error.strerror}); name another folder."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise UserError(
            f"another run is using '{folder}' ({holder}); wait until it ends, or give this one its own results_dir."
        ) from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {platform.node()}")
    file.flush()
    return file
