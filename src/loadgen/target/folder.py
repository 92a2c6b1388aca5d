"""The folders of managed servers in the temporary directory: their names, and the removal of abandoned ones.

A server's keeper removes the server's folder, or loadgen does if the keeper was killed. If both were killed, the next
run removes the folder, which has the keeper's mark but whose lock no process holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from loadgen.target.keeper import MARK

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_NAME = re.compile(r"loadgen-[A-Za-z0-9._-]{0,40}-[0-9a-f]{12}")


def fresh(name: str) -> Path:
    """Return an unused path for the folder of a server called `name`."""
    return Path(tempfile.gettempdir(), f"loadgen-{_UNFIT.sub('-', name)[:40]}-{os.urandom(6).hex()}")


def remove_abandoned() -> None:
    """Remove the folders that dead runs of this user have left; never those of a living keeper or another user."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _remove(entry.path)


def _remove(path: str) -> None:
    """Remove an abandoned folder. Raises OSError, mostly because the folder is in use or another user's."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid != os.geteuid():
            return
        # O_NONBLOCK: opening a FIFO of this name would block.
        mark = os.open(MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            found = os.fstat(mark)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                return
            # Raises while the keeper lives. The lock keeps a second run from removing the same folder.
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(mark)
    finally:
        os.close(folder)
