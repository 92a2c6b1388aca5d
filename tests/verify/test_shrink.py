"""Shrinking: smaller tapes of the same failure, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from loadgen.verify.shrink import shrink
from loadgen.verify.tape import FAULT, MOST, OPERATION, OPERATIONS, Draw, Recording, Tape

Run = Callable[[Tape], bool]
"""Runs a case: True when it fails."""


def failing(run: Run) -> Recording:
    """The tape of the first seed that fails."""
    for seed in range(1000):
        tape = Tape.seeded("shrunk", seed)
        if run(tape):
            return tape.recording()
    raise AssertionError("no seed fails")


def smallest(run: Run, most_runs: int = 2000, first: Recording | None = None) -> tuple[Recording, int]:
    """The last recording of shrinking `first`, or else the first failure, and the number of runs."""
    runs = 0

    def ran(draws: Sequence[Draw]) -> tuple[Recording, bool]:
        nonlocal runs
        runs += 1
        tape = Tape.repeating(draws)
        fails = run(tape)
        return tape.recording(), fails

    best = first or failing(run)
    for smaller in shrink(best, ran, lambda: False, most_runs):
        best = smaller
        assert ran(best.draws) == (best, True)
        runs -= 1
    return best, runs


def numbers(tape: Tape) -> list[int]:
    return [tape.below(1000, "number") for _ in tape.several(OPERATION, 50)]


def test_what_does_not_matter_is_left_out() -> None:
    best, _ = smallest(lambda tape: any(number >= 500 for number in numbers(tape)))
    assert best.values == (1, 500, 0)


def test_two_operations_that_need_each_other_stay() -> None:
    def run(tape: Tape) -> bool:
        drawn = numbers(tape)
        return any(number > 900 for number in drawn) and any(0 < number < 100 for number in drawn)

    best, _ = smallest(run)
    assert sorted(best.values) == [0, 1, 1, 1, 901]


def test_fewer_operations_are_looked_for_with_other_seeds() -> None:
    """A generator makes the operations: with most seeds the 40th is the first that fails, with seed 5 the second."""

    def run(tape: Tape) -> bool:
        operations = 1 + tape.given(60, 1_000_000, OPERATIONS)
        seed = tape.below(MOST, "seed of the operations")
        return operations >= {5: 2}.get(seed, 40)

    best, runs = smallest(run)
    assert best.values == (1, 5)
    assert runs < 200


def test_fewer_operations_are_looked_for_where_half_of_them_do_not_fail() -> None:
    def run(tape: Tape) -> bool:
        operations = 1 + tape.given(60, 1_000_000, OPERATIONS)
        return operations >= 40 or operations == 2

    best, _ = smallest(run)
    assert best.values == (1,)


def test_what_is_drawn_last_stays_with_fewer_operations() -> None:
    """A generator makes the operations, and the world draws a loss for each, of which the last is one."""

    def run(tape: Tape) -> bool:
        operations = 1 + tape.given(60, 1_000_000, OPERATIONS)
        losses = [tape.below(2, "loss") for _ in range(operations)]
        return any(losses)

    first = Tape.of([39, *[0] * 39, 1])
    assert run(first)
    best, runs = smallest(run, first=first.recording())
    assert best.values == (0, 1)
    assert runs < 10


def test_faults_go_first() -> None:
    """A failure for which a fault or an operation is enough is shrunk to the operation, though faults come last."""

    def causes(tape: Tape) -> list[bool]:
        found = any(number >= 700 for number in numbers(tape))
        return [found, 7 in [tape.below(10, "fault") for _ in tape.several(FAULT, 5)]]

    best, _ = smallest(lambda tape: any(causes(tape)), first=failing(lambda tape: all(causes(tape))))
    assert best.values == (1, 700, 0, 0)


def test_a_part_inside_a_part_goes_alone() -> None:
    def run(tape: Tape) -> bool:
        found = [[tape.below(10, "inner") for _ in tape.several("inner", 5)] for _ in tape.several(OPERATION, 5)]
        return any(9 in inner for inner in found)

    best, _ = smallest(run)
    assert best.values == (1, 1, 9, 0, 0)


def test_a_fault_inside_an_operation_outlives_the_operation() -> None:
    """Of two operations, the first has the fault, and only the second matters."""

    def run(tape: Tape) -> bool:
        faulty = False
        for _ in tape.several(OPERATION, 20):
            for _ in tape.perhaps(FAULT, 0.1):
                faulty = True
            if min([tape.below(1000, "number") for _ in range(3)]) >= 700 and faulty:
                return True
        return False

    tape = Tape.of([1, 1, 0, 1, 2, 3, 1, 0, 900, 800, 700])
    assert run(tape)
    best, _ = smallest(run, first=tape.recording())
    assert best.values == (1, 1, 0, 700, 700, 700)


def test_what_a_world_draws_is_left_out_with_the_operation_that_it_was_drawn_for() -> None:
    """Every operation is drawn first. Then a world draws a loss for each, and the last loss is that of a number."""

    def run(tape: Tape) -> bool:
        drawn = numbers(tape)
        lost = [tape.below(2, "loss") for _ in drawn]
        return any(number >= 500 for number, loss in zip(drawn, lost, strict=True) if loss and number != drawn[0])

    first = Tape.of((*[1, 3, 1, 2, 1, 600, 1, 4, 0], *[0, 0, 1, 0]))
    assert run(first)
    best, _ = smallest(run, first=first.recording())
    assert best.values == (1, 0, 1, 500, 0, 0, 1)


def test_a_draw_keeps_its_value_when_another_site_draws_less() -> None:
    """The fault has what it needs, however many losses are drawn before it."""

    def run(tape: Tape) -> bool:
        for _ in numbers(tape):
            tape.below(2, "loss")
        return tape.below(1000, "bytes of a tail") >= 7

    first = Tape.of((*[1, 3] * 6, 0, *[1] * 6, 9))
    assert run(first)
    best, runs = smallest(run, first=first.recording())
    assert best.values == (0, 7)
    # All operations go at once: otherwise each of them has to go with its loss.
    assert runs < 20


def test_draws_that_do_not_matter_become_0() -> None:
    """A kind that draws everything first, outside spans."""

    def run(tape: Tape) -> bool:
        drawn = [tape.below(1000, "number") for _ in range(200)]
        return drawn[0] + drawn[1] > 1000

    best, _ = smallest(run)
    assert sum(best.values[:2]) == 1001
    assert not any(best.values[2:])


def test_runs_are_bounded() -> None:
    for most in (0, 1, 17):
        _, runs = smallest(lambda tape: sum(numbers(tape)) > 20_000, most_runs=most)
        assert runs == most


def test_shrinking_ends_when_its_time_is_over() -> None:
    """It is asked before each run."""
    left = 5

    def is_over() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    runs = 0

    def ran(draws: Sequence[Draw]) -> tuple[Recording, bool]:
        nonlocal runs
        runs += 1
        return Recording(), False

    recording = failing(lambda tape: sum(numbers(tape)) > 20_000)
    assert [*shrink(recording, ran, is_over, 1000)] == []
    assert runs == 5


def test_what_a_run_raises_ends_shrinking_with_what_there_is() -> None:
    runs = 0

    def ran(draws: Sequence[Draw]) -> tuple[Recording, bool]:
        nonlocal runs
        runs += 1
        if runs > 10:
            raise KeyboardInterrupt
        tape = Tape.repeating(draws)
        fails = sum(numbers(tape)) > 5000
        return tape.recording(), fails

    found: list[Recording] = []

    def shrunk() -> None:
        for smaller in shrink(failing(lambda tape: sum(numbers(tape)) > 20_000), ran, lambda: False, 1000):
            found.append(smaller)

    with pytest.raises(KeyboardInterrupt):
        shrunk()
    assert len(found[-1].draws) < 100
