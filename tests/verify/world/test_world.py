"""A world's clock, order and trace."""

from __future__ import annotations

import pytest

from loadgen.verify.tape import Tape
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import Network
from loadgen.verify.world._order import Order, Priorities, Uniform
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


# ── Priorities ────────────────────────────────────────────────────────────────────────────────────────────────────────


def run_by_priorities(seed: int, changes: int = 0) -> list[tuple[str, int]]:
    """Two hosts that are due at times of their own: what ran, with the time at which it did."""
    tape = Tape.seeded("priorities", seed)
    world = World(tape, Priorities(tape, 20, changes, 50), 0)
    network = Network(world)
    one, other = Ground(network.host()), Ground(network.host())
    ran: list[tuple[str, int]] = []
    one.at(1000, lambda: ran.append(("one", world.now_ns)))
    for number in range(20):
        other.at(1010 + 10 * number, lambda: ran.append(("other", world.now_ns)))
    assert world.run(10_000)
    world.close()
    return ran


def test_what_has_a_low_priority_waits_for_a_window_and_no_longer() -> None:
    found = [run_by_priorities(seed) for seed in range(20)]
    places = {[who for who, _ in ran].index("one") for ran in found}
    assert places == {0, 5}
    for ran in found:
        times = [at_ns for _, at_ns in ran]
        assert times == sorted(times)
        assert 1000 <= dict(ran)["one"] <= 1050
        assert [at_ns for who, at_ns in ran if who == "other"] == [1010 + 10 * number for number in range(20)]


def test_priorities_change_at_drawn_places_and_are_the_same_each_time() -> None:
    orders = {tuple(who for who, _ in run_by_priorities(seed, changes=3)) for seed in range(40)}
    assert len(orders) > 2
    assert run_by_priorities(7, changes=3) == run_by_priorities(7, changes=3)


def test_a_run_that_is_stopped_keeps_what_was_due_in_the_window() -> None:
    tape = Tape.seeded("priorities", 1)
    world = World(tape, Priorities(tape, 10, 0, 50), 0)
    network = Network(world)
    grounds = [Ground(network.host()) for _ in range(3)]
    ran: list[int] = []
    for number, ground in enumerate(grounds):

        def call(number: int = number) -> None:
            ran.append(number)
            world.stop()

        ground.at(100 + 10 * number, call)
    while not world.run(105):
        pass
    assert len(ran) == 1
    while not world.run(1000):
        pass
    assert sorted(ran) == [0, 1, 2]
