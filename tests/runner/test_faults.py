"""A run under faults: what is reported of an outage, beside a probe from outside, and what the run is judged by."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from quiet import law_of_time
from runs import SETTINGS, judging

from loadgen import config
from loadgen.config.loader import parse_override
from loadgen.errors import ExitCode
from loadgen.events import Event, FaultBegan, FaultEnded, Result
from loadgen.faults.bench import bench_of
from loadgen.plan import Endpoint
from loadgen.reason import Code
from loadgen.runner.run import Run
from loadgen.runner.stop import Stop
from loadgen.server_plan import ServerPlan, builtin

WITHIN_NS = 300_000_000
"""The most that an outage or a recovery may differ from what a probe saw."""

AT_A_RATE = "workload.rate_limit=500"
"""For longer runs, of which a closed loop would take a CPU or two. Shorter ones are closed loops."""


@dataclass
class Probe:
    """A PING every 5 ms on a connection of its own each: when the first one failed, and when the last."""

    endpoint: Endpoint
    failed_ns: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.over.wait(0.005):
            at_ns = time.monotonic_ns()
            try:
                with socket.create_connection((self.endpoint.host, self.endpoint.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    assert connection.recv(100)
            except (OSError, AssertionError):
                self.failed_ns.append(at_ns)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()


@dataclass
class Ran:
    result: Result
    events: list[Event]
    probe: Probe

    @property
    def codes(self) -> list[Code]:
        return [reason.code for reason in (*self.result.reasons, *self.result.notes)]


def ran(
    *faults: dict[str, object],
    settings: Sequence[str] = (),
    server: ServerPlan | None = None,
    stop: Stop | None = None,
    probes: bool = False,
    after_s: float = 0,
) -> Ran:
    """A run on a server of ours under these faults; with `after_s`, it is stopped that long after a fault began."""
    stop = stop or Stop()
    given = {".".join(key): value for key, value in map(parse_override, [*SETTINGS, "general.warmup=0s", *settings])}
    flags = {**given, "fault": list(faults), "target.endpoints": ["127.0.0.1:1"]}
    told = config.load(None, (), flags)
    plan = config.resolve(told)
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if after_s and isinstance(event, FaultBegan):
            threading.Timer(after_s, stop.set).start()

    with bench_of(plan.target, server or builtin(), config.faults(told.fault, plan.seed)).up(lambda said: None) as up:
        plan = plan.at(*up.endpoints)
        probe = Probe(up.endpoints[0])
        with probe.running() if probes else contextlib.nullcontext():
            run = Run(plan, emit, judging=judging(*settings), server=up.server, operator=up.operator, stop=stop)
            return Ran(run.result(), events, probe)


@law_of_time
def test_a_kill_is_seen_as_a_probe_sees_it() -> None:
    # Acceptance 4.13, with 1 s for 5 s. By a schedule, so that the rate before and after is one and the same. Of ten
    # samples before the fault, the ninth tenth is often too low for seven of ten after it.
    kill = {"kind": "kill", "on": 1, "at": "3s", "for": "1s"}
    done = ran(kill, settings=["general.duration=6500ms", AT_A_RATE], probes=True)
    seen, [outage] = done.probe.failed_ns, done.result.outages
    assert outage.first_failed_ns is not None
    assert outage.last_failed_ns is not None
    assert outage.back_ns is not None
    assert abs(outage.first_failed_ns - seen[0]) < WITHIN_NS
    assert abs(outage.last_failed_ns - seen[-1]) < WITHIN_NS
    assert abs(outage.back_ns - seen[-1]) < WITHIN_NS


def test_a_planned_kill_is_no_death_of_the_server_and_does_not_fail_the_run() -> None:
    kill = {"kind": "kill", "on": 1, "at": "600ms", "for": "200ms"}
    done = ran(kill, settings=["general.duration=1500ms", "verdict.failures=0", AT_A_RATE])
    result, [outage] = done.result, done.result.outages
    assert outage.first_failed_ns is not None
    assert outage.failed == result.measured.total.failed
    assert outage.refused > 0
    # Its end is no death of the server, and the process that answers now is no surprise.
    assert Code.SERVER_ENDED not in done.codes
    assert Code.SERVER_RESTARTED not in done.codes
    assert result.failed_because == ()
    [report] = result.faults
    assert (report.effects, report.fired) == (1, True)
    kinds = [type(event) for event in done.events if isinstance(event, FaultBegan | FaultEnded)]
    assert kinds == [FaultBegan, FaultEnded]
    assert result.unaccounted == 0


def test_a_fault_that_cannot_fire_leaves_the_run_without_an_answer() -> None:
    # Acceptance 4.14: the fault delays the close of connections, and a load closes none.
    slow = {"kind": "slow_close", "at": "100ms", "for": "100ms"}
    done = ran(slow, settings=["general.duration=400ms"])
    assert done.result.exit_code == ExitCode.CANNOT_TELL
    [reason] = done.result.invalid_because
    assert reason.code is Code.FAULT_NOT_FIRED
    assert reason.words.startswith("[[fault]] 1, slow_close (proxy) on node 1, had no effect: 0 closes delayed")


def test_failures_that_no_fault_explains_fail_the_run() -> None:
    # Every tenth command is refused, before the fault, in it and after it.
    sick = builtin("resp", "--error-rate", "0.1", "--seed", "1")
    slow = {"kind": "latency", "at": "400ms", "for": "100ms", "delay": "20ms"}
    done = ran(slow, settings=["general.duration=800ms"], server=sick)
    assert [reason.code for reason in done.result.failed_because] == [Code.REQUESTS_FAILED]
    assert done.result.exit_code == ExitCode.NO


def test_timeouts_of_a_paused_server_are_the_faults_and_the_run_holds() -> None:
    pause = {"kind": "pause", "at": "800ms", "for": "500ms"}
    settings = ["general.duration=2500ms", "connection.request_timeout=200ms", "verdict.failures=0", AT_A_RATE]
    done = ran(pause, settings=settings)
    assert done.result.measured.total.timeouts > 0
    assert done.result.failed_because == ()
    [outage] = done.result.outages
    assert outage.failed == done.result.measured.total.failed


def test_a_run_that_is_stopped_in_a_fault_ends_the_fault_and_is_not_judged_by_it() -> None:
    pause = {"kind": "pause", "at": "100ms"}
    began = time.monotonic()
    done = ran(pause, settings=["general.duration=30s", "connection.request_timeout=1s"], after_s=0.2)
    assert time.monotonic() - began < 20
    assert done.result.interrupted
    assert Code.FAULT_NOT_FIRED not in done.codes
    [report] = done.result.faults
    [spell] = report.spells
    assert spell.ended_ns is not None
    assert report.fired


def test_a_fault_that_lasts_to_the_end_is_ended_before_the_drain() -> None:
    pause = {"kind": "pause", "at": "200ms"}
    done = ran(pause, settings=["general.duration=500ms"])
    # The server answers again, so that nothing stays open.
    assert done.result.measured.total.unfinished == 0
    [report] = done.result.faults
    assert report.spells[0].ended_ns is not None
    assert done.result.failed_because == ()


def test_without_enough_time_before_a_fault_there_is_no_time_back() -> None:
    early = {"kind": "kill", "at": "100ms", "for": "10ms"}
    done = ran(early, settings=["general.duration=400ms"])
    assert done.result.faults[0].fired
    [outage] = done.result.outages
    assert (outage.has_baseline, outage.back_ns) == (False, None)
    [note] = [note.words for note in done.result.notes if note.code is Code.NOT_BACK]
    assert note.startswith("node 1 has no baseline to be back inside of")


def test_a_server_that_was_killed_is_back_on_every_connection() -> None:
    kill = {"kind": "kill", "at": "300ms", "for": "100ms"}
    done = ran(kill, settings=["general.duration=1500ms", "connection.connections=20", AT_A_RATE])
    assert done.result.measured.connections.active == 20
