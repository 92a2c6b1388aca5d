"""A server that the kernel kills because the memory of its control group has run out."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.faults.process.group import Group
from loadgen.target.server import ManagedServer

_KILL_TIMEOUT_S = 10.0
_INTERVAL_S = 0.01
_END_TIMEOUT_S = 2.0

# A process that takes the group's memory until the server has been killed: the server itself may need no more memory
# for a long time. It ends when its input does. What it takes is an unmapped file in memory, which is not counted as its
# own: the kernel kills the process with the highest score, which is the server.
_EATER = """\
import os, select, sys
with open(sys.argv[2], "w") as group:
    group.write("0")
file, page = os.memfd_create("lg-eater"), b"x" * 65536
for _ in range(int(sys.argv[1]) // len(page)):
    if select.select([0], [], [], 0)[0]:
        break
    os.write(file, page)
select.select([0], [], [])
"""
_SPARE_BYTES = 32 << 20
"""The limit is this much above what is in use: the share of it that `oom_score_adj` adds to the server's score is more
than the memory of the process above."""
_HIGHEST_SCORE = 1000
"""From proc(5), oom_score_adj: adds the whole limit to the score."""


class OutOfMemory:
    """A server under a limit that its memory reaches. It counts the kernel's kills in the server's control group."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        self._server = server
        if server.has_ended():
            raise FaultError("the server is down.")
        self._group = Group(server, "memory.limit_in_bytes", "memory.max")
        self._before = self._kills()
        server.expect_end()
        try:
            self._limit()
            self._exhaust()
        finally:
            # The server is to be started without a limit, and a server that was not killed goes on without one.
            self._lift()

    def effects(self) -> int:
        return self._kills() - self._before

    def end(self) -> None:
        if self._server.has_ended():
            self._server.restart()

    def _kills(self) -> int:
        return self._group.count("memory.oom_control" if self._group.version == 1 else "memory.events", "oom_kill")

    def _limit(self) -> None:
        if self._group.version == 1:
            self._group.set("memory.swappiness", 0)
            # Version 1 refuses a limit below what is in use.
            used = self._group.count("memory.usage_in_bytes")
            self._group.set("memory.limit_in_bytes", used + _SPARE_BYTES)
        else:
            self._group.set("memory.max", self._group.count("memory.current") + _SPARE_BYTES)

    def _lift(self) -> None:
        first = self._group.version == 1
        self._group.set("memory.limit_in_bytes" if first else "memory.max", -1 if first else "max")

    def _exhaust(self) -> None:
        procs = self._group.folder / "cgroup.procs"
        for pid in procs.read_text().split():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/oom_score_adj").write_text(str(_HIGHEST_SCORE))
        command = [sys.executable, "-I", "-S", "-c", _EATER, str(4 * _SPARE_BYTES), str(procs)]
        nowhere = subprocess.DEVNULL
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere) as eater:
            deadline = time.monotonic() + _KILL_TIMEOUT_S
            while not self._server.has_ended() and time.monotonic() < deadline:
                time.sleep(_INTERVAL_S)
            # The eater waits for memory that the limit does not allow: with more, it can read the end of its input.
            self._lift()
            self._end_of(eater)
        if not self._server.has_ended():
            self._server.expect_end(expected=False)
            raise FaultError(f"the kernel did not kill the server within {_KILL_TIMEOUT_S:.0f} s of its limit.")

    def _end_of(self, eater: subprocess.Popen[bytes]) -> None:
        """End the eater. Where the kernel killed it, too, after the server, that kill is none of the server."""
        assert eater.stdin is not None
        eater.stdin.close()
        try:
            by_kernel = eater.wait(_END_TIMEOUT_S) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            by_kernel = False
            eater.kill()
        self._before += by_kernel
