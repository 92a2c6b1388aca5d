"""The histories of callers, in virtual time: what each end of an operation tells of a key, and what a check finds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from trials import plan

from loadgen.trial.book import Book
from loadgen.trial.recording import BLOCK_RECORDS, Recording, identity
from loadgen.trial.traffic import Names, Operation
from loadgen.trial.value import Seal, sealed
from loadgen.verify.checkers._register import Register
from loadgen.verify.history.file import Metadata, Recorded, create, read
from loadgen.verify.history.missing import add_missing_writes
from loadgen.verify.history.record import Record, of

RUN = 7
OPEN = 2**63 - 1
READ, WRITE, DELETE = range(3)
OK, NOT_DONE, UNKNOWN, MISS = range(4)
FOREIGN, UNMARKED = 1 << 63, 1 << 62
KEY, OTHER = "lg:1:s7", "lg:2:s7"
SET = Operation("set", (KEY,), 80)
GET = Operation("get", (KEY,))


class Kept:
    """The books of two caller processes that keep one history."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "h"
        os.close(create(self.path, Metadata(workers=2)))
        told = replace(plan(), writers=2, run=RUN)
        self.books = [
            Book(replace(told, writer=number), 0, None, Recording(str(self.path), number, RUN)) for number in (1, 2)
        ]

    def done(self, operation: Operation, answer: object, at_ns: int, writer: int = 1, node: int = 1) -> bytes:
        """Perform an operation from a time on for 10 ns. Returns the value of a set."""
        book = self.books[writer - 1]
        call = book.begin(operation, node, at_ns, at_ns)
        book.end(call, answer, at_ns + 10)
        return call.value

    def read(self, *closed: int) -> Recorded:
        for writer in closed or (1, 2):
            self.books[writer - 1].close(10**9)
        return read(self.path)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def records(recorded: Recorded) -> list[Record]:
    return [of(recorded.operations, index) for index in range(len(recorded.operations))]


def number(key: str) -> int:
    found = Names.number(key)
    assert found is not None
    return found


def test_each_end_has_its_record(kept: Kept) -> None:
    value = kept.done(SET, True, 100)
    kept.done(SET, False, 200)
    kept.done(GET, value, 300, node=3)
    kept.done(GET, None, 400)
    kept.done(Operation("delete", (KEY,)), True, 500)
    kept.done(Operation("delete", (KEY,)), False, 600)
    kept.done(Operation("get_many", (KEY, OTHER)), {KEY: value}, 700)
    book = kept.books[0]
    for operation in (SET, GET):
        book.fail(book.begin(operation, 1, 800, 800), "timeout", "late", 900)
    book.begin(SET, 1, 900, 900)
    first = number(KEY)
    assert records(kept.read()) == [
        (WRITE, first, 1, 100, 110, 1, OK, 1),
        (WRITE, first, 2, 200, OPEN, 1, UNKNOWN, 1),
        (READ, first, 1, 300, 310, 1, OK, 3),
        (READ, first, 0, 400, 410, 1, MISS, 1),
        (DELETE, first, 0, 500, 510, 1, OK, 1),
        (DELETE, first, 0, 600, OPEN, 1, UNKNOWN, 1),
        (READ, first, 1, 700, 710, 1, OK, 1),
        (READ, number(OTHER), 0, 700, 710, 1, MISS, 1),
        (WRITE, first, 5, 800, OPEN, 1, UNKNOWN, 1),
        (READ, first, 0, 800, OPEN, 1, UNKNOWN, 1),
        # Under way at the end.
        (WRITE, first, 6, 900, OPEN, 1, UNKNOWN, 1),
    ]


def test_counters_and_answers_that_are_no_bytes_have_no_record(kept: Kept) -> None:
    kept.done(Operation("set", ("lg:1:c1",)), True, 100)
    kept.done(Operation("increment", ("lg:1:c1",)), 4, 200)
    kept.done(GET, "text", 300)
    assert records(kept.read()) == []


def test_a_value_that_was_not_written_to_the_key_in_this_run_is_foreign(kept: Kept) -> None:
    for value in (
        sealed(Seal(OTHER, 2, 4, 0, RUN), 80),
        sealed(Seal(KEY, 1, 4, 0, RUN + 1), 80),
        b"no seal",
    ):
        kept.done(GET, value, 100)
    other, old, damaged = (record.value for record in records(kept.read()))
    assert other == FOREIGN | identity(2, 4)
    assert old & UNMARKED
    assert damaged & UNMARKED
    assert old != damaged


def test_what_one_process_wrote_is_judged_by_what_the_other_read(kept: Kept) -> None:
    values = [kept.done(SET, True, at_ns) for at_ns in (100, 200)]
    kept.done(GET, values[1], 300, writer=2)
    recorded = kept.read()
    assert (recorded.unclosed, Register().judged(recorded.operations)) == ((), "legal")


def test_a_stale_read_of_another_process_is_illegal(kept: Kept) -> None:
    values = [kept.done(SET, True, at_ns) for at_ns in (100, 200)]
    kept.done(GET, values[0], 300, writer=2)
    assert Register().judged(kept.read().operations) == "illegal"


def test_a_value_of_a_process_that_was_ended_is_not_taken_for_nobodys(kept: Kept) -> None:
    value = kept.done(SET, True, 100)
    kept.done(GET, value, 200, writer=2)
    recorded = kept.read(2)
    assert recorded.unclosed == (0,)
    assert add_missing_writes(recorded.operations, recorded.unclosed) == 1
    assert Register().judged(recorded.operations) == "legal"


def test_records_go_to_the_file_in_blocks(kept: Kept) -> None:
    for at_ns in range(BLOCK_RECORDS):
        kept.done(GET, None, at_ns)
    kept.done(GET, None, 0)
    assert len(read(kept.path).operations) == BLOCK_RECORDS
    assert len(kept.read().operations) == BLOCK_RECORDS + 1


def test_keys_have_different_numbers() -> None:
    names = [f"lg:{writer}:{rest}" for writer in (1, 2) for rest in ("s0", "s5", "s999999", "o0-0", "o0-5", "o9999-5")]
    numbers = {Names.number(name) for name in names}
    assert None not in numbers
    assert len(numbers) == len(names)
    assert Names.number("lg:1:c5") is None
    assert Names.number("other") is None
