"""The processes of one machine that run seeds, with the processes played: one that ends is followed by another."""

from __future__ import annotations

from collections import deque

import pytest

from loadgen.errors import WorkerError
from loadgen.fleet.leases import Lease
from loadgen.fleet.seed_messages import (
    Answer,
    Finish,
    Finished,
    Known,
    Prepare,
    ProcessEnded,
    Ready,
    Shorten,
    Take,
    Unable,
)
from loadgen.fleet.seed_processes import SeedProcesses


class Played:
    def __init__(self, number: int) -> None:
        self.number = number
        self.told: list[object] = []
        self.says: deque[Answer] = deque()
        self.ends: list[str] = []

    def tell(self, message: object) -> None:
        self.told.append(message)

    def fileno(self) -> int:
        return 100 + self.number

    def hear(self) -> Answer:
        if not self.says:
            raise EOFError("was killed by SIGSEGV")
        return self.says.popleft()

    def close(self) -> None:
        self.ends.append("closed")

    def end(self, patience_s: float) -> None:
        assert 0 <= patience_s <= 1
        self.ends.append("ended")


class Bench:
    def __init__(self, processes: int = 2, most: int = 99) -> None:
        self.played: list[Played] = []
        self.most = most
        self.machine = SeedProcesses(self.start)
        self.machine.tell(Prepare("planted", (), (), processes))

    def start(self) -> Played:
        if len(self.played) == self.most:
            raise WorkerError("A process for seeds could not be started (Cannot allocate memory): free some memory.")
        self.played.append(Played(len(self.played)))
        return self.played[-1]

    def ready(self) -> None:
        for number, each in enumerate(self.played):
            each.says.append(Ready(number, "", ""))
            assert self.machine.hear(number) == Ready(number, "", "")


def test_each_process_is_told_its_number_and_its_own_orders() -> None:
    bench = Bench()
    lease = Lease(1, 0, 0, 5)
    for order in (Take(1, lease), Shorten(0, 1, 3), Known("a", "b"), Finish(), Take(7, lease)):
        bench.machine.tell(order)
    first, second = bench.played
    assert first.told == [Prepare("planted", (), (), 2, 0), Shorten(0, 1, 3), Known("a", "b"), Finish()]
    assert second.told == [Prepare("planted", (), (), 2, 1), Take(1, lease), Known("a", "b"), Finish()]
    assert bench.machine.filenos() == {100: 0, 101: 1}


def test_a_process_that_ends_is_followed_by_another_that_knows_the_failures_found() -> None:
    bench = Bench()
    bench.ready()
    bench.machine.tell(Known("a", "b"))
    assert bench.machine.hear(0) == ProcessEnded(0, "was killed by SIGSEGV", 2)
    assert bench.played[0].ends == ["ended"]
    assert bench.played[2].told == [Prepare("planted", (), (), 2, 2), Known("a", "b")]
    assert bench.machine.filenos() == {101: 1, 102: 2}


def test_a_process_that_ends_before_it_is_ready_is_not_started_again() -> None:
    bench = Bench()
    assert bench.machine.hear(1) == Unable("a process for its seeds was killed by SIGSEGV before it was ready.")
    assert len(bench.played) == 2


def test_a_process_that_has_finished_may_end() -> None:
    bench = Bench()
    bench.ready()
    bench.played[0].says.append(Finished(0))
    assert [bench.machine.hear(0), bench.machine.hear(0)] == [Finished(0), Finished(0)]
    assert len(bench.played) == 2


def test_a_follower_that_cannot_be_started_is_an_error() -> None:
    bench = Bench(most=2)
    bench.ready()
    with pytest.raises(WorkerError, match="Cannot allocate memory"):
        bench.machine.hear(0)


def test_all_processes_are_told_to_end_before_any_is_waited_for() -> None:
    bench = Bench()
    order: list[str] = []
    for each in bench.played:
        each.close = lambda each=each: order.append(f"close {each.number}")  # type: ignore[misc]
        each.end = lambda patience_s, each=each: order.append(f"end {each.number}")  # type: ignore[misc]
    bench.machine.end()
    assert order == ["close 0", "close 1", "end 0", "end 1"]
    assert bench.machine.filenos() == {}
