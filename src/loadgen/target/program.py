"""Which program a command names. It is found before anything is started, so that a sentence can say what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from loadgen.errors import TargetError

OURSELVES = "loadgen"


def found(program: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The path of a program, and the arguments that stand before its own.

    The word `loadgen` is this very loadgen, not one that PATH happens to have: results are to be of this version.
    Raises TargetError.
    """
    if program == OURSELVES:
        # -P: what lies in the server's folder must not pass for a module.
        return (sys.executable, "-P", "-m", "loadgen")
    if "/" in program:
        return (_checked(Path(program).absolute()),)
    searched = environment.get("PATH", os.defpath)
    path = shutil.which(program, path=searched)
    if path is None:
        raise TargetError(
            f'The program "{program}" of target.server.command is not in PATH: install it, or write its whole path.'
        )
    return (str(Path(path).absolute()),)


def _checked(path: Path) -> str:
    if not path.exists():
        raise TargetError(f"The program {path} of target.server.command is not there: build it, or correct the path.")
    if not path.is_file() or not os.access(path, os.X_OK):
        raise TargetError(f"{path} of target.server.command cannot be executed: chmod +x it, or name a program.")
    return str(path)
