"""The leader of one trial: it brings up the bench and the callers, follows the course, and judges what was observed.

The times of phases and faults are a `Course`, and what is made of observations an `Account`: both are told the time and
are tested without a process. Here is the clock.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loadgen.errors import LoadgenError, UsageError
from loadgen.escape import printable
from loadgen.events import Event, Monitored
from loadgen.faults.bench import Bench, BenchUp
from loadgen.monitors.reading import Reading
from loadgen.plan import Endpoint, Target
from loadgen.reason import Code, Reason
from loadgen.runner import beside
from loadgen.runner.beside import Beside
from loadgen.runner.stop import Alarm, Stop
from loadgen.severity import Severity
from loadgen.target.talk import counters
from loadgen.target.talk.identity import identify
from loadgen.trial import metrics
from loadgen.trial.account import Account
from loadgen.trial.backend import Backend
from loadgen.trial.board import shared_memory
from loadgen.trial.callers import Callers, Final
from loadgen.trial.checks.every import judged as every_check
from loadgen.trial.course import Course, Do, Enter, Over
from loadgen.trial.ended import PoolPoint, ServerCount, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.trial.evidence import Closed, Evidence, real_node
from loadgen.trial.plan import CallerPlan, TrialPlan
from loadgen.trial.recording import KEYS
from loadgen.units import NS_PER_S
from loadgen.verify.history.file import Metadata, create
from loadgen.version import __version__

if TYPE_CHECKING:
    from loadgen.monitors.board import Board

MOST_WRONG = 20

SKIPPED = Reason(Code.UNFINISHED, "the next trial was wanted before the end of this one", Severity.UNKNOWN)

_WAIT_S = 0.05


def caller_plans(
    plan: TrialPlan,
    groups: tuple[tuple[Endpoint, ...], ...],
    run: int,
    backend: Endpoint | None = None,
    board: int | None = None,
    history: str = "",
) -> tuple[CallerPlan, ...]:
    """Return the plan of each caller process: one for each group of callers, with an equal part of the callers."""
    return tuple(
        CallerPlan(
            client=plan.client,
            nodes=nodes,
            protocol=plan.protocol,
            traffic=plan.traffic,
            concurrency=max(1, plan.concurrency // len(groups)),
            timeout_ns=plan.timeout_ns,
            seed=plan.seed,
            writer=number,
            writers=len(groups),
            run=run,
            board=board,
            history=history,
            backend=backend,
            namespace=plan.namespace(number),
        )
        for number, nodes in enumerate(groups, 1)
    )


@dataclass(slots=True)
class Trial:
    """One trial, in the thread that calls `ended`. It catches no signal: `stop` ends it."""

    plan: TrialPlan
    bench: Bench
    emit: Callable[[Event], None]
    stop: Stop
    number: int = 1
    notes: tuple[Reason, ...] = ()
    skipped: Callable[[], bool] = lambda: False
    """True when somebody wants the next trial instead."""
    history: str = ""
    """The file of the trial's history; empty: none is kept."""

    def ended(self) -> TrialEnded:
        """Carry out the trial, and return its end, which is emitted too.

        A bench or callers that fail make a trial that could not be run. Raises UsageError where the user's own factory
        or a number of a node is wrong, OutputError where the history cannot be created.
        """
        if self.history:
            self._begin_history()
        self.emit(TrialBegan(self.plan, self.number))
        account = Account(self.plan, writers=self.plan.groups)
        try:
            with (
                self._backend() as backend,
                self.bench.up(self.emit) as up,
                shared_memory(self.plan.groups) as board,
            ):
                asked = None if backend is None else backend.endpoint
                run = time.monotonic_ns() & 0xFFFF_FFFF
                nodes = Target(self.plan.protocol, up.proxies.nodes)
                with (
                    Callers(caller_plans(self.plan, up.groups, run, asked, board, self.history)) as callers,
                    beside.opened(self.plan.monitors, nodes, up.servers[0] if up.servers else None) as monitors,
                ):
                    end = _Led(self, account, up, callers, monitors).end()
                end = replace(end, backend_served=None if backend is None else backend.served)
        except UsageError:
            raise
        except LoadgenError as error:
            why = Reason(Code.COULD_NOT_RUN, str(error).removesuffix("."), Severity.COULD_NOT_RUN)
            end = ended_of(account.evidence(()), judged=False, reasons=(why,), notes=self.notes)
        self.emit(end)
        return end

    def _begin_history(self) -> None:
        more = {"scenario": self.plan.scenario, "client": self.plan.client.name, "seed": self.plan.seed}
        metadata = Metadata(
            f"loadgen {__version__}",
            protocol=self.plan.protocol,
            keys=KEYS,
            more=more,
            workers=self.plan.groups,
        )
        os.close(create(self.history, metadata))
        words = f"the history of this trial is in {printable(self.history)}; loadgen check judges it"
        self.notes = (*self.notes, Reason(Code.HISTORIES_KEPT, words))

    def _backend(self) -> AbstractContextManager[Backend | None]:
        """Return the backend from which the callers load what the cache misses, where the workload has one."""
        return Backend() if self.plan.traffic.shape == "stampede" else nullcontext()


class _Led:
    """A trial whose nodes and callers are up."""

    def __init__(self, trial: Trial, account: Account, up: BenchUp, callers: Callers, monitors: Board | None) -> None:
        self._trial = trial
        self._account = account
        self._up = up
        self._callers = callers
        self._beside = Beside(monitors, self._is_judged) if monitors is not None else None
        self._readings: list[Reading] = []
        """Those of the time that is judged."""
        self._judged_ns: tuple[float, float] = math.inf, math.inf
        """The beginning of the baseline, and the end of the last phase."""

    def end(self) -> TrialEnded:
        """Lead the trial to its end."""
        plan = self._trial.plan
        server = identify(Target(plan.protocol, self._up.endpoints[:1]))
        self._callers.prepare()
        counted = self._counted()
        with self._trial.stop.alarm() as alarm:
            cut_short = self._follow(alarm)
        final = self._callers.stop()
        reports = self._up.operator.finish()
        self._tell()
        for interval in final.intervals:
            self._account.take(interval.phase, interval.observed)
        servers = tuple(
            ServerCount(node, now.since(before) if now is not None and before is not None else None)
            for node, (before, now) in enumerate(zip(counted, self._counted(), strict=True), 1)
        )
        monitors = self._beside.reports() if self._beside is not None else ()
        evidence = replace(
            self._account.evidence(reports, closed_of(final)), monitors=monitors, readings=tuple(self._readings)
        )
        return ended_of(
            evidence,
            judged=not cut_short,
            interrupted=cut_short and self._trial.stop.is_set,
            client_version=self._callers.client_version,
            server=server,
            servers=servers,
            reasons=(SKIPPED,) if cut_short and not self._trial.stop.is_set else (),
            notes=(*self._trial.notes, *self._up.notes, *beside.notes(monitors)),
        )

    def _counted(self) -> list[counters.Counters | None]:
        """Return the own counters of the server of each node, past any proxy."""
        return [counters.read(node, self._trial.plan.protocol) for node in self._up.proxies.nodes]

    def _follow(self, alarm: Alarm) -> bool:
        """Follow the course to its end, or until somebody stops it: return True then."""
        plan = self._trial.plan
        start_ns = self._callers.begin("settle" if plan.phases.settle_ns else "baseline")
        course = Course(plan.phases, self._up.faults, plan.nodes * plan.groups, start_ns)
        while True:
            for action in course.due(time.monotonic_ns()):
                match action:
                    case Enter(phase, length_ns):
                        if action.at_ns > start_ns:
                            self._callers.enter(phase)
                        if phase == "baseline":
                            self._judged_ns = action.at_ns, math.inf
                        self._trial.emit(TrialPhaseBegan(phase, length_ns))
                    case Do(step):
                        self._up.operator.post(step)
                    case Over():
                        self._judged_ns = self._judged_ns[0], time.monotonic_ns()
                        return False
            self._tell()
            if self._trial.stop.is_set or self._trial.skipped():
                return True
            self._hear(course)

    def _hear(self, course: Course) -> None:
        """Take what the callers report, for a moment or until the next action is due."""
        until_ns = course.next_ns
        wait_s = _WAIT_S if until_ns is None else min(_WAIT_S, (until_ns - time.monotonic_ns()) / NS_PER_S)
        for interval in self._callers.hear(max(0.0, wait_s)):
            self._account.take(interval.phase, interval.observed)
            self._trial.emit(TrialSample(interval.phase, interval.observed))

    def _tell(self) -> None:
        """Emit what the operator of the faults has done, on the nodes as users number them, and what monitors read.

        In the order of time.
        """
        faults = (replace(each, node=real_node(each.node, self._trial.plan)) for each in self._up.operator.news())
        read = [*self._beside.news()] if self._beside is not None else []
        for news in sorted([*faults, *read], key=lambda each: each.at_ns):
            if isinstance(news, Monitored) and self._is_judged(news.at_ns):
                self._readings.append(news.reading)
            self._trial.emit(news)

    def _is_judged(self, at_ns: int) -> bool:
        from_ns, to_ns = self._judged_ns
        return from_ns <= at_ns <= to_ns


def closed_of(final: Final) -> Closed:
    """Return the end of the callers as evidence."""
    return Closed(
        states=final.states,
        unfinished=final.unfinished,
        hung=final.hung,
        error=final.close_error,
        stuck=" ".join(final.stuck),
        leaked_sockets=final.leaked_sockets,
        leaked_tasks=final.leaked_tasks or 0,
        leaked=final.leaked,
    )


def ended_of(
    evidence: Evidence,
    *,
    judged: bool,
    interrupted: bool = False,
    client_version: str = "",
    server: str = "",
    servers: tuple[ServerCount, ...] = (),
    reasons: tuple[Reason, ...] = (),
    notes: tuple[Reason, ...] = (),
) -> TrialEnded:
    """Return the end of a trial with this evidence. A trial that was cut short is not judged."""
    began_ns = min((observed.from_ns for observed in evidence.within("baseline")), default=0)
    return TrialEnded(
        plan=evidence.plan,
        checks=(*every_check(evidence), *metrics.judged(evidence)) if judged else (),
        phases=evidence.phases,
        figures=evidence.figures,
        faults=evidence.faults,
        transitions=evidence.transitions,
        monitors=evidence.monitors,
        wrong=tuple(each for observed in evidence.phases.values() for each in observed.wrong)[:MOST_WRONG],
        pools=tuple(pool_series(evidence)),
        leaked_sockets=evidence.closed.leaked_sockets if evidence.closed is not None else None,
        client_version=client_version,
        server=server,
        servers=servers,
        began_ns=began_ns,
        reasons=reasons,
        notes=notes,
        interrupted=interrupted,
    )


def pool_series(evidence: Evidence) -> Iterator[PoolPoint]:
    """Yield the state of each node's pool, once a second and at the first interval of each phase."""
    last_ns, last_phase = 0, ""
    for phase, observed in evidence.intervals:
        if phase == last_phase and observed.to_ns - last_ns < NS_PER_S:
            continue
        last_ns, last_phase = observed.to_ns, phase
        for node, state in sorted(observed.states.items()):
            if state.total is not None:
                yield PoolPoint(observed.to_ns, phase, node, state.total, state.active, state.idle, state.waiting)
