"""Smoke tests of real servers: each server is started, questioned, loaded, checked and stopped before the next one.

This file collects the observations. `smoke.criteria` decides what passes, and outputs decide what is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from loadgen.errors import TargetError
from loadgen.events import Configured, Event, Overall, Part, Progress, Result
from loadgen.host import machine
from loadgen.judge.judging import Judging
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Plan
from loadgen.reason import Reason
from loadgen.runner import beside
from loadgen.runner.discovery import placed
from loadgen.runner.run import Run
from loadgen.runner.stop import NEVER, Stop
from loadgen.runner.watch import EXIT_PATIENCE_S, exit_report_within
from loadgen.smoke.criteria import judge
from loadgen.smoke.ended import SmokeEnded
from loadgen.smoke.limits import SmokeLimits
from loadgen.smoke.observed import Finding, Observed
from loadgen.target.server import ServerError
from loadgen.target.servers import Servers
from loadgen.target.talk import sanity
from loadgen.target.talk.identity import identify
from loadgen.units import NS_PER_S
from loadgen.usage import StartedServer
from loadgen.version import __version__

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One server to be tested, with the plan and the limits of its test."""

    name: str
    plan: Plan
    """The address is put in when the servers are up."""
    servers: Servers
    """A server that the test starts is ended after the test; a given server runs on."""
    limits: SmokeLimits
    judging: Judging
    """The rules for the load's result; the test itself has its own limits."""
    monitors: tuple[MonitorPlan, ...]
    """What is read beside the load."""
    embedded: bool
    warnings: tuple[Reason, ...]
    """Remarks on the configuration."""


class SmokeTest:
    """One smoke test of one server. `emit` receives the events of its load, which ends early when `stop` is set."""

    def __init__(self, case: Case, emit: Emit, *, stop: Stop = NEVER) -> None:
        self.case = case
        self.emit = emit
        self.stop = stop
        self.observed = Observed()
        self.identity = ""
        self.result: Result | None = None
        self.log_tail: tuple[str, ...] = ()

    def ended(self) -> SmokeEnded:
        """Run the test to its end or an early end. Raises WorkerError when the generator fails."""
        try:
            self.go()
        except ServerError as error:
            self.observed = Observed(up=Finding(False, str(error)))
            self.log_tail = error.log_tail
        except KeyboardInterrupt:
            self.observed = replace(self.observed, interrupted=True)
        ended = SmokeEnded(
            server=self.case.name,
            identity=self.identity,
            checks=judge(self.case.limits, self.observed, self.result),
            result=self.result,
            log_tail=self.log_tail,
            interrupted=self.observed.interrupted or (self.result is not None and self.result.interrupted),
        )
        return ended if ended.failed else replace(ended, log_tail=())

    def go(self) -> None:
        began_ns, server = time.monotonic_ns(), None
        try:
            with self.case.servers.up(self.emit) as up:
                server = up.server
                self.test(placed(self.case.plan.at(*up.endpoints)), server, began_ns)
        finally:
            # Errors logged while the server stops, such as leaked memory or held locks, count too.
            if server is not None and self.observed.up is not None:
                self.observed = replace(self.observed, log_errors=server.log_errors())
                self.log_tail = server.log_tail()

    def test(self, plan: Plan, server: StartedServer | None, began_ns: int) -> None:
        """Run the test between the server's start and its stop."""
        try:
            if server is None:
                sanity.greet(plan.target)
        except TargetError as error:
            self.observed = Observed(up=Finding(False, str(error)))
            return
        self.observed = Observed(
            up=Finding(True, f"answered after {(time.monotonic_ns() - began_ns) / NS_PER_S:.2f} s")
        )
        self.identity = identify(plan.target)
        warnings, embedded = self.case.warnings, self.case.embedded
        fingerprint, judging = machine.fingerprint(), self.case.judging
        self.emit(Configured(plan, __version__, warnings, embedded, self.identity, host=fingerprint, judging=judging))
        if self.is_sane(plan):
            self.load(plan, server)
        self.observed = replace(self.observed, still_up=still_up(plan, server))

    def is_sane(self, plan: Plan) -> bool:
        """Check the server's answers. True when they are right, or when the check is switched off."""
        if not self.case.limits.sanity:
            return True
        try:
            finding = Finding(True, sanity.check(plan.target))
        except TargetError as error:
            finding = Finding(False, str(error))
        self.observed = replace(self.observed, sanity=finding)
        return finding.good

    def load(self, plan: Plan, server: StartedServer | None) -> None:
        try:
            with beside.opened(self.case.monitors, plan.target, server) as board:
                self.result = Run(
                    plan,
                    self.emit,
                    judging=self.case.judging,
                    embedded=self.case.embedded,
                    server=server,
                    board=board,
                    stop=self.stop,
                ).result()
        except TargetError as error:
            self.observed = replace(self.observed, failure=str(error))
        else:
            self.emit(self.result)


def still_up(plan: Plan, server: StartedServer | None) -> Finding:
    """Check that the server still runs and answers after the load."""
    wrong = ""
    try:
        sanity.greet(plan.target)
    except TargetError as error:
        wrong = str(error)
    if server is not None:
        wrong = exit_report_within(server, EXIT_PATIENCE_S if wrong else 0.0) or wrong
        if not wrong and server.restarted():
            wrong = f"{server.name} was restarted under the load: another process answers now"
    return Finding(not wrong, wrong or "the server answers")


def naming(emit: Emit, case: Case, number: int, total: int) -> Emit:
    """Return an emitter that passes on a test's events; with several tests, progress events number the test."""

    def tell(event: Event) -> None:
        if isinstance(event, Progress) and total > 1:
            event = replace(event, overall=Overall((Part("server", number, total),)), target=case.name)
        emit(event)

    return tell


def run_all(cases: Sequence[Case], emit: Emit, *, stop: Stop = NEVER) -> Iterator[SmokeEnded]:
    """Run one test after the other, and stop each server before the next starts. After an interrupt, run no more."""
    interrupted = False
    for number, case in enumerate(cases, 1):
        if interrupted:
            observed = Observed(interrupted=True)
            ended = SmokeEnded(case.name, "", judge(case.limits, observed), interrupted=True)
        else:
            ended = SmokeTest(case, naming(emit, case, number, len(cases)), stop=stop).ended()
        emit(ended)
        yield ended
        interrupted = ended.interrupted or stop.is_set
