"""The laws of values that are added to, and of times to live: each violation is found, and what is legal is not."""

from __future__ import annotations

import pytest

from loadgen.verify.checkers.lifetime import Found, Lived, outlived
from loadgen.verify.checkers.trail import Seen, Write, broken
from loadgen.verify.history._operations import NO_END

S = 1_000_000_000
BASES = {1: Write(0, 0, 10)}
PARTS = {
    2: Write(0, 20, 30),
    3: Write(0, 40, 50),
    4: Write(0, 41, 51),
    5: Write(0, 60, 70, prepended=True),
    6: Write(0, 80, NO_END),
    7: Write(9, 20, 30),
    9: Write(0, 60, NO_END, prepended=True),
}


def seen(call_ns: int, return_ns: int, before: tuple[int, ...] = (), after: tuple[int, ...] = ()) -> Seen:
    return Seen(0, 1, before, after, call_ns, return_ns)


@pytest.mark.parametrize(
    "reads",
    [
        [seen(12, 15), seen(32, 35, after=(2,)), seen(75, 79, (5,), (2, 3, 4))],
        [seen(75, 79, (5,), (2, 4, 3)), seen(90, 95, (5,), (2, 4, 3, 6)), seen(200, 210, (5,), (2, 4, 3, 6))],
        [seen(75, 79, (5,), (2, 4, 3)), seen(200, 210, (5,), (2, 4, 3))],
        [seen(42, 60, after=(2,)), seen(42, 60, after=(2, 3)), seen(42, 61, (5,), (2, 3, 4))],
    ],
    ids=["as they are made", "one of which nobody knows", "one that never was", "at the same time"],
)
def test_values_that_grow_as_they_are_added_to_are_legal(reads: list[Seen]) -> None:
    assert [*broken(BASES, PARTS, reads)] == []


@pytest.mark.parametrize(
    ("reads", "words"),
    [
        ([seen(75, 79, (5,), (2, 3, 4, 3))], "more than once"),
        ([seen(32, 35, after=(8,))], "part 8 was not added there"),
        ([seen(32, 35, after=(2, 7))], "part 7 was not added there"),
        ([seen(72, 75, after=(2, 3, 4, 5))], "part 5 was not added there"),
        ([seen(32, 35, after=(2, 3))], "part 3 was read before it was added"),
        ([seen(75, 79, (5,), (3, 2, 4))], "part 2 comes after parts that were added later"),
        ([seen(75, 79, (5,), (2, 3))], "part 4 was added, and is missing"),
        ([seen(42, 60, after=(2, 3)), seen(43, 60, after=(2, 4))], "parts that the other does not have"),
        ([seen(62, 90, (5,), (2, 3, 4)), seen(63, 90, (9,), (2, 3, 4, 6))], "parts that the other does not have"),
        ([seen(82, 90, (5,), (2, 3, 4, 6)), seen(91, 95, (5,), (2, 3, 4))], "parts that had been read are missing"),
    ],
)
def test_what_no_additions_explain_is_found(reads: list[Seen], words: str) -> None:
    assert words in " ".join(broken(BASES, PARTS, reads))


def test_a_part_that_was_made_before_the_value_is_found() -> None:
    [words] = broken({1: Write(0, 100, 110)}, {2: Write(0, 20, 30)}, [seen(120, 130, after=(2,))])
    assert "before the value was written" in words


def test_a_read_of_a_value_that_nobody_wrote_is_left_to_the_register() -> None:
    assert [*broken({}, PARTS, [seen(12, 15, after=(9,))])] == []


WRITES = {1: Lived(0, 0, 10, 2), 2: Lived(0, 0, NO_END, 2)}


@pytest.mark.parametrize(
    ("touches", "reads", "late"),
    [
        ([], [Found(0, 1, 2 * S + 10, 3 * S)], False),
        ([], [Found(0, 1, 2 * S + 11, 3 * S)], True),
        ([], [Found(0, 2, S, S + 5), Found(0, 2, 3 * S + 5, 4 * S)], False),
        ([], [Found(0, 2, S, S + 5), Found(0, 2, 3 * S + 6, 4 * S)], True),
        ([Lived(0, S, S + 5, 3)], [Found(0, 1, 4 * S, 5 * S)], False),
        ([Lived(0, S, S + 5, 3)], [Found(0, 1, 4 * S + 6, 5 * S)], True),
        ([Lived(0, S, S + 5, 0)], [Found(0, 1, 40 * S, 50 * S)], False),
        ([Lived(0, S, NO_END, 1)], [Found(0, 1, 40 * S, 50 * S)], False),
        ([Lived(1, S, S + 5, 0)], [Found(0, 1, 40 * S, 50 * S)], True),
        ([Lived(0, -5, -1, 0)], [Found(0, 1, 40 * S, 50 * S)], True),
        ([Lived(0, 50 * S, 51 * S, 0)], [Found(0, 1, 40 * S, 50 * S)], True),
    ],
    ids=[
        "in time",
        "late",
        "first read",
        "late after it",
        "touched",
        "late again",
        "for ever",
        "perhaps",
        "elsewhere",
        "touched before it was written",
        "touched after it was read",
    ],
)
def test_a_value_is_not_read_after_its_time(touches: list[Lived], reads: list[Found], late: bool) -> None:
    assert bool([*outlived(WRITES, touches, reads)]) is late
