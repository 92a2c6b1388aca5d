"""Records of a register's history in Jepsen's words, so that other checkers can read them as lines."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from loadgen.verify.history._operations import ABSENT, ADD, CAS, CAS_TO, DELETE, NOT_DONE, READ, WRITE, Operations
from loadgen.verify.history.operation import Ended, Operation
from loadgen.verify.history.record import Record, of

_NAMES = {READ: "read", WRITE: "write", DELETE: "delete", ADD: "add", CAS: "cas"}


def operations_of(records: Operations) -> Iterator[Operation]:
    """Yield the operations of records, in the order of their calls.

    In Jepsen's words a process has one operation at a time, and none after one without an end. A process of the records
    that has several at a time is several, "7", "7.1", "7.2".
    """
    slots: dict[int, list[tuple[float, int]]] = {}
    many: dict[int, int] = {}
    order = sorted(range(len(records)), key=lambda index: (records[index][3], index))
    for number, index in enumerate(order):
        record = of(records, index)
        if record.op == CAS_TO:
            continue
        free = slots.setdefault(record.process, [])
        # A slot is free when its operation returned before this call: at the same time it is not yet.
        if free and free[0][0] < record.call_ns:
            _, slot = heapq.heappop(free)
        else:
            slot = many.get(record.process, 0)
            many[record.process] = slot + 1
        if not record.open:
            heapq.heappush(free, (record.return_ns, slot))
        process = f"{record.process}.{slot}" if slot else record.process
        asked = _asked(record, records[index + 1][2] if record.op == CAS else ABSENT)
        ended = _ended(record)
        yield Operation(
            process,
            _NAMES[record.op],
            record.key,
            asked,
            _result(record, asked) if ended is Ended.OK else None,
            record.call_ns,
            None if record.open else record.return_ns,
            ended,
            number,
        )


def _asked(record: Record, new: int) -> Any:
    match _NAMES[record.op]:
        case "read" | "delete":
            return None
        case "cas":
            return [record.value or None, new]
        case _:
            return record.value


def _ended(record: Record) -> Ended:
    if record.open:
        return Ended.INFO
    if record.outcome == NOT_DONE or (record.op == WRITE and record.missed):
        return Ended.FAIL
    return Ended.OK


def _result(record: Record, asked: Any) -> Any:
    if record.op == READ:
        return None if record.missed else record.value
    return False if record.missed else asked
