"""Checks on constructed evidence: each passes, fails and cannot tell, and says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from constructed_trials import (
    BASELINE,
    CLOSED,
    END,
    FAULT,
    KILL,
    MS,
    PLAN,
    RECOVERY,
    TICK,
    Changed,
    S,
    counts,
    ended,
    evidence,
    report,
    state,
)

from loadgen.config import catalogue
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS
from loadgen.faults.report import FaultReport, Spell
from loadgen.judge.named import Check
from loadgen.severity import Severity
from loadgen.trial.checks.every import CHECKS, judged
from loadgen.trial.evidence import Evidence
from loadgen.trial.observed import Counts, NodeState, Observed, Transition, WrongAnswer


def check(name: str, found: Evidence) -> Check:
    [one] = [each for each in judged(found) if each.name == name]
    return one


def with_node(node: int, of_node: Counts, *, begin: int = FAULT, end: int = END) -> Changed:
    def changed(at_ns: int, observed: Observed) -> Observed:
        if not begin <= at_ns < end:
            return observed
        return replace(observed, nodes={**observed.nodes, node: of_node})

    return changed


def with_state(node: int, of_node: NodeState, *, begin: int = FAULT, end: int = END) -> Changed:
    def changed(at_ns: int, observed: Observed) -> Observed:
        return replace(observed, states={**observed.states, node: of_node}) if begin <= at_ns < end else observed

    return changed


def exposing_nothing(at_ns: int, observed: Observed) -> Observed:
    return replace(observed, states={}, transitions=())


def at(when_ns: int, **fields: object) -> Changed:
    return lambda at_ns, observed: replace(observed, **fields) if at_ns == when_ns else observed  # type: ignore[arg-type]


def waiting(found: Evidence, wait_ns: int, *, begin: int = 0, end: int = END) -> Evidence:
    """The evidence with callers that waited so long for a CPU in each interval of a time."""
    intervals = (
        (phase, replace(o, waited_ns=wait_ns) if begin <= o.from_ns < end else o) for phase, o in found.intervals
    )
    return replace(found, intervals=tuple(intervals))


def overdue(at_ns: int, observed: Observed) -> Observed:
    """Operations that end 400 ms after their deadline."""
    late = with_node(1, counts(0, errors={"timeout": 5}, overdue=2), end=FAULT + TICK)(at_ns, observed)
    return replace(late, slowest_ns=1400 * MS) if at_ns == FAULT else late


SLOWED = with_node(2, counts(40, 900 * MS))


def hanging(at_ns: int, observed: Observed) -> Observed:
    """A client without a breaker that waits for node 1 until each deadline."""
    waited = with_node(1, counts(0, errors={"timeout": 9}, refused_ns=S), end=RECOVERY)(at_ns, observed)
    return exposing_nothing(at_ns, waited)


FAILURES: dict[str, tuple[str, Callable[[], Evidence], str]] = {
    "another class of error": (
        "errors expected",
        lambda: evidence(with_node(1, counts(0, errors={"protocol": 3}), end=RECOVERY)),
        "unexpected: protocol 30",
    ),
    "an error before the fault": (
        "errors expected",
        lambda: evidence(with_node(2, counts(39, errors={"timeout": 1}), begin=BASELINE, end=BASELINE + TICK)),
        "timeout 1 before the fault",
    ),
    "a wrong answer": (
        "answers right",
        lambda: evidence(
            lambda at_ns, observed: (
                replace(
                    with_node(3, counts(39, wrong=1))(at_ns, observed),
                    wrong=(WrongAnswer("stale", at_ns, 3, "k", "value 3, 1.2 s old"),),
                )
                if at_ns == RECOVERY
                else observed
            )
        ),
        "1 wrong; the first: stale, asked for k, got value 3, 1.2 s old",
    ),
    "a node that stays away": (
        "recovered",
        lambda: evidence(with_node(1, counts(0, errors={"refused": 40}))),
        "node 1 is not back within 10 s",
    ),
    "a node that comes back too late": (
        "recovered",
        lambda: evidence(
            down_until_ns=RECOVERY + 6 * S, plan=replace(PLAN, limits=replace(PLAN.limits, recovery_ns=5 * S))
        ),
        "node 1 6 s after its fault",
    ),
    "slow refusals": (
        "refusals fast",
        lambda: evidence(
            with_node(1, counts(0, errors={"refused": 1, "breaker_open": 39}, refused_ns=300 * MS), end=RECOVERY)
        ),
        "p99 300 ms",
    ),
    "waiting behind an open breaker": (
        "refusals fast",
        lambda: evidence(
            with_node(1, counts(0, errors={"timeout": 5}), end=RECOVERY),
            plan=replace(PLAN, timeout_ns=200 * MS),
        ),
        "timeouts while the breaker of node 1 was open: 30",
    ),
    "an operation past its deadline": (
        "deadlines kept",
        lambda: evidence(overdue),
        "2 operations ended after their deadline, the slowest after 1.4 s",
    ),
    "an operation that never ends": (
        "deadlines kept",
        lambda: evidence(closed=replace(CLOSED, unfinished=3)),
        "3 had not ended when the trial was over",
    ),
    "a pool exhausted by another node": (
        "pools free",
        lambda: evidence(with_node(2, counts(38, errors={"pool_exhausted": 2}), end=FAULT + TICK)),
        "the pool was exhausted 2 on node 2",
    ),
    "a healthy node that slows down": ("healthy nodes", lambda: evidence(SLOWED), "node 2 96 %, service p99 900 ms"),
    "a node that refuses and is waited for": (
        "refusals fast",
        lambda: evidence(hanging),
        "timeouts on a node that refused connections: 45",
    ),
    "a healthy node that is a hundred times slower": (
        "healthy nodes",
        lambda: evidence(with_node(2, counts(40, 49 * MS), end=RECOVERY)),
        "node 2 96 %, service p99 49 ms (at most 10 ms)",
    ),
    "a healthy node that does less": (
        "healthy nodes",
        lambda: evidence(with_node(3, counts(20))),
        "node 3 79 %",
    ),
    "statistics behind a lock": ("statistics", lambda: evidence(at(FAULT, unread_ns=S)), "unreadable for 1 s"),
    "connections that do not add up": (
        "pool arithmetic",
        lambda: evidence(with_state(1, state(active=3))),
        "node 1: 0 constructing + 8 idle + 3 active is 11, and the total is 10",
    ),
    "more connections than the pool may have": (
        "pool arithmetic",
        lambda: evidence(with_state(1, state(most=9))),
        "node 1: 10 connections, and 9 at most",
    ),
    "a connection that is counted as closed and lives": (
        "pool arithmetic",
        lambda: evidence(with_state(1, state(closed=3))),
        "12 opened − 3 closed is not 10",
    ),
    "a socket that the pool does not know": (
        "pool arithmetic",
        lambda: evidence(closed=replace(CLOSED, states={2: state(active=0, idle=10, sockets=11)})),
        "node 2: 10 connections at rest, and 11 sockets by the kernel",
    ),
    "a breaker that skips a state": (
        "breaker",
        lambda: evidence(at(RECOVERY, transitions=(Transition(RECOVERY, 1, "open", "closed"),))),
        "node 1: open → closed",
    ),
    "a breaker that changes from a state that it was not in": (
        "breaker",
        lambda: evidence(at(RECOVERY, transitions=(Transition(RECOVERY, 1, "half-open", "closed"),))),
        "node 1: half-open → closed after the breaker was open",
    ),
    "a breaker that refuses without having opened": (
        "breaker",
        lambda: evidence(with_node(2, counts(38, errors={"breaker_open": 2}))),
        "node 2: operations that its breaker refused:",
    ),
    "a breaker that opens without a failure": (
        "breaker",
        lambda: evidence(at(FAULT + 2 * TICK, transitions=(Transition(FAULT + 500 * MS, 3, "closed", "open"),))),
        "node 3: its breaker opened, and no operation on the node had failed",
    ),
    "a breaker that stays open": (
        "breaker",
        lambda: evidence(closed=replace(CLOSED, states={1: state(breaker="open", active=0, idle=10)})),
        "at the end node 1's is open",
    ),
    "a leaked socket": (
        "nothing left",
        lambda: evidence(closed=replace(CLOSED, leaked_sockets=2)),
        "sockets to nodes: 2",
    ),
    "a leaked task": (
        "nothing left",
        lambda: evidence(closed=replace(CLOSED, leaked_tasks=1, leaked="Task-9")),
        "tasks or threads: 1 (Task-9)",
    ),
    "a close that hangs": (
        "nothing left",
        lambda: evidence(closed=replace(CLOSED, hung=1)),
        "the client did not close in time",
    ),
    "a client that keeps its process from all else": (
        "nothing left",
        lambda: evidence(closed=replace(CLOSED, hung=1, stuck="Caller 1 of x reported nothing for 10 s.")),
        "Caller 1 of x reported nothing for 10 s",
    ),
    "a close that raises": (
        "nothing left",
        lambda: evidence(closed=replace(CLOSED, error="OSError: 9")),
        "its close raised OSError: 9",
    ),
}

UNTOLD: dict[str, tuple[str, Callable[[], Evidence], bool]] = {
    "a fault without effect": ("fault fired", lambda: evidence(faults=[report(effects=0)]), True),
    "a fault that could not be begun": ("fault fired", lambda: evidence(faults=[report(failure="no nft")]), True),
    "a fault that nobody began": ("fault fired", lambda: evidence(faults=[]), True),
    "no operation that ended well": (
        "answers right",
        lambda: evidence(lambda at_ns, observed: replace(observed, nodes={1: counts(0)})),
        True,
    ),
    "no baseline": (
        "recovered",
        lambda: evidence(with_node(1, counts(0), begin=0, end=FAULT)),
        True,
    ),
    "too short a recovery": (
        "recovered",
        lambda: evidence(
            with_node(1, counts(0, errors={"lost": 9})),
            plan=replace(PLAN, limits=replace(PLAN.limits, recovery_ns=11 * S)),
        ),
        True,
    ),
    "nothing refused": ("refusals fast", lambda: evidence(with_node(1, counts())), False),
    "a pool that is not exposed": ("pools free", lambda: evidence(exposing_nothing), False),
    "arithmetic that is not exposed": ("pool arithmetic", lambda: evidence(exposing_nothing), False),
    "statistics that are not there": ("statistics", lambda: evidence(exposing_nothing), False),
    "a breaker that is not there": ("breaker", lambda: evidence(exposing_nothing), False),
    "no healthy node": (
        "healthy nodes",
        lambda: evidence(plan=replace(PLAN, faults=(replace(KILL, on=()),))),
        False,
    ),
    "no pool of a healthy node": (
        "pools free",
        lambda: evidence(plan=replace(PLAN, faults=(replace(KILL, on=()),))),
        False,
    ),
    "a client that was not closed": ("nothing left", lambda: evidence(closed=None), True),
    "a kernel that does not say": (
        "nothing left",
        lambda: evidence(closed=replace(CLOSED, leaked_sockets=None)),
        False,
    ),
    "callers that were late": (
        "callers on time",
        lambda: waiting(evidence(), 60 * MS, begin=FAULT, end=FAULT + TICK),
        False,
    ),
}

OF_TIME = [
    "a node that stays away",
    "a node that refuses and is waited for",
    "a healthy node that is a hundred times slower",
    "a healthy node that slows down",
    "a healthy node that does less",
    "statistics behind a lock",
    "a node that comes back too late",
    "an operation past its deadline",
    "slow refusals",
    "an error before the fault",
    "a pool exhausted by another node",
]
"""The failures that waits of the callers for a CPU may explain."""


@pytest.mark.parametrize("name", CHECKS)
def test_a_client_that_does_everything_right_passes(name: str) -> None:
    assert check(name, evidence()).passed is True


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_fails_its_check_and_says_what_was_found(failure: str) -> None:
    name, found, words = FAILURES[failure]
    one = check(name, found())
    assert one.passed is False, one
    assert words in one.found


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_fails_the_trial(failure: str) -> None:
    assert ended(FAILURES[failure][1]()).severity is Severity.BREACHED


@pytest.mark.parametrize("case", UNTOLD)
def test_a_check_without_evidence_cannot_tell(case: str) -> None:
    name, found, vital = UNTOLD[case]
    one = check(name, found())
    assert (one.passed, one.vital) == (None, vital), one
    assert one.found


def test_every_check_has_a_failure_and_a_case_in_which_it_cannot_tell() -> None:
    of_the_machine_only = {"callers on time"}
    of_no_client = {"fault fired"}
    assert {name for name, _, _ in FAILURES.values()} == set(CHECKS) - of_no_client - of_the_machine_only
    without = {"errors expected", "deadlines kept"}
    assert {name for name, _, _ in UNTOLD.values()} == set(CHECKS) - without


@pytest.mark.parametrize("failure", OF_TIME)
def test_a_limit_on_time_says_nothing_where_waits_for_a_cpu_explain_what_is_beyond_it(failure: str) -> None:
    name, found, _ = FAILURES[failure]
    late = waiting(found(), TICK)
    one = check(name, late)
    assert one.passed is None, one
    assert "the callers waited for a CPU in 85 of 85 intervals, 200 ms at most" in one.found
    assert ended(late).severity is Severity.UNKNOWN


@pytest.mark.parametrize("failure", OF_TIME)
def test_a_wait_that_is_shorter_than_what_is_beyond_a_limit_excuses_nothing(failure: str) -> None:
    name, found, _ = FAILURES[failure]
    for at_ns in (BASELINE, FAULT, RECOVERY):
        late = waiting(found(), 60 * MS, begin=at_ns, end=at_ns + TICK)
        assert check(name, late).passed is False
        assert check("callers on time", late).passed is None


@pytest.mark.parametrize("failure", OF_TIME)
def test_a_wait_at_another_time_excuses_nothing(failure: str) -> None:
    name, found, _ = FAILURES[failure]
    if failure != "an error before the fault":
        assert check(name, waiting(found(), TICK, begin=0, end=BASELINE)).passed is False


@pytest.mark.parametrize("failure", [each for each in FAILURES if each not in OF_TIME])
def test_being_late_excuses_nothing_else(failure: str) -> None:
    name, found, _ = FAILURES[failure]
    assert check(name, waiting(found(), TICK)).passed is False


def test_an_operation_far_beyond_its_deadline_is_explained_by_waits_of_a_third_in_its_own_time() -> None:
    def passed(wait_ns: int, begin: int, end: int) -> bool | None:
        return check("deadlines kept", waiting(evidence(overdue), wait_ns, begin=begin, end=end)).passed

    # It ended at FAULT + TICK, 300 ms beyond its deadline and the tolerance.
    assert passed(50 * MS, FAULT - TICK, FAULT + TICK) is None
    assert passed(49 * MS, FAULT - TICK, FAULT + TICK) is False
    assert passed(200 * MS, FAULT - 20 * TICK, FAULT - 10 * TICK) is False
    assert passed(200 * MS, FAULT + TICK, END) is False


def test_a_node_is_excused_for_its_absence_by_callers_that_were_late_most_of_the_time() -> None:
    gone = evidence(with_node(1, counts(0, errors={"refused": 40})))
    assert check("recovered", waiting(gone, 60 * MS, begin=RECOVERY, end=RECOVERY + 6 * S)).passed is None
    assert check("recovered", waiting(gone, 60 * MS, begin=RECOVERY, end=RECOVERY + 4 * S)).passed is False


def test_a_node_that_hangs_may_be_waited_for_without_a_breaker() -> None:
    pause = Fault("pause", Layer.PROCESS, on=(1,))
    found = evidence(hanging, plan=replace(PLAN, faults=(pause,)), faults=[report(pause)])
    assert (check("refusals fast", found).passed, check("refusals fast", found).vital) == (None, False)
    assert check("refusals fast", evidence(hanging)).passed is False


def test_operations_under_way_when_a_node_goes_down_may_wait_for_their_deadline() -> None:
    hung = with_node(1, counts(0, errors={"timeout": 9}, refused_ns=S), end=FAULT + S)
    assert check("refusals fast", evidence(hung)).passed is True


def test_a_wait_for_a_free_caller_is_not_the_client_s() -> None:
    """Nearly all callers hang on node 1, so that what is due on the others, and on node 1, waits for one of them."""
    queued = with_node(2, counts(40, queued_ns=900 * MS), end=RECOVERY)
    found = evidence(queued)
    assert check("healthy nodes", found).passed is True
    assert found.phases["fault"].of(2).latency.quantile(0.99) >= 900 * MS, "users wait as long as they wait"
    slow = with_node(2, counts(40, 900 * MS), end=RECOVERY)
    assert check("healthy nodes", evidence(slow)).passed is False


def test_a_refusal_that_waited_for_a_free_caller_was_refused_at_once() -> None:
    def refused(**times: int) -> bool | None:
        errors = {"refused": 1, "breaker_open": 39}
        return check("refusals fast", evidence(with_node(1, counts(0, errors=errors, **times), end=RECOVERY))).passed

    assert refused(queued_ns=300 * MS) is True
    assert refused(refused_ns=300 * MS) is False


def test_what_a_client_does_not_expose_is_no_failure_of_the_trial() -> None:
    assert ended(evidence(exposing_nothing)).severity is Severity.GOOD


def test_a_fault_that_did_not_fire_makes_the_trial_untold() -> None:
    assert ended(evidence(faults=[report(effects=0)])).severity is Severity.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "effects", "fired"),
    [
        ("kill", (1, 1, 1), True),
        ("kill", (1, 0, 1), False),
        ("down", (9, 0, 1), True),
        ("down", (9, 3, 0), False),
        ("loss", (0, 0, 1), True),
        ("loss", (0, 0, 0), False),
    ],
)
def test_a_spell_without_effect_is_no_fired_fault_where_its_kind_needs_nobody(
    kind: str, effects: tuple[int, int, int], fired: bool
) -> None:
    """Two spells on node 1, and one on node 2. A client may stay away from a node that went down before."""
    fault = Fault(kind, KINDS[kind].layer, on=(1, 2))
    spells = [
        Spell(node, FAULT + at * TICK, FAULT + (at + 1) * TICK, each)
        for at, (node, each) in enumerate(zip((1, 1, 2), effects, strict=True))
    ]
    found = evidence(plan=replace(PLAN, faults=(fault,)), faults=[FaultReport(fault, tuple(spells), sum(effects))])
    one = check("fault fired", found)
    assert one.passed is (True if fired else None), one
    if not fired and sum(effects):
        assert "had no effect in 1 of 3 spells, first on node" in one.found


def test_a_fault_has_to_be_met_on_the_nodes_that_the_workload_uses() -> None:
    """All keys may be on one node, as the stampede's one is. A fault that needs nobody comes on each node."""

    def passed(kind: str, changed: Changed) -> bool | None:
        fault = Fault(kind, KINDS[kind].layer, on=(1, 2))
        spells = (Spell(1, FAULT, RECOVERY, 5), Spell(2, FAULT, RECOVERY, 0))
        found = evidence(changed, plan=replace(PLAN, faults=(fault,)), faults=[FaultReport(fault, spells, 5)])
        return check("fault fired", found).passed

    assert passed("latency", without_node(2)) is True
    assert passed("latency", with_node(2, counts())) is None
    assert passed("latency", lambda at_ns, observed: replace(observed, nodes={0: observed.of()})) is None
    assert passed("pause", without_node(2)) is None


def test_probes_of_a_half_open_breaker_may_time_out() -> None:
    probes = with_node(1, counts(0, errors={"timeout": 3}), begin=FAULT + S, end=FAULT + S + TICK)
    assert check("refusals fast", evidence(probes, plan=replace(PLAN, timeout_ns=200 * MS))).passed is True


def test_in_a_closed_loop_a_healthy_node_is_held_to_its_rate() -> None:
    def closed(at_ns: int, observed: Observed) -> Observed:
        return replace(with_node(3, counts(30))(at_ns, observed), due=0)

    assert check("healthy nodes", evidence(closed)).found == "node 3 75 %, service p99 500 µs"


def test_a_breaker_that_is_open_is_no_failure_while_it_may_still_close() -> None:
    plan = replace(PLAN, limits=replace(PLAN.limits, recovery_ns=11 * S))
    closed = replace(CLOSED, states={1: state(breaker="open", active=0, idle=10)})
    assert check("breaker", evidence(plan=plan, closed=closed)).passed is None


def test_quick_sees_that_a_node_whose_fault_ended_late_does_not_come_back() -> None:
    quick = catalogue.scenario("kill-1-of-3").quick()
    plan = replace(PLAN, limits=quick.limits, phases=replace(quick.phases, fault_ns=PLAN.phases.fault_ns))
    late = replace(report(), spells=(Spell(1, FAULT, RECOVERY + S),))
    down = with_node(1, counts(0, errors={"refused": 40}))
    found = evidence(down, plan=plan, faults=[late], closed=replace(CLOSED, states={1: state(breaker="open")}))
    assert check("recovered", found).passed is False
    assert check("breaker", found).passed is False


@pytest.mark.parametrize("known", ["failed_dials", "abandoned"])
def test_a_breaker_may_open_by_failures_that_the_client_kept_from_its_callers(known: str) -> None:
    changes = (
        Transition(FAULT + 500 * MS, 1, "closed", "open"),
        Transition(RECOVERY, 1, "open", "half-open"),
        Transition(RECOVERY + MS, 1, "half-open", "closed"),
    )

    def tried_elsewhere(failures: int) -> Evidence:
        def changed(at_ns: int, observed: Observed) -> Observed:
            states = {node: state(**{known: failures * (node == 1)}) for node in (1, 2, 3)}
            shown = changes if at_ns == RECOVERY else ()
            return replace(with_node(1, counts())(at_ns, observed), states=states, transitions=shown)

        return evidence(changed)

    assert check("breaker", tried_elsewhere(4)).passed is True
    assert check("breaker", tried_elsewhere(0)).passed is False


def test_two_writers_breakers_are_not_held_to_one_chain() -> None:
    both = (Transition(RECOVERY, 1, "half-open", "closed"),)
    assert check("breaker", evidence(at(RECOVERY, transitions=both), writers=2)).passed is True


def test_groups_that_read_no_value_of_each_other_tell_nothing_of_their_answers() -> None:
    alone = check("answers right", evidence(writers=2))
    assert (alone.passed, alone.found) == (None, "no value of another group was read since the fault")
    before = check("answers right", evidence(at(BASELINE, sighted=5), writers=2))
    assert before.passed is None
    together = check("answers right", evidence(at(FAULT, sighted=5), writers=2))
    assert (together.passed, together.found) == (True, "0 wrong; 5 values of another group read")


def test_a_fault_on_one_group_s_way_is_on_the_node_itself() -> None:
    split = Fault("down", Layer.PROXY, on=(5,))
    found = evidence(plan=replace(PLAN, groups=2, faults=(split,)), faults=[report(split, node=5)])
    assert found.faulted == {2}
    assert check("fault fired", found).found == "down (proxy) on node 2 of group 2: connections closed or refused 1"
    assert found.spells(2) == ((FAULT, RECOVERY),)


def test_without_a_fault_only_what_needs_none_is_judged() -> None:
    names = [each.name for each in judged(evidence(plan=replace(PLAN, faults=()), faults=[]))]
    assert "fault fired" not in names
    assert "answers right" in names


def without_node(node: int) -> Changed:
    return lambda at_ns, observed: replace(
        observed, nodes={number: of for number, of in observed.nodes.items() if number != node}
    )


def test_a_node_that_has_no_operation_has_nothing_to_recover() -> None:
    """A workload of one key is on one node, and the fault on all of them."""
    on_all = replace(PLAN, faults=(KILL, replace(KILL, on=(2,))))
    reports = (report(), report(on_all.faults[1], node=2))
    found = check("recovered", evidence(without_node(2), plan=on_all, faults=reports))
    assert (found.passed, "node 2" in found.found) == (True, False)
    none = evidence(lambda at_ns, observed: replace(observed, nodes={}), plan=on_all, faults=reports)
    assert check("recovered", none).passed is None
