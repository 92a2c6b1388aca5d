"""The reports of several workers as those of one member: counts and histograms are added. No I/O.

Of a kind that every worker sends once in answer to an order, there is one when the last has sent it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import TypeVar

from loadgen.phase import COUNTED, Phase
from loadgen.runner.intervals import Intervals
from loadgen.snapshot import HistoryCounts, NodeCounts, Snapshot
from loadgen.worker.messages import (
    ClockReading,
    Connected,
    Drained,
    Failed,
    Greeting,
    Hello,
    IntervalEnded,
    Message,
    Moment,
    Order,
    Progressed,
    PutOn,
    Report,
    Stale,
    Written,
)

R = TypeVar("R", bound=Report)


class Together:
    """The reports that workers have sent and that are not complete yet."""

    def __init__(self, workers: Sequence[int]) -> None:
        self._workers = range(len(workers))
        self._answers: dict[type[Message], dict[int, Message]] = defaultdict(dict)
        self._moments: dict[int, dict[int, Moment]] = defaultdict(dict)
        self._last: dict[int, dict[Phase, Snapshot]] = {worker: {} for worker in self._workers}
        self._drained: dict[int, Drained] = {}
        self._intervals = Intervals(len(workers))

    def told(self, order: Hello | Order) -> None:
        """Begin what is collected anew: reports of progress and, for a load, its own."""
        self._answers[Progressed].clear()
        if isinstance(order, PutOn):
            self._drained.clear()
            self._moments.clear()
            self._intervals = Intervals(len(self._workers))

    def said(self, worker: int, message: Message) -> Iterator[Message]:
        """Yield the messages that are complete with this one. `worker` is the worker's place, from 0."""
        if isinstance(message, Report):
            self._last[worker][message.phase] = message.snapshot
        match message:
            case Moment():
                self._moments[message.number][worker] = message
                yield from self._complete_moments()
            case IntervalEnded():
                self._intervals.add(worker, message)
                yield from self._complete_intervals(message)
            case Drained():
                self._drained[worker] = message
                self._last[worker].update(message.finals)
                yield from self._complete_moments()
                yield from self._complete_intervals(message)
                if len(self._drained) == len(self._workers):
                    yield self._all_drained([self._drained[place] for place in self._workers])
            case Stale() | Failed():
                yield message
            case _:
                yield from self._answered(worker, message)

    def _answered(self, worker: int, message: Message) -> Iterator[Message]:
        answers = self._answers[type(message)]
        answers[worker] = message
        # A worker that has connected, or written its keys, reports no more progress.
        done = {*self._answers[Connected], *self._answers[Written]} if isinstance(message, Progressed) else set()
        if any(place not in answers and place not in done for place in self._workers):
            return
        given = [answers[place] for place in self._workers if place in answers]
        answers.clear()
        if isinstance(message, Greeting | ClockReading):
            # Of the readings of one clock, the last is surely of the time between the order and the answer.
            yield max((each for each in given if isinstance(each, type(message))), key=lambda each: each.clock_ns)
            return
        assert isinstance(message, Connected | Progressed | Written)
        yield self._sum([each for each in given if isinstance(each, type(message))], message.phase)

    def _sum(self, reports: Sequence[R], phase: Phase) -> R:
        """Return one report for several, with the newest snapshots of the phase, those of other workers included."""
        first = reports[0]
        snapshots = [last[phase] for last in self._last.values() if phase in last]
        return replace(
            first,
            snapshot=sum(snapshots, Snapshot()),
            down=tuple(map(sum, zip_longest(*(report.down for report in reports), fillvalue=0))),
            examples=dict(chain.from_iterable(report.examples.items() for report in reversed(reports))),
            max_rss_bytes=max(report.max_rss_bytes for report in reports),
        )

    def _complete_moments(self) -> Iterator[Moment]:
        for number in sorted(self._moments):
            told = self._moments[number]
            if all(place in told or place in self._drained for place in self._workers):
                del self._moments[number]
                yield _sum_of(list(told.values()))

    def _complete_intervals(self, newest: IntervalEnded | Drained) -> Iterator[IntervalEnded]:
        finals = {worker: {**self._last[worker], **drained.finals} for worker, drained in self._drained.items()}
        for interval in self._intervals.complete(finals):
            yield IntervalEnded(
                phase=interval.phase,
                snapshot=interval.so_far,
                down=newest.down,
                examples=newest.examples,
                number=interval.number,
                length_ns=interval.length_ns,
            )

    def _all_drained(self, reports: Sequence[Drained]) -> Drained:
        merged = self._sum(reports, reports[0].phase)
        moments = [report.moment for report in reports if report.moment is not None]
        histories = [report.history for report in reports if report.history is not None]
        return replace(
            merged,
            finals={phase: sum((report.finals[phase] for report in reports), Snapshot()) for phase in COUNTED},
            signs=tuple(chain.from_iterable(report.signs for report in reports)),
            moment=_sum_of(moments) if moments else None,
            history=sum(histories, HistoryCounts()) if histories else None,
            window_end_ns=max(report.window_end_ns for report in reports),
        )


def _sum_of(moments: Sequence[Moment]) -> Moment:
    nodes: dict[str, NodeCounts] = {}
    for moment in moments:
        for name, counts in moment.nodes.items():
            nodes[name] = nodes[name] + counts if name in nodes else counts
    return Moment(max(moment.number for moment in moments), nodes)
