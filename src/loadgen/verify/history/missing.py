"""The writes that a history lacks because their worker was killed before it had written their records.

Each value names its worker (`_mark`). A value that was read, that names such a worker and that no record writes, was
written by a request whose record is lost: nothing is known of its time, and it is no violation that nobody wrote it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

from loadgen.verify.history._operations import ADD, CAS_TO, FOREIGN, NO_END, READ, UNKNOWN, WRITE, Operations

_WORKER_SHIFT = 48
"""As in `_mark.pxd`."""
_RECORD = struct.Struct("<qqQQIBBH")
"""As in `_operation.pxd`."""


def add_missing_writes(operations: Operations, workers: Collection[int]) -> int:
    """Append the writes that are missing of these workers, each called with the first operation and without an end.

    Returns the number of them.
    """
    written: set[tuple[int, int]] = set()
    read: dict[tuple[int, int], None] = {}
    first_ns = NO_END
    with memoryview(operations) as records:
        for call_ns, _, key, value, _, op, _, _ in _RECORD.iter_unpack(records):
            first_ns = min(first_ns, call_ns)
            if op in (WRITE, ADD, CAS_TO):
                written.add((key, value))
            elif op == READ and value and not value & FOREIGN and value >> _WORKER_SHIFT in workers:
                read[key, value] = None
    missing = [each for each in read if each not in written]
    for key, value in missing:
        operations.append(WRITE, key, value, first_ns, NO_END, outcome=UNKNOWN)
    return len(missing)
