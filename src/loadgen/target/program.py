"""The program that a command names, found before anything is started, so that an error can say what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from loadgen.errors import TargetError

OURSELVES = "loadgen"


_COMMAND = "target.server.command"


def found(program: str, environment: Mapping[str, str], key: str = _COMMAND) -> tuple[str, ...]:
    """Return the path of a program named by the config key `key`, and the arguments before the program's own.

    The word `loadgen` means this very loadgen, not one found in PATH: results must be of this version. Raises
    TargetError.
    """
    if program == OURSELVES:
        # -P: files in the server's folder must not be imported as modules.
        return (sys.executable, "-P", "-m", "loadgen")
    if "/" in program:
        return (_checked(Path(program).absolute(), key),)
    searched = environment.get("PATH", os.defpath)
    path = shutil.which(program, path=searched)
    if path is None:
        raise TargetError(
            f'The program "{program}" of {key} is not in PATH: install it, or write its whole path{_or_build(key)}.'
        )
    return (str(Path(path).absolute()),)


def is_absent(program: str, environment: Mapping[str, str]) -> bool:
    """True when no such file exists, executable or not; for a name without a slash, when PATH has no such program."""
    if program == OURSELVES:
        return False
    if "/" in program:
        return not Path(program).exists()
    return shutil.which(program, path=environment.get("PATH", os.defpath)) is None


def _or_build(key: str) -> str:
    return ", or say in target.server.build how it is built" if key == _COMMAND else ""


def _checked(path: Path, key: str) -> str:
    if not path.exists():
        raise TargetError(f"The program {path} of {key} is not there: build it, or correct the path{_or_build(key)}.")
    if not path.is_file() or not os.access(path, os.X_OK):
        raise TargetError(f"{path} of {key} cannot be executed: chmod +x it, or name a program.")
    return str(path)
