"""A server's disk that is full: its tmpfs, made as small as what is in it (tmpfs(5), remount)."""

from __future__ import annotations

import os

from loadgen.faults.disk.notes import Notes, Number
from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.target.server import ManagedServer


class DiskFull:
    """A tmpfs without room. It counts the writes that the kernel refused, as the library in the server sees them."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        self._server = server
        self._size = server.plan.surroundings.tmpfs_bytes
        if not self._size:
            raise FaultError("the server has no disk of its own: start it with surroundings_for([…]).")
        self._notes = Notes(server)
        self._before = self._notes[Number.REFUSED]
        found = os.statvfs(server.data)
        used = (found.f_blocks - found.f_bfree) * found.f_bsize
        # A size of 0 would be no limit.
        self._resize(max(found.f_bsize, min(self._size, used + int(fault.parameters["spare"]))))

    def effects(self) -> int:
        return self._notes[Number.REFUSED] - self._before

    def end(self) -> None:
        self._resize(self._size)

    def _resize(self, size: int) -> None:
        self._server.inside("mount", "-o", f"remount,size={size}", self._server.folder)
