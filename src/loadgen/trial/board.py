"""The board: memory that the caller processes of a trial share, on which each publishes its acknowledged writes.

The board has a slot for each key that several processes read, which only the key's writer changes:

    CRC-32 of all that follows (4 bytes) · number of ranges (1) · newest sequence (8) · time at which it began (8) ·
    for each range its first and its last sequence (8 each)

All numbers are big-endian. No lock is taken: a slot that is read while it is changed fails its checksum, and then says
nothing; a slot that another processor's memory has not seen yet says what was known before.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from loadgen.trial.known import MOST_RANGES, Known
from loadgen.trial.plan import CallerPlan
from loadgen.trial.traffic import Names
from loadgen.trial.value import Range

_HEAD = struct.Struct("!BQQ")
_RANGE = struct.Struct("!QQ")
_CHECKSUM_BYTES = 4
SLOT_BYTES = _CHECKSUM_BYTES + _HEAD.size + MOST_RANGES * _RANGE.size

_NOTHING = Known()


class Board:
    """The slots of some keys, in memory that may be shared."""

    def __init__(self, memory: bytearray | mmap.mmap, keys: Sequence[str]) -> None:
        """Use memory of `SLOT_BYTES` for each key, all of it zero at first."""
        self._memory = memory
        self._places = {key: number * SLOT_BYTES for number, key in enumerate(keys)}
        self._own: dict[str, Known] = {}
        """What this process has published."""

    def acknowledged(self, key: str, sequence: int, begun_ns: int, settled: Range) -> None:
        """Publish a write or a delete that was acknowledged, with the sequences that were settled when it began.

        A key without a slot is left out: no other process reads it.
        """
        place = self._places.get(key)
        if place is None:
            return
        before = self._own.get(key, _NOTHING)
        known = self._own[key] = before.with_write(sequence, begun_ns, settled)
        if known is not before:
            content = _HEAD.pack(len(known.settled), known.newest, known.begun_ns)
            content += b"".join(_RANGE.pack(*each) for each in known.settled)
            slot = zlib.crc32(content).to_bytes(_CHECKSUM_BYTES) + content
            self._memory[place : place + len(slot)] = slot

    def known(self, key: str) -> Known:
        """Return what the writer of a key has published."""
        place = self._places.get(key)
        if place is None:
            return _NOTHING
        slot = bytes(self._memory[place : place + SLOT_BYTES])
        count, newest, begun_ns = _HEAD.unpack_from(slot, _CHECKSUM_BYTES)
        end = _CHECKSUM_BYTES + _HEAD.size + count * _RANGE.size
        if int.from_bytes(slot[:_CHECKSUM_BYTES]) != zlib.crc32(slot[_CHECKSUM_BYTES:end]):
            return _NOTHING  # Nothing was published yet, or the slot is being changed.
        return Known(tuple(_RANGE.iter_unpack(slot[_CHECKSUM_BYTES + _HEAD.size : end])), newest, begun_ns)


@contextmanager
def shared_memory(processes: int) -> Iterator[int | None]:
    """Make memory for the board of several processes, and yield its descriptor; None for a single process.

    The memory has no name: it is gone with the last process that has it.
    """
    if processes == 1:
        yield None
        return
    descriptor = os.memfd_create("loadgen board")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def opened(plan: CallerPlan) -> Board | None:
    """Return the board of a plan in the memory of its descriptor; None where the plan has none."""
    if plan.board is None:
        return None
    keys = Names(plan).read_keys()
    length = len(keys) * SLOT_BYTES
    os.ftruncate(plan.board, length)  # Every process sets the same length.
    return Board(mmap.mmap(plan.board, length), keys)
