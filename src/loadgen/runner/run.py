"""One run of a Plan: its workers connect, prefill, load and drain, and their counts become events and one Result.

A run reads no config and prints nothing. When a worker fails, the other workers' counts are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from loadgen import slo
from loadgen.events import MOST_SAMPLED, Event, Monitored, Result, Sample, TopologyChanged
from loadgen.faults.kinds import KINDS
from loadgen.faults.operator_thread import OperatorThread
from loadgen.faults.report import FaultReport, Outage
from loadgen.faults.timeline import steps
from loadgen.judge import check, diagnosis, failures, outages, verdict
from loadgen.judge.judging import Judging
from loadgen.judge.lanes import on_lanes
from loadgen.judge.run_metrics import RunMetrics, vocabulary_of
from loadgen.overload import Overload, of_window
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.plan import Plan
from loadgen.reason import Code, Reason
from loadgen.runner import beside
from loadgen.runner.beside import Beside
from loadgen.runner.crew import Crew
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.intervals import Interval
from loadgen.runner.load import Counted
from loadgen.runner.member import Members
from loadgen.runner.phases import ByPhase
from loadgen.runner.processes import WorkerProcesses
from loadgen.runner.stop import NEVER, Stop
from loadgen.runner.timeline import At
from loadgen.runner.watch import ServerWatch
from loadgen.severity import Severity
from loadgen.signs import Ceiling, Signs
from loadgen.snapshot import EMPTY, Backlog, Snapshot
from loadgen.usage import WatchedServer

if TYPE_CHECKING:
    from loadgen.monitors.board import Board

MOMENT_NS = 100_000_000
"""The resolution of outages and recoveries."""


class Run:
    """One run of a Plan. `emit` receives every event but the Result, which `result` returns.

    `ceiling` is the result of this host's self-test, if there is one; `server` is the server under load, if it is
    watched; `operator` carries out the faults that come over the servers in the measure window; `board` has the
    monitors that read beside the load; `notes` are further remarks on the result; `stop` ends the run early when any
    thread sets it; the actions of `timeline` are done at their times; `members` makes the workers, by default as
    processes of this machine.
    """

    def __init__(
        self,
        plan: Plan,
        emit: Callable[[Event], None],
        *,
        embedded: bool = False,
        ceiling: Ceiling | None = None,
        ceilings: Mapping[str, float] = EMPTY,
        server: WatchedServer | None = None,
        operator: OperatorThread | None = None,
        board: Board | None = None,
        notes: tuple[Reason, ...] = (),
        judging: Judging,
        stop: Stop = NEVER,
        timeline: Iterable[At] = (),
        members: Members | None = None,
    ) -> None:
        self.plan = plan
        self.judging = judging
        self.operator = operator
        self.notes = notes
        self.tell = emit
        self.embedded = embedded
        self.ceiling = ceiling
        self.ceilings = ceilings
        self.watch = ServerWatch(server) if server is not None else None
        self.timeline = (*timeline, *self.steps())
        self.crew = Crew(plan, self.emit, members=members or WorkerProcesses(), server=server, stop=stop)
        self.changes: list[TopologyChanged] = []
        self.before: dict[str, Snapshot] = {}
        self.parts_before: dict[tuple[str, str], Snapshot] = {}
        """By phase and machine."""
        self.interval_p99_ns: list[int] = []
        self.backlogs: list[Backlog] = []
        self.by_phase = ByPhase(plan.load.phases)
        self.beside = Beside(board, self.is_measured) if board is not None else None
        self.names = vocabulary_of(
            plan,
            has_faults=self.faulty,
            is_watched=server is not None,
            monitors=self.beside.series if self.beside is not None else {},
        )
        self.metrics = RunMetrics(judging.checks, plan, self.names)
        self.over_ns: int | None = None
        """The time at which the load's window was over: the end of the window, or an early end."""

    def result(self) -> Result:
        """Run to the end or to an early end, and return the Result.

        Raises TargetError or WorkerError when there is nothing to measure: no worker, no connection, no prefill.
        """
        crew = self.crew
        with crew.at_work():
            try:
                crew.connect()
                if self.plan.workload.prefill:
                    crew.prefill()
            except EndedEarly:
                counted = crew.drain()
            else:
                counted = self.load()
            return self.sum_up(counted)

    def emit(self, event: Event) -> None:
        """Emit an event, after the news of faults and monitors since the last one."""
        self.tell_news()
        if isinstance(event, TopologyChanged):
            self.changes.append(event)
        self.tell(event)

    def tell_news(self) -> None:
        """Emit which faults have begun or ended and what monitors have read since the last time, in order of time."""
        faults = self.operator.news() if self.operator is not None else ()
        read = [*self.beside.news()] if self.beside is not None else []
        for news in sorted([*faults, *read], key=lambda each: each.at_ns):
            if isinstance(news, Monitored) and (into_ns := self.into_window_ns(news.at_ns)) is not None:
                self.metrics.add_reading(news.reading, into_ns)
            self.tell(news)

    def is_measured(self, at_ns: int) -> bool:
        return self.into_window_ns(at_ns) is not None

    def into_window_ns(self, at_ns: int) -> int | None:
        """Return how long after the beginning of the measure window a time is; None for a time outside of it."""
        if self.crew.load is None:
            return None
        order = self.crew.load.order
        within = order.measure_ns <= at_ns <= min(order.end_ns, self.over_ns or order.end_ns)
        return at_ns - order.measure_ns if within else None

    def steps(self) -> Iterator[At]:
        """Yield the beginnings and ends of the faults, as actions of the measure window."""
        if self.operator is not None:
            for step in steps(self.operator.faults, len(self.plan.target.endpoints), self.plan.load.window_ns):
                yield At(Phase.MEASURE, step.at_ns, partial(self.operator.post, step))

    def load(self) -> Counted:
        if self.watch is not None:
            self.watch.begin()
        load = replace(self.plan.load, moment_ns=MOMENT_NS) if self.in_moments else self.plan.load
        return self.crew.put_on(load, interval_ended=self.sample, timeline=self.timeline, window_over=self.window_over)

    @property
    def faulty(self) -> bool:
        """True when faults are planned."""
        return self.operator is not None and bool(self.operator.faults)

    @property
    def in_moments(self) -> bool:
        """True when the load is seen in moments: under faults, and where one of several nodes may fail."""
        target = self.plan.target
        return self.faulty or len(target.endpoints) > 1 or target.topology is not None

    def window_over(self) -> None:
        self.over_ns = time.monotonic_ns()
        self.end_faults()

    def end_faults(self) -> tuple[FaultReport, ...]:
        """End the faults that are under way, and return what each did; empty without faults."""
        return self.operator.finish() if self.operator is not None else ()

    def sample(self, ended: Interval) -> None:
        phase, so_far = ended.phase, ended.so_far
        before = self.before.get(phase, Snapshot())
        interval = so_far - before
        self.before[phase] = so_far
        interval_ns = self.plan.load.interval_ns
        from_ns = (ended.number - 1) * interval_ns
        if phase == Phase.MEASURE:
            self.backlogs.append(so_far.backlog)
            self.by_phase.add(interval, from_ns, ended.length_ns)
        if phase == Phase.MEASURE and ended.length_ns == interval_ns and interval.latency().count:
            self.interval_p99_ns.append(interval.latency().quantile(0.99))
        used = self.watch.interval() if self.watch is not None else None
        now, then = so_far.backlog, before.backlog
        # The requests that began, plus the growth of the backlog.
        offered = max(0, interval.total.planned + now.requests - then.requests) if self.plan.load.open_loop else 0
        growing = now.age_ns > then.age_ns
        hosts = dict(self.parts(ended))
        sample = Sample(phase, time.time(), ended.length_ns, interval, used, offered, growing, hosts)
        if phase == Phase.MEASURE:
            self.metrics.add(sample, from_ns)
        self.emit(sample)

    def parts(self, ended: Interval) -> Iterator[tuple[str, Snapshot]]:
        """Yield the part of each machine in an interval, where there are few enough."""
        machines = [(seat.index, seat.share.host) for seat in self.crew.seats if seat.share.host]
        for index, name in machines if len(machines) <= MOST_SAMPLED else ():
            so_far, key = ended.parts.get(index, Snapshot()), (ended.phase, name)
            yield name, so_far - self.parts_before.get(key, Snapshot())
            self.parts_before[key] = so_far

    def sum_up(self, counted: Counted) -> Result:
        """Return the Result of all workers, the dead workers' last reports included."""
        plan, crew = self.plan, self.crew
        gone = [] if counted.ended_early else crew.connections.gone()
        # `gone` may have opened connections again, and their greetings count in the precheck.
        phases = {**counted.phases, Phase.PRECHECK: crew.settled(Phase.PRECHECK)}
        measured, duration_ns = counted.measured, counted.length_ns
        server = self.watch.report(sum(phases[phase].sent for phase in OF_A_LOAD)) if self.watch else None
        for endpoint in gone[:1]:
            crew.failure.ended_by(Code.SERVER_GONE, crew.connections.why_gone(endpoint))
        faults = self.end_faults()
        self.tell_news()
        monitors = self.beside.reports() if self.beside is not None else ()
        nodes = self.operator.nodes if self.operator is not None else ()
        of_lanes = on_lanes(faults, nodes, crew.served) if nodes else faults
        found = outages.outages(counted.moments, counted.began_ns, MOMENT_NS, of_lanes)
        failed_because = self.failed_because(phases, counted, found)
        others = outages.unplanned(counted.moments, counted.began_ns, MOMENT_NS, found)
        # Where every request may fail, failed requests are a note. Unfinished requests make the run invalid.
        doubtful = Severity.INVALID if measured.total.unfinished else Severity.GOOD
        nothing_good = [
            Reason(Code.NO_GOOD_REPLY, words, doubtful)
            for words in (failures.nothing_good(measured.total),)
            if words and not failed_because
        ]
        signs = Signs(counted.signs, counted.host, tuple(self.interval_p99_ns), self.ceiling)
        hosts = tuple(replace(part, ceiling_per_s=self.ceilings.get(part.name, 0.0)) for part in counted.hosts)
        judged = verdict.judge(
            self.judging.limits,
            measured,
            signs,
            open_loop=plan.load.open_loop,
            spin=plan.wire.spin,
            duration_ns=duration_ns,
            hosts=hosts,
            steady=not faults and len({rate for s in plan.load.profile for rate in (s.from_per_s, s.to_per_s)}) <= 1,
        )
        result = Result(
            plan=plan,
            measured=measured,
            duration_ns=duration_ns,
            phases=phases,
            max_rss_bytes=crew.max_rss_bytes,
            embedded=self.embedded,
            interrupted=crew.stop.is_set,
            reasons=(
                *failed_because,
                *(self.without_effect(faults) if not counted.ended_early else ()),
                *self.restarted(),
                *self.garbled(measured),
                *(nothing_good if doubtful is Severity.INVALID else ()),
                *judged.reasons,
                *crew.failure.reasons,
            ),
            notes=(
                *self.notes,
                *crew.notes,
                *not_back(found),
                *beside.notes(monitors),
                *(nothing_good if doubtful is Severity.GOOD else ()),
                *judged.notes,
            ),
            examples=crew.examples,
            signs=signs,
            overload=self.overload(phases, duration_ns),
            checks=slo.check(self.judging.slo, measured, duration_ns),
            server=server,
            began_ns=counted.began_ns,
            history=crew.history(),
            faults=faults,
            outages=tuple(
                replace(each, name=counted.nodes[each.node - 1])
                for each in sorted([*found, *others], key=lambda each: (each.node, each.began_ns))
            ),
            changes=tuple(self.changes),
            hosts=hosts,
            by_phase=self.by_phase.counted(),
            monitors=monitors,
        )
        return replace(result, checked=check.judge(self.judging.checks, self.names, self.metrics.of(result)))

    def failed_because(
        self, phases: Mapping[str, Snapshot], counted: Counted, found: Iterable[Outage]
    ) -> tuple[Reason, ...]:
        """Return what failed beyond its limit. A load that failed is not judged: its early end caused its losses.

        Nor is one that was interrupted while its connections were being opened.

        Requests that a fault explains are not judged either.
        """
        crew, limits, wire = self.crew, self.judging.limits, self.plan.wire
        asked = wire.connections + wire.life.idle
        if crew.failure or (crew.stop.is_set and crew.load is None):
            return ()
        explained = outages.explained(counted.moments, counted.began_ns, MOMENT_NS, found)
        judged = failures.without(phases[Phase.MEASURE], explained)
        requests = failures.of_requests((judged,), limits.failures, crew.examples)
        overall = sum(phases.values(), Snapshot())
        counts = overall.connections
        opened = counts.opened - counts.reconnects - counts.recycled
        why = diagnosis.because(overall.failures, crew.examples)
        connections = failures.of_connections(asked, asked - opened, limits.connections, why)
        accepting = failures.accepting(phases[Phase.MEASURE].total)
        return failures.reasons(f"{requests}{accepting}" if requests else "", connections)

    def without_effect(self, faults: Iterable[FaultReport]) -> Iterator[Reason]:
        """Yield a reason for each fault that did not fire: the run shows nothing of it."""
        for number, report in enumerate(faults, 1):
            if not report.fired:
                yield Reason(Code.FAULT_NOT_FIRED, f"[[fault]] {number}, {did_not_fire(report)}", Severity.INVALID)

    def overload(self, phases: Mapping[str, Snapshot], duration_ns: int) -> Overload | None:
        plan = self.plan
        if not plan.load.open_loop:
            return None
        # Without a number of requests, the planned requests are the offered load, also for a Poisson stream.
        rate_per_s = plan.load.rate_per_s if plan.load.requests else 0.0
        measured, warmup = phases[Phase.MEASURE], phases[Phase.WARMUP]
        return of_window(measured, duration_ns, self.backlogs, warmup=warmup, offered_per_s=rate_per_s)

    def restarted(self) -> Iterator[Reason]:
        """Yield a reason when the server was restarted under load: the counts are then those of two processes."""
        if self.watch is not None and not self.watch.server.exit_report() and self.watch.server.restarted():
            words = f"{self.watch.server.name} was restarted while load was on it: another process answers now"
            yield Reason(Code.SERVER_RESTARTED, words, Severity.INVALID)

    def garbled(self, measured: Snapshot) -> Iterator[Reason]:
        """Yield a reason when replies were malformed or out of step: the other replies are not reliable then."""
        if words := diagnosis.garbled(measured, self.crew.examples):
            yield Reason(Code.GARBLED, words, Severity.INVALID)


def did_not_fire(report: FaultReport) -> str:
    """Return that a fault did not fire, and why, in a sentence."""
    fault, kind = report.fault, KINDS[report.fault.kind]
    if report.failure:
        return f"{fault}, has no known effect: {report.failure}"
    if not report.spells:
        return f"{fault}, did not begin before the load ended: let it begin sooner, or measure for longer"
    return (
        f"{fault}, had no effect: {report.effects:,} {kind.counts}, and at least {kind.least:,} would show one; see "
        "that requests go to the node while the fault lasts, and that its parameters can be felt"
    )


def not_back(found: Iterable[Outage]) -> Iterator[Reason]:
    """Yield a remark for each node of which cannot be told when it was back after a fault."""
    for outage in found:
        if outage.back_ns is not None:
            continue
        why = (
            "was not back inside its baseline's interval when the load ended"
            if outage.until_ns is None
            else "was not back inside its baseline's interval when the next fault began"
        )
        if not outage.has_baseline:
            why = "has no baseline to be back inside of: let the first fault begin half a second or more later"
        yield Reason(Code.NOT_BACK, f"node {outage.node} {why}")
