"""The built-in server as a target: in a process of its own, on a free loopback port, gone when we are.

The child reads a pipe whose other end only this process holds, and stops when it ends: not even SIGKILL leaves a server
behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Self

from loadgen.errors import TargetError
from loadgen.target.keeper_process import End
from loadgen.target.log import ServerLog
from loadgen.target.process import ProcessTree
from loadgen.usage import Usage

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
_FIRST_LINE = re.compile(rb"listening on 127\.0\.0\.1:([0-9]+),")


class EmbeddedServer:
    """A context manager; `host`, `port` and `pid` say where the server is, from `__enter__` on.

    `protocol` is `resp` or `memcache`; memory and eviction are the server's own defaults unless given; `options` are
    further arguments of `loadgen serve`. Raises TargetError, with the child's own words, when it does not start.
    """

    def __init__(
        self,
        protocol: str = "resp",
        *,
        max_memory_bytes: int | None = None,
        eviction: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.name = "loadgen serve"
        self.protocol = protocol
        self.host = HOST
        self.port = 0
        self.pid = 0
        self._options = ["--protocol", protocol, "--host", HOST, "--port", "0", "--stop-at-eof"]
        if max_memory_bytes is not None:
            self._options += ["--max-memory", str(max_memory_bytes)]
        if eviction is not None:
            self._options += ["--eviction", eviction]
        self._options += options
        self._process: subprocess.Popen[bytes] | None = None
        self._tree: ProcessTree | None = None
        self._log: ServerLog | None = None
        self._fate = ""

    def __enter__(self) -> Self:
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                # -P: what lies in the current folder must not pass for a module.
                [sys.executable, "-P", "-m", "loadgen", "serve", *self._options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                # A Ctrl-C at the terminal is for the load generator, which still needs the server to drain.
                start_new_session=True,
            )
            self._process = process
            self._tree = ProcessTree(process.pid)
            self._log = ServerLog(os.dup(complaints.fileno()))
            self.pid = process.pid
            try:
                assert process.stdout is not None
                line = _first_line(process.stdout)
                match = _FIRST_LINE.search(line)
                if match is None:
                    self.stop()
                    raise TargetError(f"The built-in server did not start: {_last_words(complaints, line)}")
                self.port = int(match[1])
            except BaseException:
                self.stop()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def usage(self) -> Usage | None:
        """What it has used until now; None when it has ended."""
        return self._tree.usage() if self._tree is not None and self.alive() else None

    def fate(self) -> str:
        """How it ended before it was told to, in a sentence without its full stop; empty while it lives."""
        if self._process is not None and (status := self._process.poll()) is not None:
            self._fate = f"{self.name} {End(status, others=False)}"
        return self._fate

    def complaints(self) -> tuple[str, ...]:
        """What it has printed to standard error that tells of an error."""
        return self._log.complaints() if self._log is not None else ()

    def last_words(self) -> tuple[str, ...]:
        """The last lines that it has printed to standard error."""
        return self._log.last_words() if self._log is not None else ()

    def restarted(self) -> bool:
        """It is one process, which nobody restarts."""
        return False

    def wait(self, timeout_s: float) -> int:
        """The exit status of a server that was told to end."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def stop(self) -> None:
        """Ends the child, by SIGTERM and, if that does not help, by SIGKILL; may be called again."""
        self.fate()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._log is not None:
            self._log.close()


def _first_line(stdout: IO[bytes]) -> bytes:
    """The child's first line, or what there is of it when it ends or takes too long."""
    line = b""
    deadline = time.monotonic() + START_TIMEOUT_S
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while b"\n" not in line and selector.select(max(0.0, deadline - time.monotonic())):
            received = os.read(stdout.fileno(), 4096)
            if not received:
                break
            line += received
    return line


def _last_words(complaints: IO[bytes], line: bytes) -> str:
    complaints.seek(0)
    lines = [*line.decode(errors="replace").split("\n"), *complaints.read().decode(errors="replace").split("\n")]
    said = [text.strip() for text in lines if text.strip()]
    return said[-1] if said else f"it said nothing within {START_TIMEOUT_S:.0f} s."
