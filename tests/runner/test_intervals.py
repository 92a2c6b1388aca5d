"""Intervals of a load, put together from members' reports."""

from __future__ import annotations

from loadgen.phase import Phase
from loadgen.runner.intervals import Intervals
from loadgen.snapshot import Snapshot, Tally
from loadgen.worker.messages import IntervalEnded


def counted(requests: int) -> Snapshot:
    return Snapshot(tallies={"get": Tally(planned=requests, hits=requests)})


def report(number: int, requests: int, *, phase: Phase = Phase.MEASURE, length_ns: int = 100) -> IntervalEnded:
    return IntervalEnded(phase=phase, snapshot=counted(requests), number=number, length_ns=length_ns)


def test_an_interval_goes_out_when_its_last_member_has_reported_it() -> None:
    intervals = Intervals(2)
    intervals.add(0, report(1, 5))
    assert intervals.complete({}) == []
    intervals.add(0, report(2, 9))
    intervals.add(1, report(1, 3))
    [first] = intervals.complete({})
    assert (first.phase, first.number, first.so_far.total.planned) == (Phase.MEASURE, 1, 8)
    assert intervals.newest == {Phase.MEASURE: 1}
    assert intervals.complete({}) == []
    intervals.add(1, report(2, 4))
    [second] = intervals.complete({})
    assert second.so_far.total.planned == 13
    assert {member: part.total.planned for member, part in second.parts.items()} == {0: 9, 1: 4}


def test_a_member_that_has_drained_is_not_waited_for_and_its_last_counts_stand() -> None:
    intervals = Intervals(2)
    intervals.add(0, report(1, 5, length_ns=100))
    intervals.add(0, report(2, 6, length_ns=70))
    finals = {1: {Phase.MEASURE: counted(40)}}
    found = intervals.complete(finals)
    assert [(each.number, each.length_ns, each.so_far.total.planned) for each in found] == [(1, 100, 45), (2, 70, 46)]
    assert {member: part.total.planned for member, part in found[1].parts.items()} == {0: 6, 1: 40}


def test_intervals_of_two_phases_are_kept_apart() -> None:
    intervals = Intervals(1)
    intervals.add(0, report(1, 7, phase=Phase.WARMUP))
    intervals.add(0, report(1, 5))
    found = {(each.phase, each.number): each.so_far.total.planned for each in intervals.complete({})}
    assert found == {(Phase.WARMUP, 1): 7, (Phase.MEASURE, 1): 5}
