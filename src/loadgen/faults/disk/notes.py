"""The notes that the library takes in a server, or in several processes: counters, orders, what is durable of files.

Layout and names are those of `notes.c`. The notes are shared memory: an order takes effect at the next call. The undo
log has what files had where they were written over.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from loadgen.faults.interpreter import FaultError
from loadgen.target.server import ManagedServer

_NUMBERS = 16
_NUMBER_BYTES = 8
_FILES = 4096
_FILE = struct.Struct("=QQQQQQ")
_FULL_AT = 5 * _NUMBER_BYTES
"""Where in a file's place its mark is."""
_RECORD = struct.Struct("=QQQQQ")
_SYNCED = 2**64 - 1


class Number(IntEnum):
    """The places of the numbers."""

    LOADED = 0
    """Processes into which the library was loaded."""
    FSYNC_DELAY_NS = 1
    FAIL_SHARE = 2
    """The share of calls that fail with EIO, of 2³²."""
    READ_ONLY = 3
    SEED = 4
    DELAYED = 5
    """Fsyncs that were delayed."""
    FAILED = 6
    """Calls that the library let fail with EIO."""
    REFUSED = 7
    """Calls that failed because the disk was full or read-only."""
    WRITES = 8
    FSYNCS = 9
    CLOCK_SHIFT_NS = 11
    """The shift of the clock of the day; negative for one that goes back."""
    CLOCK_READ = 12
    """Readings of that clock that were shifted."""
    UNDO_LOST = 15
    """Records that the undo log could not take."""


class Notes:
    """The notes of the library, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, server: ManagedServer) -> Notes:
        """Return the notes of a server. Raises FaultError when the server did not load the library."""
        library = server.plan.surroundings.preload
        if not library:
            raise FaultError("the server was started without the library: start it with surroundings_for([…]).")
        if not _loaded(server.pid, library):
            raise FaultError(
                f"{server.name} did not load {library}, as statically linked programs do not: use a dynamically "
                "linked build."
            )
        return cls(server.notes)

    def __getitem__(self, number: Number) -> int:
        with self._mapped() as notes:
            return int.from_bytes(_part(notes, number), "little")

    def __setitem__(self, number: Number, value: int) -> None:
        with self._mapped() as notes:
            at = number * _NUMBER_BYTES
            notes[at : at + _NUMBER_BYTES] = (value % (1 << 64)).to_bytes(_NUMBER_BYTES, "little")

    def durable(self) -> dict[tuple[int, int], int]:
        """Return the bytes that are durable of each file that the server has written, by device and inode."""
        with self._mapped() as notes:
            table = notes[_NUMBERS * _NUMBER_BYTES :][: _FILES * _FILE.size]
        return {(device, inode): size for inode, device, size, known, _, _ in _FILE.iter_unpack(table) if known}

    def mark_full(self, files: Collection[tuple[int, int]]) -> int:
        """Let these files, by device and inode, not grow, and all others grow.

        Returns how many of these files have been written so far: a file that was not cannot be marked.
        """
        marked = 0
        with self._mapped() as notes:
            for number in range(_FILES):
                at = _NUMBERS * _NUMBER_BYTES + number * _FILE.size
                inode, device, *_ = _FILE.unpack_from(notes, at)
                is_full = inode != 0 and (device, inode) in files
                marked += is_full
                if inode:
                    notes[at + _FULL_AT : at + _FULL_AT + _NUMBER_BYTES] = int(is_full).to_bytes(
                        _NUMBER_BYTES, "little"
                    )
        return marked

    def _mapped(self) -> mmap.mmap:
        try:
            with self._path.open("r+b") as file:
                return mmap.mmap(file.fileno(), 0)
        except (OSError, ValueError) as error:
            raise FaultError(f"the notes in {self._path} could not be read ({error}).") from None


def forget(server: ManagedServer) -> None:
    """Remove all notes of a server that is down: its table of files never gives a place up.

    Raises FaultError when the notes cannot be written.
    """
    try:
        os.truncate(server.notes, 0)
    except OSError as error:
        raise FaultError(f"the notes in {server.notes} could not be removed ({error}).") from None


@dataclass(frozen=True, slots=True)
class Overwritten:
    """What a file had before a write that no sync has made durable."""

    file: tuple[int, int]
    """Its device and inode."""
    at: int
    before: bytes


def overwritten(undo_log: Path) -> list[Overwritten]:
    """Return what is in an undo log and not durable, in the order of the writes. Raises FaultError."""
    try:
        log = undo_log.read_bytes()
    except OSError as error:
        raise FaultError(f"the undo log {undo_log} could not be read ({error}).") from None
    found: list[tuple[int, Overwritten]] = []
    synced: dict[tuple[int, int], int] = {}
    place = 0
    while place + _RECORD.size <= len(log):
        number, device, inode, at, length = _RECORD.unpack_from(log, place)
        place += _RECORD.size
        if length == _SYNCED:
            synced[device, inode] = max(number, synced.get((device, inode), 0))
            continue
        # The last record is cut off when its process was killed: its write was not done.
        if place + length <= len(log):
            found.append((number, Overwritten((device, inode), at, log[place : place + length])))
        place += length
    return [write for number, write in found if number > synced.get(write.file, 0)]


def _part(notes: mmap.mmap, number: Number) -> bytes:
    return notes[number * _NUMBER_BYTES : (number + 1) * _NUMBER_BYTES]


def _loaded(pid: int, library: str) -> bool:
    try:
        return library in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False
