"""The folders of managed servers in the temporary directory: what they are called, and those of dead runs.

A server's keeper removes its folder, and loadgen does where the keeper was killed. Where both were, it stays, and the
next run removes it: it has the keeper's mark, and nobody holds its lock any more.
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
    """A path at which nothing is yet, for a server called `name`."""
    return Path(tempfile.gettempdir(), f"loadgen-{_UNFIT.sub('-', name)[:40]}-{os.urandom(6).hex()}")


def remove_abandoned() -> None:
    """Removes the folders that dead runs of this user have left; never one whose keeper lives, or another's."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _remove(entry.path)


def _remove(path: str) -> None:
    """Raises OSError, in most cases because it is in use or not ours."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid != os.geteuid():
            return
        # O_NONBLOCK: a FIFO of this name is not waited for.
        mark = os.open(MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            found = os.fstat(mark)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                return
            # Raises when its keeper lives. Held while we remove it, so that no two do.
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(mark)
    finally:
        os.close(folder)
