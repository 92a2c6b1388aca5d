"""One record of a register's history as a value, with names for its fields. `_operation.pxd` says what they mean."""

from __future__ import annotations

from typing import NamedTuple

from loadgen.verify.history._operations import (
    ABSENT,
    ADD,
    CAS,
    CAS_TO,
    DELETE,
    MISS,
    NO_END,
    NOT_DONE,
    READ,
    UNKNOWN,
    WRITE,
    Operations,
)


class Record(NamedTuple):
    """A record."""

    op: int
    key: int
    value: int
    call_ns: int
    return_ns: int
    process: int
    outcome: int
    server: int

    @property
    def open(self) -> bool:
        """True where its end is not known."""
        return self.return_ns == NO_END or self.outcome == UNKNOWN

    @property
    def writes(self) -> bool:
        """True for one that put its value there, or may have."""
        return self.op in (WRITE, ADD, CAS_TO) and self.outcome not in (MISS, NOT_DONE)

    @property
    def missed(self) -> bool:
        """True for one that found nothing, or stored nothing because of what it found."""
        return self.outcome == MISS or (self.op == READ and self.value == ABSENT)

    @property
    def observes(self) -> bool:
        """True for one whose reply tells what was there."""
        return self.op in (READ, CAS, ADD, DELETE) and self.outcome != NOT_DONE


def of(operations: Operations, index: int) -> Record:
    """Return the record at an index."""
    return Record(*operations[index])
