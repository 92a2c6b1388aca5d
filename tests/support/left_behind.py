"""A guard over the temporary folder of servers that a test starts: nothing is left when the test's process is killed.

A guard is a shell that reads a pipe whose other end the test's process holds. When the pipe ends with the folder still
there, the test was killed: the guard kills every process whose working folder is in the folder, and removes it. A
working folder tells a process for sure, where a process id can have become another's.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

_SCRIPT = """
trap '' INT TERM HUP
read -r _
[ -d "$1" ] || exit 0
for process in /proc/[0-9]*; do
    case "$(readlink "$process/cwd" 2>/dev/null)/" in
        "$1"/*) kill -9 "${process#/proc/}" 2>/dev/null ;;
    esac
done
rm -rf "$1"
"""


class Guard:
    """The guard of `folder`, from its making until `leave`, which is to be called when the folder is removed."""

    def __init__(self, folder: Path) -> None:
        self._shell = subprocess.Popen(
            ["sh", "-c", _SCRIPT, "sh", str(folder.resolve())],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def leave(self) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait()
