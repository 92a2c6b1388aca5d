"""Profilers beside a worker: which of them is there, started and ended with the test."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadgen.reason import Code, Reason

_END_S = 20.0
"""How long a profiler may take to write its file."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A profiler."""

    name: str
    command: tuple[str, ...]
    """Its arguments, in which {pid} and {file} stand for the worker and for the file to be written."""
    ending: str
    """The ending of the file's name."""
    install: str


TOOLS = (
    Tool(
        "py-spy",
        ("record", "--nonblocking", "--format", "flamegraph", "--output", "{file}", "--pid", "{pid}"),
        ".svg",
        "pip install py-spy",
    ),
    Tool("perf", ("record", "--quiet", "-g", "-o", "{file}", "-p", "{pid}"), ".perf", "apt-get install linux-perf"),
)
"""Profilers of a running process, the preferred one first. memray, the third that is known, starts its process itself:
`memray run -m loadgen.jobs.leader.main_worker`."""


class Profiler:
    """A profile of one worker. Without a tool there is none, which `notes` tells."""

    def __init__(self, wanted: str, folder: Path) -> None:
        """`wanted` is a tool's name, `auto` for the first that is there, or empty for none."""
        self._found: tuple[Tool, str] | None = None
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.files: tuple[str, ...] = ()
        self._notes: list[str] = []
        if wanted:
            asked = [tool for tool in TOOLS if wanted in ("auto", tool.name)]
            self._found = next(((tool, path) for tool in asked if (path := _path(tool.name))), None)
            if self._found is None:
                missing = " or ".join(f"{tool.name} ({tool.install})" for tool in asked)
                self._notes.append(f"no profile was made: there is no {missing}")

    def begin(self, name: str, pid: int) -> None:
        """Profile a process from now on."""
        if self._found is None or self._process is not None:
            return
        tool, path = self._found
        file = self._folder / f"loadgen-jobs-{name}{tool.ending}"
        words = [path, *(word.format(pid=pid, file=file) for word in tool.command)]
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._notes.append(f"{tool.name} cannot be started: {error.strerror}")
            return
        self.files = (str(file),)

    def end(self) -> None:
        """End the profile, and have the file written."""
        process, self._process = self._process, None
        if process is None or self._found is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        said = b""
        with contextlib.suppress(subprocess.TimeoutExpired):
            said = process.communicate(timeout=_END_S)[1]
        if process.poll() is None:
            process.kill()
            process.communicate()
        tool = self._found[0]
        if Path(self.files[0]).exists():
            self._notes.append(f"{tool.name} has profiled worker 1")
            return
        self.files = ()
        words = next((line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()), "nothing")
        self._notes.append(f"{tool.name} wrote no profile; it said: {words}")

    @property
    def notes(self) -> tuple[Reason, ...]:
        return tuple(Reason(Code.CONFIGURATION, words) for words in self._notes)


def _path(name: str) -> str | None:
    """Return the program of a tool: of this environment, or of the search path."""
    beside: Sequence[Path] = (Path(sys.executable).with_name(name),)
    return next((str(path) for path in beside if path.exists()), shutil.which(name))
