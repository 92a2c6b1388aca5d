"""An internal error of loadgen: its message in one line, and the file that keeps its traceback.

These functions run last in a process, after an error of any kind: memory may be short, and nothing here may raise.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
import traceback

from loadgen.errors import InternalError
from loadgen.escape import printable
from loadgen.version import __version__

LONGEST_TRACEBACK = 1 << 20
"""The longest traceback in characters; of a longer one the end is kept, where the error is."""


def traceback_of(error: BaseException) -> str:
    """Return the whole traceback, after that of another process if the error arose there; less when memory is short."""
    try:
        inner = f"{error.traceback}\n" if isinstance(error, InternalError) else ""
        return (inner + "".join(traceback.format_exception(error)))[-LONGEST_TRACEBACK:]
    except Exception as another:
        return f"{type(error).__name__} (of which no traceback can be made: {type(another).__name__})\n"


def kept(text: str) -> str:
    """Write a traceback to a new file that only this user can read, in the folder for temporary files.

    Return the file's path; empty when the file cannot be written.
    """
    with contextlib.suppress(Exception):
        handle, path = tempfile.mkstemp(prefix="loadgen-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"loadgen {__version__}, Python {platform.python_version()}, {sys.platform}\n\n{text}")
        return path
    return ""


def sentence(error: BaseException, path: str) -> str:
    """Return the message for the user, on one line."""
    said = printable(str(error))
    words = said if isinstance(error, InternalError) else type(error).__name__ + (f": {said}" if said else "")
    where = f"report it with {path}" if path else "report it with what --debug prints"
    return f"internal error ({words}). This is a bug in loadgen, and says nothing about a server: {where}."
