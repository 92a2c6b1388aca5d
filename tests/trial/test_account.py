"""The account of a trial, told in virtual time: phases, detection, outage and recovery of each node."""

from __future__ import annotations

from dataclasses import replace

from constructed_trials import (
    BASELINE,
    END,
    FAULT,
    KILL,
    MS,
    PLAN,
    RECOVERY,
    TICK,
    Changed,
    S,
    as_it_was,
    counts,
    evidence,
    interval,
    intervals,
    report,
    state,
)

from loadgen.faults.report import FaultReport, Spell
from loadgen.stats.recovery import Level
from loadgen.trial.account import Account, level_of
from loadgen.trial.ended import NodeFigures
from loadgen.trial.evidence import then
from loadgen.trial.observed import Counts, Observed


def figures(changed: Changed = as_it_was, node: int = 1, **fields: int) -> NodeFigures:
    [found] = [each for each in evidence(changed, **fields).figures if each.node == node]
    return found


def test_counts_of_a_phase_are_the_sum_of_its_intervals() -> None:
    phases = evidence().phases
    assert [*phases] == ["settle", "baseline", "fault", "recovery"]
    assert phases["baseline"].of(2).ok == 25 * 40
    assert (phases["baseline"].from_ns, phases["baseline"].to_ns) == (BASELINE, FAULT)
    assert sum(observed.of().ended for observed in phases.values()) == sum(
        observed.of().ended for _, observed in intervals()
    )


def test_the_state_of_a_phase_is_that_of_its_last_interval_and_not_their_sum() -> None:
    early = interval(0, {1: counts()}, states={1: state(opened=12)}, under_way=3)
    late = interval(TICK, {1: counts()}, states={1: state(opened=15)}, under_way=1)
    both = then(early, late)
    assert both.states[1].opened == 15
    assert both.under_way == 1
    assert both.of(1).ok == 80


def test_a_node_is_back_while_its_p99_is_milliseconds_as_processes_share_cpus() -> None:
    def slower(took_ns: int) -> Changed:
        def changed(at_ns: int, observed: Observed) -> Observed:
            return (
                replace(observed, nodes={**observed.nodes, 1: counts(40, took_ns)}) if at_ns >= RECOVERY else observed
            )

        return changed

    assert figures(slower(9 * MS)).recovered_ns == 0
    assert figures(slower(11 * MS)).recovered_ns is None


def test_detection_is_the_breaker_s_opening_where_there_is_one() -> None:
    assert figures().detected_ns == 300 * MS


def test_detection_is_the_first_error_without_a_breaker() -> None:
    found = figures(lambda at_ns, observed: replace(observed, transitions=()))
    assert found.detected_ns == TICK


def test_a_breaker_that_opened_before_the_fault_detects_nothing() -> None:
    early = intervals()[0][1].transitions
    assert early == ()

    def opened_early(at_ns: int, observed: Observed) -> Observed:
        changes = [replace(each, at_ns=BASELINE) for each in observed.transitions if each.after == "open"]
        return replace(observed, transitions=tuple(changes))

    assert figures(opened_early).detected_ns == TICK


def test_an_outage_is_from_the_first_error_to_the_last() -> None:
    assert figures().outage_ns == 2 * S
    assert figures(down_until_ns=RECOVERY + S).outage_ns == 3 * S


def test_recovery_is_from_the_end_of_the_last_fault_to_the_time_back_inside_the_baseline() -> None:
    assert figures().recovered_ns == 0
    assert figures(down_until_ns=RECOVERY + 2 * S).recovered_ns == 2 * S


def test_a_node_that_answers_far_more_slowly_than_before_is_not_back() -> None:
    def slow(at_ns: int, observed: Observed) -> Observed:
        slower = {**observed.nodes, 1: counts(40, 50 * MS)}
        return replace(observed, nodes=slower) if RECOVERY <= at_ns < RECOVERY + 3 * S else observed

    assert figures(slow).recovered_ns == 3 * S


def test_parts_of_batches_have_no_times_and_say_nothing_of_a_node_s() -> None:
    part = Observed(0, TICK, parts={1: Counts(begun=5, ok=5)})
    assert level_of(part, 1) == Level(0, TICK, 5, None)
    assert level_of(Observed(0, TICK, nodes={1: counts(5, MS)}), 1).p99_ns is not None


def test_a_node_that_fails_more_often_than_before_is_not_back() -> None:
    def failing(at_ns: int, observed: Observed) -> Observed:
        worse = {**observed.nodes, 1: counts(40, errors={"lost": 2})}
        return replace(observed, nodes=worse) if RECOVERY <= at_ns < RECOVERY + 3 * S else observed

    assert figures(failing).recovered_ns == 3 * S


def test_a_node_that_stays_away_has_no_recovery() -> None:
    assert figures(down_until_ns=END).recovered_ns is None


def test_a_node_without_a_fault_has_no_figures() -> None:
    found = figures(node=2)
    assert found == NodeFigures(2, faulted=False)


def test_recovery_counts_from_the_last_of_several_faults() -> None:
    account = Account(PLAN)
    for phase, observed in intervals():
        account.take(phase, observed)
    spells = (Spell(1, FAULT, FAULT + S // 2), Spell(1, FAULT + S, RECOVERY))
    [first, *_] = account.figures((FaultReport(KILL, spells, 2),))
    assert (first.detected_ns, first.recovered_ns) == (300 * MS, 0)


def test_a_fault_that_has_not_ended_has_no_recovery() -> None:
    account = Account(PLAN)
    for phase, observed in intervals():
        account.take(phase, observed)
    [first, *_] = account.figures((FaultReport(KILL, (Spell(1, FAULT),), 1),))
    assert first.detected_ns is not None
    assert first.recovered_ns is None


def test_a_client_that_tells_no_nodes_has_the_figures_of_all_together() -> None:
    def bare(at_ns: int, observed: Observed) -> Observed:
        return replace(observed, nodes={0: observed.of()}, transitions=())

    [found] = evidence(bare).figures
    assert (found.node, found.faulted) == (0, True)
    assert (found.detected_ns, found.outage_ns, found.recovered_ns) == (TICK, 2 * S, 0)


def test_every_fault_is_in_the_evidence() -> None:
    assert evidence(faults=[report()]).spells(1) == ((FAULT, RECOVERY),)
    assert evidence(faults=[report()]).spells(2) == ()
