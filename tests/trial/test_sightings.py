"""A reader of keys that another process writes accuses no correct server, and finds what its rule says.

Histories are drawn at random (`tests/support/histories.py`), in virtual time: one process writes a key, and two others
read it, each by its own sightings. The rule is written a second time here, over the whole history.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from histories import Op, drawn, moments
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.trial.board import SLOT_BYTES, Board
from loadgen.trial.ledger import MOST_FAILED, Ledger
from loadgen.trial.reads import Wrong
from loadgen.trial.sightings import Sightings
from loadgen.trial.value import NONE_SETTLED, Seal, read

SEEDS = st.integers(0, 2**32 - 1)
"""Of a `Random`, which draws a history a hundred times as fast as hypothesis itself would."""

KINDS = ["set", "set", "get", "get", "get", "delete"]
READERS = 2
S = 1_000_000_000

Answer = Callable[[Op, bytes | None, list[bytes]], bytes | None]
"""What a server returns to a read, which holds this value, and has held these."""


def told(
    random: Random, ops: list[Op], answer: Answer = lambda op, held, past: held, *, with_board: bool = True
) -> list[tuple[Op, Wrong | None]]:
    """Play a history on a server, and return each read that returned a value with what was found on it."""
    memory = bytearray(SLOT_BYTES)
    boards = [Board(memory, ["k"]) if with_board else None for _ in range(1 + READERS)]
    ledger, published = Ledger(1, 7), boards[0]
    readers = [Sightings(writer, 7, board) for writer, board in enumerate(boards[1:], 2)]
    held: bytes | None = None
    past: list[bytes] = []
    found = []
    for at, _, what, op in moments(random, ops):
        match what, op.kind:
            case "evict", _:
                held = None
            case "begin", "get":
                op.token = readers[op.reader].read("k", at)
            case "begin", "set":
                op.token = ledger.write("k", at)
            case "begin", _:
                op.token = ledger.delete("k", at)
            case "effect", "get":
                op.value = answer(op, held, past)
            case "effect", "set":
                held = ledger.value(op.token, 100)
                past.append(held)
            case "effect", _:
                held = None
            case "end", "get":
                if isinstance(op.value, bytes) and not op.fails:
                    found.append((op, readers[op.reader].judge(op.token, read(op.value), at)))
            case "end", _ if op.fails:
                ledger.failed(op.token)
            case "end", _:
                ledger.acknowledged(op.token, at)
                if published is not None:
                    published.acknowledged("k", op.token.sequence, op.begun, op.token.settled)
    return found


@settings(max_examples=500)
@given(SEEDS, st.booleans())
def test_a_server_that_is_right_is_never_accused(seed: int, with_board: bool) -> None:
    random = Random(seed)
    ops = drawn(random, KINDS, count=60, failing=random.choice([0.0, 0.1, 0.3, 0.6]), readers=READERS)
    assert not [wrong for _, wrong in told(random, ops, with_board=with_board) if wrong is not None]


@settings(max_examples=300)
@given(SEEDS, st.booleans())
def test_a_value_is_stale_exactly_when_a_write_known_before_had_it_settled(seed: int, with_board: bool) -> None:
    """Any value that was ever written may come back here."""
    random = Random(seed)
    ops = drawn(random, KINDS, count=50, failing=random.choice([0.0, 0.1, 0.3]), readers=READERS)
    found = told(random, ops, lambda op, held, past: random.choice(past) if past else None, with_board=with_board)
    by_sequence = {op.token.sequence: op for op in ops if op.kind != "get"}
    for op, wrong in found:
        newer = [
            by_sequence[sequence_of(earlier)]
            for earlier, _ in found
            if earlier.reader == op.reader and earlier.ended <= op.begun
        ]
        if with_board:
            newer += [write for write in by_sequence.values() if not write.fails and write.ended <= op.begun]
        stale = any(sequence_of(op) in settled_before(write, by_sequence) for write in newer)
        assert (wrong is not None) == stale
        if wrong is not None:
            # The rule itself: each value found stale was acknowledged before a write began that was known.
            assert wrong.kind == "stale"
            value = by_sequence[sequence_of(op)]
            assert not value.fails
            assert any(value.ended <= write.begun for write in newer)


def sequence_of(op: Op) -> int:
    assert isinstance(op.value, bytes)
    return read(op.value).sequence


def settled_before(write: Op, by_sequence: dict[int, Op]) -> set[int]:
    """The newest consecutive values before a write that had all been acknowledged, none before them under way."""
    earlier = [by_sequence[sequence] for sequence in range(1, write.token.sequence)]
    under_way = (at for at, op in enumerate(earlier) if op.kind == "set" and op.ended > write.begun)
    run = set[int]()
    for op in reversed(earlier[: next(under_way, len(earlier))]):
        fails = op.kind == "set" and op.fails
        if not fails:
            run.add(op.token.sequence)
        elif run:
            break
    return run


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_shows_one_reader_an_old_state_now_and_then_is_found(seed: int) -> None:
    """The old state is that of 40 writes before; the other reader sees the present one."""
    random = Random(seed)
    ops = drawn(random, ["set", "get", "get"], count=400, failing=0.05, readers=READERS)

    def lagging(op: Op, held: bytes | None, past: list[bytes]) -> bytes | None:
        return past[-40] if op.reader == 1 and len(past) >= 40 and random.random() < 0.2 else held

    found = told(random, ops, lagging)
    assert any(wrong is not None for _, wrong in found)
    assert {op.reader for op, wrong in found if wrong is not None} == {1}


# ── The writer's part ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_write_under_way_holds_up_what_is_settled() -> None:
    ledger = Ledger(1, 7)
    first, second, third = (ledger.write("k", at) for at in range(3))
    ledger.acknowledged(first, 3)
    ledger.acknowledged(third, 4)
    assert ledger.write("k", 5).settled == (1, 1)
    ledger.acknowledged(second, 6)
    assert ledger.write("k", 7).settled == (1, 3)


def test_a_write_that_failed_is_never_settled_and_holds_up_nothing() -> None:
    ledger = Ledger(1, 7)
    ledger.acknowledged(ledger.write("k", 0), 1)
    ledger.failed(ledger.write("k", 2))
    third = ledger.write("k", 3)
    assert third.settled == (1, 1)
    ledger.acknowledged(third, 4)
    assert ledger.write("k", 5).settled == (3, 3)


def test_a_delete_is_settled_at_once() -> None:
    ledger = Ledger(1, 7)
    ledger.acknowledged(ledger.write("k", 0), 1)
    refused = ledger.delete("k", 2)
    assert ledger.write("k", 3).settled == (1, 2)
    ledger.failed(refused)
    assert ledger.write("k", 4).settled == (1, 2)


def test_a_write_whose_failure_was_forgotten_is_not_settled() -> None:
    ledger = Ledger(1, 7)
    hanging = ledger.write("k", 0)
    for at in range(MOST_FAILED + 1):
        ledger.failed(ledger.write("k", at + 1))
    ledger.acknowledged(hanging, 5_000)
    assert ledger.write("k", 5_001).settled == NONE_SETTLED


# ── The reader's part ───────────────────────────────────────────────────────────────────────────────────────────────


def seal(sequence: int, first: int = 1, last: int = 0, *, writer: int = 1, run: int = 7, written_s: int = 0) -> Seal:
    return Seal("k", writer, sequence, written_s * S, run, (first, last))


def test_a_stale_value_names_its_writer_its_sequence_and_how_late_it_is() -> None:
    own = Sightings(2, 7)
    assert own.judge(own.read("k", 1 * S), seal(9, 1, 7, written_s=1), 2 * S) is None
    assert own.judge(own.read("k", 2 * S), seal(8, 1, 6), 3 * S) is None
    wrong = own.judge(own.read("k", 3 * S), seal(7), 4 * S)
    assert wrong is not None
    assert wrong.kind == "stale"
    assert wrong.found == (
        "value 7 of writer 1 for key k, written 4.000 s before; write 9, begun 3.000 s before, had taken effect"
    )


def test_a_value_that_was_read_while_this_read_was_under_way_supersedes_nothing() -> None:
    own = Sightings(2, 7)
    request = own.read("k", 1)
    assert own.judge(own.read("k", 0), seal(9, 1, 7), 2) is None
    assert own.judge(request, seal(7), 3) is None


def test_a_value_that_is_not_settled_may_follow_a_newer_one() -> None:
    own = Sightings(2, 7)
    assert own.judge(own.read("k", 0), seal(9, 1, 7), 1) is None
    assert own.judge(own.read("k", 2), seal(8), 3) is None


def test_what_was_settled_before_a_failed_write_stays_so() -> None:
    own = Sightings(2, 7)
    for sequence, first, last in ((5, 1, 4), (9, 7, 8)):
        assert own.judge(own.read("k", 0), seal(sequence, first, last), 1) is None
    verdicts = {sequence: own.judge(own.read("k", 2), seal(sequence), 3) for sequence in (4, 5, 6, 7)}
    assert [sequence for sequence, wrong in verdicts.items() if wrong is not None] == [4, 7]


def test_a_value_that_the_reader_s_own_process_seals_is_nobody_s() -> None:
    own = Sightings(2, 7)
    wrong = own.judge(own.read("k", 0), seal(1, writer=2), 1)
    assert wrong is not None
    assert wrong.kind == "unwritten"


def test_a_value_of_an_earlier_run_is_right_until_one_of_this_run_was_read() -> None:
    own = Sightings(2, 7)
    assert own.judge(own.read("k", 0), seal(50, 1, 40, run=6), 1) is None
    assert own.judge(own.read("k", 2), seal(1), 3) is None
    wrong = own.judge(own.read("k", 4), seal(50, run=6), 5)
    assert wrong is not None
    assert wrong.found.endswith("of an earlier run")


def test_a_reader_that_sees_one_old_state_only_is_found_by_the_board() -> None:
    """The two sides of a split: the writer's writes reach one of them, and this reader sees the other."""
    memory = bytearray(SLOT_BYTES)
    published, alone, own = Board(memory, ["k"]), Sightings(2, 7), Sightings(2, 7, Board(memory, ["k"]))
    ledger = Ledger(1, 7)
    for at in range(0, 4 * S, 2 * S):
        write = ledger.write("k", at)
        ledger.acknowledged(write, at + S)
        published.acknowledged("k", write.sequence, at, write.settled)
    assert alone.judge(alone.read("k", 4 * S), seal(1), 5 * S) is None
    wrong = own.judge(own.read("k", 4 * S), seal(1), 5 * S)
    assert wrong is not None
    assert wrong.found == (
        "value 1 of writer 1 for key k, written 5.000 s before; write 2, begun 3.000 s before, had taken effect"
    )
