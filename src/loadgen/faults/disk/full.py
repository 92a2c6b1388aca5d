"""A server's disk that is full: its tmpfs, made as small as what is in it (tmpfs(5), remount)."""

from __future__ import annotations

import os

from loadgen.faults.disk.notes import Notes, Number
from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.target.server import ManagedServer, ServerError

ATTEMPTS = 12
"""The most attempts at making a disk small that a server writes to. The last has 8 MiB of room for its writes."""


class DiskFull:
    """A tmpfs without room. It counts the writes that the kernel refused, as the library in the server sees them."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        self._server = server
        self._size = server.plan.surroundings.tmpfs_bytes
        if not self._size:
            raise FaultError("the server has no disk of its own: start it with surroundings_for([…]).")
        self._notes = Notes.of(server)
        self._before = self._notes[Number.REFUSED]
        self._fill(int(fault.parameters["spare"]))

    def effects(self) -> int:
        return self._notes[Number.REFUSED] - self._before

    def end(self) -> None:
        self._resize(self._size)

    def _fill(self, spare: int) -> None:
        """Make the disk as small as what is in it, and `spare` bytes more.

        The kernel makes no disk smaller than what is in it, and a server under load writes on meanwhile: so the disk is
        measured again, with twice the room each time.
        """
        for attempt in range(ATTEMPTS):
            found = os.statvfs(self._server.data)
            used = (found.f_blocks - found.f_bfree) * found.f_bsize
            room = spare + (found.f_bsize << attempt if attempt else 0)
            try:
                # A size of 0 would be no limit.
                self._resize(max(found.f_bsize, min(self._size, used + room)))
            except ServerError:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    def _resize(self, size: int) -> None:
        self._server.inside("mount", "-o", f"remount,size={size}", self._server.folder)
