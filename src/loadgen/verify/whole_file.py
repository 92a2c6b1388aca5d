"""A file that is there whole or not at all: written beside its place, then put in it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_NEW_MODE = 0o644


def write(path: Path, text: str) -> None:
    """Write a file in place of an earlier one, which stays when this fails, and whose permissions are kept.

    A link is followed. The folder must be there. Raises OSError.
    """
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else _NEW_MODE
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).chmod(mode)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
