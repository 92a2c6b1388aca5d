"""Outages of a constructed series of moments: their failures, the time back, and the failures that they explain."""

from __future__ import annotations

from dataclasses import replace

from loadgen.engine._histogram import Histogram
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.report import FaultReport, Spell
from loadgen.judge.outages import RECOVERY_LIMIT_NS, explained, outages, unplanned
from loadgen.snapshot import NodeCounts

MS = 1_000_000
S = 1_000 * MS
MOMENT = 100 * MS
BEGAN = 1_000 * S
"""The beginning of the window, by the monotonic clock."""

KILL = Fault("kill", Layer.PROCESS)


def latencies(value_ns: int) -> Histogram:
    histogram = Histogram()
    histogram.record_many(value_ns, 100)
    return histogram


FAST, SLOW = latencies(MS), latencies(50 * MS)


def at(moment: float) -> int:
    """The time at a place in the series, in moments."""
    return BEGAN + round(moment * MOMENT)


def good(ok: int = 100, response: Histogram = FAST) -> NodeCounts:
    return NodeCounts(ok=ok, response=response)


def down(moment: int, lost: int = 0, refused: int = 2) -> NodeCounts:
    """A moment in which nothing was answered, with its failures in its middle."""
    return NodeCounts(lost=lost, refused=refused, first_failed_ns=at(moment + 0.25), last_failed_ns=at(moment + 0.75))


def series(*nodes: list[NodeCounts]) -> tuple[tuple[NodeCounts, ...], ...]:
    """The series of some nodes, with an empty moment after the window."""
    return (*zip(*nodes, strict=True), tuple(NodeCounts() for _ in nodes))


def killed(node: int, begin: float, end: float | None) -> FaultReport:
    return FaultReport(KILL, (Spell(node, at(begin), None if end is None else at(end)),), 1)


def of_a_kill(first: int = 20, last: int = 40, until: int = 80) -> list[NodeCounts]:
    """A node that is down from one moment to another."""
    return [down(n, lost=3 * (n == first)) if first <= n < last else good() for n in range(until)]


def test_an_outage_goes_from_the_first_failure_to_the_last_and_the_node_is_back_after_it() -> None:
    [outage] = outages(series(of_a_kill()), BEGAN, MOMENT, [killed(1, 20.3, 40)])
    assert (outage.node, outage.began_ns, outage.ended_ns) == (1, at(20.3), at(40))
    assert (outage.first_failed_ns, outage.last_failed_ns) == (at(20.25), at(39.75))
    assert (outage.back_ns, outage.recovered_ns) == (at(40), 0)
    assert (outage.failed, outage.refused) == (3, 40)
    assert outage.has_baseline


def test_a_node_that_is_slow_after_its_fault_is_not_back_yet() -> None:
    node = [*of_a_kill(until=40), *(good(response=SLOW) for _ in range(13)), *(good() for _ in range(30))]
    [outage] = outages(series(node), BEGAN, MOMENT, [killed(1, 20, 40)])
    assert outage.back_ns == at(53)


def test_a_node_that_answers_less_than_before_is_not_back() -> None:
    node = [*of_a_kill(until=40), *(good(ok=50) for _ in range(40))]
    [outage] = outages(series(node), BEGAN, MOMENT, [killed(1, 20, 40)])
    assert (outage.back_ns, outage.recovered_ns) == (None, None)


def test_each_node_has_a_baseline_of_its_own_from_before_any_fault() -> None:
    # The second node does half as much as the first. Node 1 is killed first: what is then is nobody's baseline.
    first = of_a_kill(20, 30)
    second = [good(ok=50) if n < 40 or n >= 50 else down(n) for n in range(80)]
    found = outages(series(first, second), BEGAN, MOMENT, [killed(1, 20, 30), killed(2, 40, 50)])
    assert [(outage.node, outage.back_ns) for outage in found] == [(1, at(30)), (2, at(50))]


def test_without_a_baseline_nothing_is_said_of_the_time_back() -> None:
    [outage] = outages(series(of_a_kill(2, 10)), BEGAN, MOMENT, [killed(1, 2, 10)])
    assert (outage.has_baseline, outage.back_ns) == (False, None)
    assert outage.failed == 3


def test_spells_that_overlap_are_one_outage_and_those_apart_have_one_each() -> None:
    node = [down(n) if 20 <= n < 40 or 60 <= n < 65 else good() for n in range(100)]
    both = FaultReport(KILL, (Spell(1, at(20), at(30)), Spell(1, at(60), at(65))), 2)
    found = outages(series(node), BEGAN, MOMENT, [both, killed(1, 28, 40)])
    assert [(outage.began_ns, outage.ended_ns, outage.back_ns) for outage in found] == [
        (at(20), at(40), at(40)),
        (at(60), at(65), at(65)),
    ]
    assert [outage.until_ns for outage in found] == [at(60), None]


def test_a_fault_that_was_never_on_a_node_has_no_outage() -> None:
    assert outages(series(of_a_kill()), BEGAN, MOMENT, [FaultReport(KILL)]) == ()
    assert outages((), BEGAN, MOMENT, [killed(1, 20, 40)]) == ()


# ── The failures that they explain ──────────────────────────────────────────────────────────────────────────────────


def test_failures_are_explained_on_the_faults_node_until_it_is_back() -> None:
    moments = series(of_a_kill())
    found = outages(moments, BEGAN, MOMENT, [killed(1, 20.3, 40)])
    tally = explained(moments, BEGAN, MOMENT, found)
    assert tally.lost == 3
    # The moment before the beginning, those of the fault, and the one in which the node is back.
    assert (tally.ok, tally.planned) == (200, 203)


def test_failures_of_another_node_are_not_explained() -> None:
    other = [NodeCounts(ok=90, lost=10, first_failed_ns=at(n), last_failed_ns=at(n), response=FAST) for n in range(80)]
    moments = series(of_a_kill(), other)
    found = outages(moments, BEGAN, MOMENT, [killed(1, 20, 40)])
    assert explained(moments, BEGAN, MOMENT, found).lost == 3


def test_failures_long_after_a_fault_are_not_explained_although_the_node_never_came_back() -> None:
    limit = RECOVERY_LIMIT_NS // MOMENT
    node = of_a_kill(20, 40, 40) + [good(ok=10) for _ in range(limit + 50)]
    late = 40 + limit + 20
    node[late] = NodeCounts(ok=10, lost=7, first_failed_ns=at(late), last_failed_ns=at(late), response=FAST)
    moments = series(node)
    [outage] = outages(moments, BEGAN, MOMENT, [killed(1, 20, 40)])
    assert outage.back_ns is None
    assert explained(moments, BEGAN, MOMENT, [outage]).lost == 3


def test_a_fault_that_lasts_to_the_end_explains_what_ends_after_the_window() -> None:
    moments = (*series(of_a_kill(20, 40, 40))[:-1], (NodeCounts(timeouts=5, first_failed_ns=at(41)),))
    found = outages(moments, BEGAN, MOMENT, [killed(1, 20, 40)])
    assert explained(moments, BEGAN, MOMENT, found).timeouts == 5


def test_a_fault_that_could_not_be_ended_explains_all_that_follows() -> None:
    moments = series([down(n, lost=1) if n >= 20 else good() for n in range(300)])
    found = outages(moments, BEGAN, MOMENT, [killed(1, 20, None)])
    assert explained(moments, BEGAN, MOMENT, found).lost == 280


# ── Without a fault ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_fails_without_a_fault_is_an_outage_of_its_node() -> None:
    [outage] = unplanned(series([good() for _ in range(80)], of_a_kill()), BEGAN, MOMENT, ())
    assert (outage.node, outage.is_planned) == (2, False)
    assert (outage.began_ns, outage.ended_ns) == (at(20.25), at(39.75))
    assert (outage.first_failed_ns, outage.last_failed_ns) == (outage.began_ns, outage.ended_ns)
    assert (outage.back_ns, outage.failed, outage.refused) == (at(40), 3, 40)
    assert outage.recovered_ns == at(40) - at(39.75)


def test_what_a_fault_explains_is_no_outage_of_its_own() -> None:
    moments = series(of_a_kill(), of_a_kill())
    planned = outages(moments, BEGAN, MOMENT, [killed(1, 20, 40)])
    assert [outage.node for outage in unplanned(moments, BEGAN, MOMENT, planned)] == [2]
    # Later failures of the same node are.
    node = [*of_a_kill(until=60), *of_a_kill(20, 25, until=40)]
    node = [replace(each, first_failed_ns=0) if n > 60 else each for n, each in enumerate(node)]
    [again] = unplanned(series(node), BEGAN, MOMENT, outages(series(node), BEGAN, MOMENT, [killed(1, 20, 40)]))
    assert again.refused == 10


def test_failures_less_than_a_second_apart_are_one_outage() -> None:
    for apart, expected in ((10, 1), (11, 2)):
        node = [down(n) if n in (20, 20 + apart) else good() for n in range(80)]
        found = unplanned(series(node), BEGAN, MOMENT, ())
        assert [outage.refused for outage in found] == [4] * (expected == 1) + [2, 2] * (expected == 2)
        assert found[-1].last_failed_ns == at(20 + apart + 0.75)


def test_few_error_replies_are_no_outage_and_many_are() -> None:
    def of_errors(errors: int) -> list[NodeCounts]:
        broken = NodeCounts(
            ok=100 - errors, errors=errors, first_failed_ns=at(30), last_failed_ns=at(30), response=FAST
        )
        return [broken if n == 30 else good() for n in range(80)]

    assert unplanned(series(of_errors(1)), BEGAN, MOMENT, ()) == ()
    [outage] = unplanned(series(of_errors(2)), BEGAN, MOMENT, ())
    assert (outage.failed, outage.refused) == (2, 0)


def test_a_node_that_fails_to_the_end_is_not_back_and_one_that_fails_from_the_beginning_has_no_baseline() -> None:
    [to_the_end] = unplanned(series(of_a_kill(20, 80)), BEGAN, MOMENT, ())
    assert (to_the_end.back_ns, to_the_end.has_baseline) == (None, True)
    [from_the_beginning] = unplanned(series(of_a_kill(0, 20)), BEGAN, MOMENT, ())
    assert (from_the_beginning.back_ns, from_the_beginning.has_baseline) == (None, False)


def test_a_load_that_was_not_seen_in_moments_has_no_outage() -> None:
    assert unplanned((), BEGAN, MOMENT, ()) == ()
    assert unplanned(series([good() for _ in range(20)]), BEGAN, MOMENT, ()) == ()
