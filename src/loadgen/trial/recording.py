"""The history of one caller process: a record of each operation on a key, as its client reported the end.

Each key has one register, whichever node answers: the history is of what the client was served. A value names its
writer process and its sequence (`trial.value`). What an end tells of the cache:

    a get that returned     OK or MISS
    a set, a delete         OK where the client reported them as done; UNKNOWN where it answered False: refused, never
                            sent, or nothing to delete, which a client does not tell apart
    an exception            UNKNOWN, also of an operation that is still under way when the caller ends

Counters are no registers, and have no records. A recording is told the time.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from loadgen.trial.call import Call
from loadgen.trial.traffic import Names
from loadgen.trial.value import Damaged, read
from loadgen.verify.history._operations import (
    ABSENT,
    DELETE,
    FOREIGN,
    MISS,
    NO_END,
    OK,
    READ,
    UNKNOWN,
    UNMARKED,
    WRITE,
    Operations,
)
from loadgen.verify.history.file import Writer

BLOCK_RECORDS = 1024
"""Records that are kept until they are written: some 40 KB, and half a second of most workloads."""

_WRITER_SHIFT = 48
"""Of a writer's number in a value's identity, as in those of a load (`_mark.pxd`)."""

KEYS = "lg:W:sN is W × 10¹² + N, and lg:W:oC-N is (C + 1) × 10⁶ more"
"""The numbers of keys, in words (`Names.number`)."""


class Recording:
    """The records of one caller process, in a file that is there."""

    def __init__(self, path: str, writer: int, run: int) -> None:
        """Open the file for a writer process, from 1, of a run. Raises OutputError."""
        self._file = Writer(path, worker=writer - 1)
        self._writer = writer
        self._run = run
        self._records = Operations()

    def ended(self, call: Call, answer: object, now_ns: int) -> None:
        """Record an operation that returned an answer."""
        kind = call.operation.kind
        if call.write is not None:
            known = answer is not False
            self._add(call, call.operation.key, self._written(call), OK if known else UNKNOWN, now_ns)
        elif kind == "get":
            self._read(call, call.operation.key, answer, now_ns)
        elif kind == "get_many" and isinstance(answer, Mapping):
            for key in call.operation.keys:
                self._read(call, key, answer.get(key), now_ns)

    def failed(self, call: Call, now_ns: int) -> None:
        """Record an operation without a known end."""
        if call.write is not None:
            self._add(call, call.operation.key, self._written(call), UNKNOWN, now_ns)
        for each in call.reads:
            self._add(call, each.key, ABSENT, UNKNOWN, now_ns)

    def close(self) -> None:
        """Write the records that are left, and end the history of this process. Raises OutputError."""
        self._write()
        self._file.close()

    def _written(self, call: Call) -> int:
        """Return the identity of the value that a call writes; ABSENT for a delete."""
        assert call.write is not None, "the call is a write"
        return identity(self._writer, call.write.sequence) if call.operation.kind == "set" else ABSENT

    def _read(self, call: Call, key: str, answer: object, now_ns: int) -> None:
        if answer is None:
            self._add(call, key, ABSENT, MISS, now_ns)
        elif isinstance(answer, bytes):
            self._add(call, key, self._identity(key, answer), OK, now_ns)

    def _identity(self, key: str, value: bytes) -> int:
        try:
            seal = read(value)
        except Damaged:
            return FOREIGN | UNMARKED | zlib.crc32(value)
        if seal.run != self._run:
            return FOREIGN | UNMARKED | zlib.crc32(value)
        named = identity(seal.writer, seal.sequence)
        return named if seal.key == key else FOREIGN | named

    def _add(self, call: Call, key: str, value: int, outcome: int, now_ns: int) -> None:
        if (number := Names.number(key)) is None:
            return
        op = READ if call.write is None else WRITE if call.operation.kind == "set" else DELETE
        return_ns = NO_END if outcome == UNKNOWN else max(now_ns, call.begun_ns)
        self._records.append(op, number, value, call.begun_ns, return_ns, self._writer, outcome, call.node)
        if len(self._records) >= BLOCK_RECORDS:
            self._write()

    def _write(self) -> None:
        if len(self._records):
            self._file.write(self._records)
            self._records = Operations()


def identity(writer: int, sequence: int) -> int:
    """Return the identity of a value: unique over the writes of all processes to one key."""
    return writer - 1 << _WRITER_SHIFT | sequence
