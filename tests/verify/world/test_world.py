"""A world's clock, order and trace."""

from __future__ import annotations

import pytest

from loadgen.verify.tape import Tape
from loadgen.verify.world._order import Order, Uniform
from loadgen.verify.world._world import BrokenInvariant, Invariant, World


def order_of(tape: Tape, order: Order, times: list[int]) -> tuple[list[int], World]:
    world = World(tape, order, 0)
    ran: list[int] = []
    for number, at_ns in enumerate(times):
        world.at(at_ns, lambda number=number: ran.append(number))  # type: ignore[misc]
    assert world.run(1000)
    return ran, world


def test_events_run_in_the_order_of_their_times() -> None:
    times = [(17 * n) % 101 for n in range(101)]
    ran, world = order_of(Tape.of(()), Order(), times)
    assert [times[number] for number in ran] == sorted(times)
    assert (world.now_ns, world.events, world.next_ns()) == (1000, 101, None)


def test_events_of_one_time_run_as_they_were_scheduled_or_in_every_order_that_is_drawn() -> None:
    assert order_of(Tape.of(()), Order(), [5, 5, 5])[0] == [0, 1, 2]
    found = {tuple(order_of(tape, Uniform(tape), [5, 5, 5])[0]) for tape in (Tape.seeded("t", n) for n in range(60))}
    assert len(found) == 6
    # The simplest tape has them in order.
    tape = Tape.of(())
    assert order_of(tape, Uniform(tape), [5, 5, 5])[0] == [0, 1, 2]


def test_a_lone_event_draws_nothing() -> None:
    tape = Tape.seeded("t", 1)
    order_of(tape, Uniform(tape), [1, 2, 3])
    assert tape.count == 0


def test_the_trace_tells_times_orders_and_texts_apart() -> None:
    def digest(times: list[int], text: bytes = b"") -> str:
        _, world = order_of(Tape.of(()), Order(), times)
        world.note_text(text)
        return world.digest()

    assert digest([1, 2, 3]) == digest([1, 2, 3])
    assert len({digest([1, 2, 3]), digest([1, 2, 4]), digest([1, 3, 2]), digest([1, 2, 3], b"a")}) == 4


def test_an_error_of_an_event_stops_the_world_and_is_raised() -> None:
    world = World(Tape.of(()), Order(), 0)
    world.at(5, lambda: 1 / 0)
    world.at(6, lambda: pytest.fail("ran after an error"))
    with pytest.raises(ZeroDivisionError):
        world.run(10)
    assert world.now_ns == 5


def test_an_invariant_is_held_after_every_event() -> None:
    world = World(Tape.of(()), Order(), 0)
    held: list[int] = []
    world.hold(Invariant(lambda: held.append(world.now_ns) or ("it is 3" if world.now_ns == 3 else "")))  # type: ignore[func-returns-value]
    for at_ns in (1, 2, 3, 4):
        world.at(at_ns, lambda: None)
    with pytest.raises(BrokenInvariant, match="it is 3"):
        world.run(10)
    assert held == [1, 2, 3]


def test_a_world_that_is_stopped_goes_on_later() -> None:
    world = World(Tape.of(()), Order(), 0)
    world.at(3, world.stop)
    world.at(7, lambda: None)
    assert not world.run(10)
    assert world.now_ns == 3
    assert world.run(10)
    assert world.events == 2
