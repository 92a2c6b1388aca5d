"""When the faults of a test begin and end: told the time since the start, and the share of jobs that ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loadgen.faults.timeline import steps
from loadgen.jobs.load.plan import JobFault

_FOR_EVER_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class Turn:
    """One beginning or end of a fault on one node."""

    number: int
    """The fault's place in the plan, from 0."""
    node: int
    """A worker, or the server: from 1."""
    begins: bool


class Course:
    """The faults of one test over so many workers."""

    def __init__(self, faults: Sequence[JobFault], workers: int) -> None:
        self._faults = faults
        self._by_time: list[tuple[int, Turn]] = []
        self._by_share: list[tuple[float, int, Turn]] = []
        """The share, the time that begins with it, and the turn."""
        for number, each in enumerate(faults):
            nodes = workers if each.on_workers else 1
            for step in steps([each.fault], nodes, _FOR_EVER_NS):
                turn = Turn(number, step.node, step.begins)
                if each.at_share is None:
                    self._by_time.append((step.at_ns, turn))
                else:
                    self._by_share.append((each.at_share, step.at_ns - each.fault.at_ns, turn))
        self._by_time.sort(key=lambda each: each[0])
        self._open: set[tuple[int, int]] = set()

    def due(self, now_ns: int, share: float) -> Iterator[Turn]:
        """Yield the turns that are due, in their order; each is carried out by whoever asks."""
        reached = [each for each in self._by_share if share >= each[0]]
        if reached:
            self._by_share = [each for each in self._by_share if share < each[0]]
            self._by_time.extend((now_ns + after_ns, turn) for _, after_ns, turn in reached)
            self._by_time.sort(key=lambda each: each[0])
        while self._by_time and self._by_time[0][0] <= now_ns:
            _, turn = self._by_time.pop(0)
            place = turn.number, turn.node
            (self._open.add if turn.begins else self._open.discard)(place)
            yield turn

    @property
    def is_under_way(self) -> bool:
        """True while a fault has begun whose end has a time of its own."""
        ends = {(turn.number, turn.node) for at_ns, turn in self._by_time if not turn.begins and at_ns < _FOR_EVER_NS}
        return any(place in ends for place in self._open)
