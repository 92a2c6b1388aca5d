"""The fewest operations of a key that still break its law.

An operation may be left out only if what is left of a legal history would be legal: a value's writes go together with
all that observed it. So the operations that are left prove that the whole history is illegal.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.checkers._register import Register
from loadgen.verify.history._operations import ADD, CAS, DELETE, READ, Operations
from loadgen.verify.history.record import Record, of

MOST_JUDGED = 3_000_000
"""Operations that are judged in search of the fewest, over all attempts: a second or two."""


def least(operations: Operations, first: Sequence[int], *, strict: bool = False) -> list[int]:
    """Return the indices of the fewest operations that were found to be illegal, out of some that are, of one key."""
    return _Window(operations, strict).least(first)


class _Window:
    """A search for the fewest: chunks of operations are left out, from halves down to single ones."""

    def __init__(self, operations: Operations, strict: bool) -> None:
        self._operations = operations
        self._strict = strict
        self._register = Register(strict=strict)
        self._left = MOST_JUDGED

    def least(self, first: Sequence[int]) -> list[int]:
        # In the order of calls: what is left out together was done about the same time.
        found = sorted(first, key=lambda index: (self._operations[index][3], index))
        size = max(len(found) // 2, 1)
        while True:
            smaller = self._without_chunks(found, size)
            if size == 1 and len(smaller) == len(found):
                return sorted(found)
            found = smaller
            size = max(min(size // 2, len(found) // 2), 1)

    def _without_chunks(self, found: list[int], size: int) -> list[int]:
        """Leave out every chunk without which the rest is illegal, the last first."""
        end = len(found)
        while end > 0:
            start = max(end - size, 0)
            kept = self._closed(found, {*found[start:end]})
            if self._illegal(kept):
                found = kept
            end = min(start, len(found))
        return found

    def _illegal(self, kept: list[int]) -> bool:
        if self._left < len(kept):
            return False
        self._left -= len(kept)
        return self._register.judged(self._operations.chosen(sorted(kept))) == "illegal"

    def _closed(self, found: list[int], out: set[int]) -> list[int]:
        """Return the operations without some, and without all that observed what these wrote."""
        records = {index: of(self._operations, index) for index in found}
        for index, record in records.items():
            # The two records of a cas stay together.
            if record.op == CAS and (index in out or index + 1 in out):
                out |= {index, index + 1}
        while True:
            gone = {record.value for index, record in records.items() if index in out and record.writes}
            unset = self._strict and any(records[index].op == DELETE for index in out)
            also = {
                each
                for index, record in records.items()
                if index not in out and self._rests_on(record, gone, unset=unset)
                for each in ((index, index + 1) if record.op == CAS else (index,))
            }
            if not also:
                return [index for index in found if index not in out]
            out |= also

    def _rests_on(self, record: Record, gone: set[int], *, unset: bool) -> bool:
        """True for a reply that may be right only because of a write of a value that is gone, or of a delete."""
        if record.op == READ and not record.missed:
            return record.value in gone
        if record.op == CAS:
            return record.value in gone or (unset and not record.value)
        if record.op == ADD and record.missed:
            return bool(gone)
        return unset and (record.missed or record.op == ADD)
