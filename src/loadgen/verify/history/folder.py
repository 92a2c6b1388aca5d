"""The folder of histories that a command keeps one after the other: a file for each round or trial."""

from __future__ import annotations

import re
from pathlib import Path

from loadgen.errors import OutputError, UsageError
from loadgen.escape import printable

SUFFIX = ".lghist"

_MOST_OF_A_NAME = 60
"""Of a word in a file's name."""


def made(path: str, what: str) -> Path:
    """Return a folder, made where it is not there; `what` is each file of it, in words.

    Raises UsageError when it has histories already, OutputError when it cannot be made.
    """
    folder = Path(path).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = any(each.suffix == SUFFIX for each in folder.iterdir())
    except OSError as error:
        said = "there is a file of this name" if isinstance(error, FileExistsError) else error.strerror
        raise OutputError(
            f"the folder of histories {printable(path)} could not be made: {said}; it gets a file for each {what}"
        ) from error
    if there:
        raise UsageError(f"{printable(path)} has histories already: remove them, or name another folder.")
    return folder


def named(folder: str | Path, *words: str) -> str:
    """Return the path of the history that these words name."""
    parts = (re.sub(r"[^A-Za-z0-9._-]+", "-", word)[:_MOST_OF_A_NAME].strip("-.") for word in words)
    return str(Path(folder, "-".join(filter(None, parts)) + SUFFIX))
