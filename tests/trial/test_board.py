"""What one process publishes, another reads whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from trials import plan

from loadgen.trial.board import SLOT_BYTES, Board, opened, shared_memory
from loadgen.trial.known import MOST_RANGES, Known, joined
from loadgen.trial.value import NONE_SETTLED, Range

WRITES = st.lists(
    st.tuples(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.tuples(st.integers(1, 99), st.integers(0, 99))),
    max_size=30,
)


@given(WRITES)
def test_what_was_published_is_what_the_writes_say_together(writes: list[tuple[int, int, Range]]) -> None:
    memory = bytearray(3 * SLOT_BYTES)
    writer, reader = Board(memory, ["a", "b", "c"]), Board(memory, ["a", "b", "c"])
    wanted = Known()
    for sequence, begun_ns, settled in writes:
        writer.acknowledged("b", sequence, begun_ns, settled)
        wanted = wanted.with_write(sequence, begun_ns, settled)
    assert [reader.known(key) for key in "abc"] == [Known(), wanted, Known()]


def test_a_slot_that_is_being_changed_says_nothing() -> None:
    memory, random = bytearray(SLOT_BYTES), Random(1)
    board = Board(memory, ["k"])
    states = [bytes(memory)]
    for number in range(1, 12):
        board.acknowledged("k", 10 * number, number, (10 * number - 5, 10 * number - 1))
        states.append(bytes(memory))
    known = {Board(bytearray(state), ["k"]).known("k") for state in states}
    for before, after in pairwise(states):
        changed = [place for place in range(SLOT_BYTES) if before[place] != after[place]]
        for _ in range(50):
            some = set(random.sample(changed, random.randrange(1, len(changed))))
            torn = bytes((after if place in some else before)[place] for place in range(SLOT_BYTES))
            assert Board(bytearray(torn), ["k"]).known("k") in known


def test_a_key_without_a_slot_is_left_out() -> None:
    board = Board(bytearray(SLOT_BYTES), ["k"])
    board.acknowledged("own", 3, 0, (1, 2))
    assert board.known("own") == board.known("k") == Known()


def test_processes_that_open_the_memory_share_every_shared_key() -> None:
    with shared_memory(2) as descriptor:
        first = replace(plan(), writer=1, writers=2, board=descriptor)
        one, other = opened(first), opened(replace(first, writer=2))
        assert one is not None
        assert other is not None
        for number, key in enumerate(("lg:1:s0", "lg:2:s499"), 1):
            one.acknowledged(key, number, 5, NONE_SETTLED)
            assert other.known(key) == Known((), number, 5)


def test_a_single_process_has_no_board() -> None:
    with shared_memory(1) as descriptor:
        assert opened(replace(plan(), board=descriptor)) is None


# ── What is known ───────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=12))
def test_ranges_are_joined_without_a_sequence_more_or_less(added: list[tuple[int, int]]) -> None:
    ranges: tuple[Range, ...] = ()
    for each in added:
        ranges = joined(ranges, each)
    wanted = {sequence for first, last in added for sequence in range(first, last + 1)}
    assert {sequence for first, last in ranges for sequence in range(first, last + 1)} == wanted
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(ranges))


def test_the_newest_ranges_are_remembered() -> None:
    ranges: tuple[Range, ...] = ()
    for number in range(MOST_RANGES + 3):
        ranges = joined(ranges, (10 * number, 10 * number + 1))
    assert len(ranges) == MOST_RANGES
    assert ranges[0] == (30, 31)
