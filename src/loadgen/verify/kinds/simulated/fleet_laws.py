"""What a run on agents promises, held against what simulated workers have done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from loadgen.fleet.fleet import LEASE_NS
from loadgen.phase import Phase
from loadgen.runner.crew import MOST_CLOCK_READINGS
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.kinds.simulated.fleet_case import Counts, FleetCase, Put
from loadgen.verify.kinds.simulated.fleet_plan import Fault, PlannedFault

WITHIN_ERROR = "a load starts everywhere within the stated error of each clock"
TOGETHER = "first requests are sent together where orders arrive in time"
SUM = "merged counts are the sum of what was reported"
BIT_FOR_BIT = "merged histograms are those of all requests, bit for bit"
ADDS_UP = "each planned request has one end"
FOUND = "a lost agent ends the run within 3 s"
NAMED = "the reason of a failed run names an agent that was lost"
LEASE = "no load goes on for longer than a lease without its leader"
TWICE = "no rank is fired twice"
ENDS = "nothing waits for ever"
UNHARMED = "a run ends well without a loss"

LAWS = (WITHIN_ERROR, TOGETHER, SUM, BIT_FOR_BIT, ADDS_UP, FOUND, NAMED, LEASE, TWICE, ENDS, UNHARMED)

FOUND_NS = 3 * NS_PER_S
SLACK_NS = 100 * NS_PER_MS
"""The turns of the leader and of the links, and the drift of a clock in a lease."""

STUCK_NS = 16 * NS_PER_S
"""The time within which a worker is found that is stopped while its agent is not, beside that of the clocks' readings
and of the load: its report is waited for, for the longest timeout of the plan and the crew's grace."""

PREFILL_STALLED_NS = 30 * NS_PER_S
"""The time after which a prefill without progress is given up. Whether a worker or a server is stuck is not known then,
and no agent is named."""

Finding = tuple[str, str]
"""A law, and what broke it."""


def findings(case: FleetCase) -> Iterator[Finding]:
    """Yield what a case that has run breaks."""
    yield from _ends(case)
    yield from _intervals(case)
    for put in case.ran.loads:
        yield from _counts(put)
        yield from _start(case, put)
    yield from _losses(case)
    yield from _leases(case)
    yield from _twice(case)


def _ends(case: FleetCase) -> Iterator[Finding]:
    if not case.ran.is_over:
        yield ENDS, f"the leader still waits at {case.ran.over_ns / NS_PER_S:.1f} s"
    for agent in (*case.agents, *case.again):
        for worker in agent.workers.values():
            if worker.alive and not worker.stopped:
                yield ENDS, f"worker {worker.index} of {agent.host.name} lives on after its leader's end"


# ── Counts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _counts(put: Put) -> Iterator[Finding]:
    counted = put.counted
    for phase, merged in counted.phases.items():
        expected = put.expected.get(Phase(phase), ({}, {}))
        yield from _same(f"load {put.number}, {phase}", merged, expected)
        for command, tally in merged.tallies.items():
            if tally.balance:
                yield ADDS_UP, f"load {put.number}, {phase} {command}: {tally} lacks {tally.balance}"
    of_hosts = sum(part.measured.total.planned for part in counted.hosts)
    if of_hosts != counted.measured.total.planned:
        whole = counted.measured.total.planned
        yield SUM, f"load {put.number}: hosts have {of_hosts} requests, and all together {whole}"


def _intervals(case: FleetCase) -> Iterator[Finding]:
    for load, interval, expected in case.ran.intervals:
        yield from _same(f"load {load}, interval {interval.number} of {interval.phase}", interval.so_far, expected)


def _same(where: str, merged: Snapshot, expected: Counts) -> Iterator[Finding]:
    tallies, response = expected
    for command in {**tallies, **merged.tallies}:
        want, found = tallies.get(command, Tally()), merged.tallies.get(command, Tally())
        # What a member that is gone had not reported is counted as lost.
        if found != want and found != replace(want, lost=max(0, want.balance)):
            yield SUM, f"{where}, {command}: {found}, and reported were {want}"
    for command in {**response, **merged.response}:
        if merged.response.get(command) != response.get(command):
            count = merged.response[command].count if command in merged.response else 0
            yield BIT_FOR_BIT, f"{where}, {command}: {count} response times, others than reported"


# ── The start ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _start(case: FleetCase, put: Put) -> Iterator[Finding]:
    error_ns = {part.name: part.clock_error_ns for part in put.counted.hosts}
    for started in case.ledger.started:
        if started.load != put.number or started.process > len(case.agents):
            continue
        name = case.agents[started.rank].host.name
        off_ns = started.ordered_ns - put.start_ns
        # Two roundings to whole nanoseconds are no error of the clock.
        if abs(off_ns) > error_ns[name] + 2:
            yield WITHIN_ERROR, f"load {put.number} of {name}: {off_ns} ns off, and stated were {error_ns[name]} ns"
        if started.began_ns > started.ordered_ns and not case.ran.began:
            late_ns = started.began_ns - started.ordered_ns
            yield TOGETHER, f"load {put.number} of {name}: the order came {late_ns} ns after the start"


# ── Losses ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _losses(case: FleetCase) -> Iterator[Finding]:
    ran, plan = case.ran, case.plan
    lost = [fault for fault in ran.began if fault.is_loss and fault.at_ns < ran.over_ns]
    names = {case.agents[fault.rank].host.name for fault in lost}
    if any(fault.kind is Fault.LEADER_STOPPED for fault in lost):
        names = {agent.host.name for agent in case.agents}
    if ran.failed and not ran.began:
        yield UNHARMED, ran.failed
    is_named = ran.failed.startswith("The prefill stalled") or any(f"Agent {name} " in ran.failed for name in names)
    if ran.failed and lost and not ran.is_killed and not is_named:
        yield NAMED, f"{ran.failed!r}, and lost were {', '.join(sorted(names))}"
    gone_ns = min((line.gone_ns for line in case.exchange.lines if line.gone_ns), default=ran.over_ns)
    is_blind_ns = sum(fault.length_ns for fault in ran.began if fault.kind is Fault.LEADER_STOPPED)
    for fault in lost:
        if not _is_led(case, fault):
            continue
        busy_ns = plan.load.warmup_ns + plan.load.duration_ns + 3 * MOST_CLOCK_READINGS * plan.most_delay_ns
        busy_ns += plan.prefill * PREFILL_STALLED_NS
        within_ns = busy_ns + STUCK_NS if fault.kind is Fault.WORKER_STOPPED else FOUND_NS
        within_ns += is_blind_ns + 2 * plan.most_delay_ns + plan.turn_ns + SLACK_NS
        if min(gone_ns, ran.over_ns) > fault.at_ns + within_ns:
            yield FOUND, f"{fault}, and the run goes on until {min(gone_ns, ran.over_ns) / NS_PER_S:.3f} s"


def _is_led(case: FleetCase, fault: PlannedFault) -> bool:
    """Return whether an agent that is lost was waited for: it had its plan by then, and has not drained the load."""
    seats = case.crew.seats if case.crew is not None else []
    if fault.kind not in _OF_THE_LEADER and len(seats) > fault.rank and seats[fault.rank].final is not None:
        return False
    ranks = range(len(case.agents)) if fault.kind in _OF_THE_LEADER else (fault.rank,)
    return any(worker.began_ns <= fault.at_ns for rank in ranks for worker in case.agents[rank].workers.values())


def _leases(case: FleetCase) -> Iterator[Finding]:
    """No worker goes on with a load for longer than a lease after the time from which it cannot hear its leader."""
    for fault in case.ran.began:
        if not fault.is_loss or fault.kind in _OF_A_WORKER:
            continue
        ranks = range(len(case.agents)) if fault.kind in _OF_THE_LEADER else (fault.rank,)
        until_ns = fault.at_ns + case.plan.most_delay_ns + LEASE_NS + SLACK_NS
        for rank in ranks:
            for worker in case.agents[rank].workers.values():
                for began_ns, ended_ns in worker.sent:
                    if began_ns <= fault.at_ns and not 0 < ended_ns <= until_ns:
                        yield LEASE, f"{fault}, and worker {worker.index} still sends a lease later"


_OF_THE_LEADER = (Fault.LEADER_STOPPED, Fault.LEADER_KILLED)
_OF_A_WORKER = (Fault.WORKER_KILLED, Fault.WORKER_STOPPED)


def _twice(case: FleetCase) -> Iterator[Finding]:
    processes: dict[int, set[int]] = defaultdict(set)
    for started in case.ledger.started:
        processes[started.rank].add(started.process)
    for rank, of_rank in processes.items():
        if len(of_rank) > 1:
            yield TWICE, f"rank {rank} was fired by {len(of_rank)} agents"
    orders = Counter((started.rank, started.worker, started.ordered_ns) for started in case.ledger.started)
    for (rank, worker, _), times in orders.items():
        if times > 1:
            yield TWICE, f"worker {worker} of rank {rank} was given one load {times} times"
