"""One worker process: it receives a Plan and orders, and answers with Reports.

Messages are pickles, framed as in `multiprocessing.connection`, over the socket whose descriptor is the only argument.
When the socket closes, the parent is gone, and the worker ends. This module imports nothing of the front end.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from loadgen.engine._engine import Engine
from loadgen.engine._history import History
from loadgen.engine._reactor import Reactor, create
from loadgen.engine._time import Monotonic
from loadgen.errors import OutputError
from loadgen.host import cgroup
from loadgen.phase import COUNTED, Failure, Phase
from loadgen.plan import KeptHistory, Load
from loadgen.secret import masked
from loadgen.signs import PauseAccount, WorkerSigns
from loadgen.snapshot import Backlog, ConnectionCounts, HistoryCounts, NodeCounts, Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.worker.messages import (
    OTHER_FILES,
    VERSION,
    Beat,
    ClockReading,
    Connect,
    Connected,
    Drained,
    EndDrain,
    EndLoad,
    Failed,
    Goodbye,
    Greeting,
    Hello,
    IntervalEnded,
    Moment,
    Order,
    Progressed,
    PutOn,
    Report,
    Reroute,
    Stale,
    TellTime,
    WriteKeys,
    Written,
)
from loadgen.worker.pipe import Pipe

# The time between two reports on the progress of opening connections, or of a prefill.
PROGRESS_INTERVAL_NS = 250 * NS_PER_MS

ConnectionEvents = tuple[ConnectionCounts, dict[str, int], dict[str, int]]
"""Counts of connections, the number of those that failed or ended by reason, and what was pushed on them."""


def raise_file_limit(connections: int) -> int:
    """Raise the soft limit on open files as far as needed and allowed; return that limit, or the need if it is less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def max_rss_bytes() -> int:
    """Return the most memory that this process has had resident."""
    if sys.platform == "linux":
        # getrusage also counts the memory of the process before its exec.
        with Path("/proc/self/status").open(encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def arm(lease_ns: int) -> None:
    """Have the kernel end this process when a lease is over that nothing renews; 0: no lease.

    The kernel's timer also ends a process that is stuck, and one whose parent was stopped. SIGALRM's default action
    ends it.
    """
    if lease_ns:
        signal.setitimer(signal.ITIMER_REAL, lease_ns / NS_PER_S)


def history_of(kept: KeptHistory, index: int) -> History:
    """Return the history of one worker. Raises OutputError when the file, which is there, cannot be opened."""
    try:
        file = os.open(kept.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except OSError as error:
        raise history_failed(kept, error.errno or errno.EIO) from error
    return History(index, kept.run, kept.keys, file)


def history_failed(kept: KeptHistory, error: int) -> OutputError:
    return OutputError(
        f"the history {kept.path} can no longer be written ({os.strerror(error)}): make room for it, or record fewer "
        "keys (workload.history_keys)"
    )


_OUR_KINDS = {*Failure, "greeting", "greeted by GET"}
"""The kinds of examples that are not a class of error replies."""


class Worker:
    """An engine, with the orders to it and its reports."""

    def __init__(self, pipe: Pipe, hello: Hello, reactor: Reactor) -> None:
        plan, [index] = hello.plan, hello.workers
        self.lease_ns = hello.lease_ns
        self.password = plan.target.password
        self.kept = plan.history
        own = plan.workers[index]
        if own.cpu is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {own.cpu})
        raise_file_limit(sum(own.connections) + sum(own.idle))
        self.pipe = pipe
        self.index = index
        self.order: PutOn | None = None
        """The order of the newest load."""
        self.intervals = 0
        """The number of the phase's intervals that have been reported."""
        self.moments = 0
        """The number of the load's moments that have been reported."""
        self.reactor = reactor
        self.time = reactor.time
        self.history = None if plan.history is None else history_of(plan.history, index)
        self.engine = Engine(plan, index, self.mode_ended, reactor, history=self.history)
        self.groups = cgroup.groups()
        self.throttled = cgroup.throttling(self.groups)
        """The throttling by the groups' quotas when the present load began."""
        self.phase = Phase.PRECHECK
        # Connection counts and failures: the totals when the present phase began, and those of phases that have ended.
        self.began: ConnectionEvents = (ConnectionCounts(), {}, {})
        self.ended: dict[Phase, ConnectionEvents] = {}

    def execute(self, order: Order) -> None:
        match order:
            case Connect(fresh):
                self.enter(Phase.PRECHECK)
                self.engine.connect(fresh)
                self.report_progress_later(Phase.PRECHECK)
            case WriteKeys():
                self.enter(Phase.PREFILL)
                self.engine.write_keys()
                self.report_progress_later(Phase.PREFILL)
            case PutOn():
                self.put_on(order)
            case Reroute(topology):
                self.engine.reroute(topology)
            case EndLoad():
                self.reactor.forget_calls()
                self.engine.stop()
            case EndDrain():
                self.engine.end_drain()
            case TellTime():
                self.pipe.send(ClockReading(self.time.now()))
            case Beat():
                pass  # `work` arms the lease's timer at each message.
            case Goodbye():
                self.pipe.close()

    def put_on(self, order: PutOn) -> None:
        self.order, load = order, order.load
        self.throttled = cgroup.throttling(self.groups)
        self.reactor.forget_calls()
        profile = [(s.length_ns, s.from_per_s, s.to_per_s, s.period_ns) for s in load.profile]
        for phase in (Phase.WARMUP, Phase.MEASURE):
            self.ended.pop(phase, None)  # The counts of an earlier load, which the engine drops too.
        self.enter(Phase.WARMUP)
        self.engine.load(
            order.start_ns, load.warmup_ns, load.window_ns, profile, load.requests, moments=load.moment_ns > 0
        )
        self.moments = 0
        self.report_moments(load, order.measure_ns)
        self.report_intervals(load, Phase.WARMUP, order.start_ns, load.warmup_ns)
        self.reactor.at(order.measure_ns, lambda: self.enter(Phase.MEASURE))
        self.report_intervals(load, Phase.MEASURE, order.measure_ns, load.window_ns)

    def enter(self, phase: Phase) -> None:
        self.ended[self.phase] = self.connections_in(self.phase)
        self.began = self.connections_now()
        self.phase = phase
        self.intervals = 0

    def connections_now(self) -> ConnectionEvents:
        engine = self.engine
        return ConnectionCounts(**engine.connection_counts()), engine.failure_counts(), engine.push_counts()

    def connections_in(self, phase: Phase) -> ConnectionEvents:
        """Return the connection events of all the times in which this phase was the present one."""
        counts, *tallied = self.ended.get(phase, (ConnectionCounts(), {}, {}))
        if phase == self.phase:
            (now, *tallied_now), (began, *tallied_began) = self.connections_now(), self.began
            # Only events add up; the numbers of connections that are there now are states.
            counts = replace(counts + (now - began), active=now.active, idle=now.idle)
            tallied = [
                {k: before.get(k, 0) + n - at_first.get(k, 0) for k, n in by_name.items()}
                for before, by_name, at_first in zip(tallied, tallied_now, tallied_began, strict=True)
            ]
        failures, pushes = ({k: n for k, n in by_name.items() if n} for by_name in tallied)
        return counts, failures, pushes

    def snapshot(self, phase: Phase) -> Snapshot:
        """Return all counts of a phase so far; of connections, the events while the phase was the present one."""
        counts = self.engine.counts(phase)
        connections, failures, pushes = self.connections_in(phase)
        own = {
            "at_ns": self.time.now(),
            "tallies": {command: Tally(**tally) for command, tally in counts["tallies"].items()},
            "nodes": {name: NodeCounts(**node) for name, node in counts["nodes"].items()},
            "errors": {self.masked(kind): count for kind, count in counts["errors"].items()},
            "failures": failures,
            "connections": connections,
            "pushes": pushes,
            "cpu_ns": self.engine.cpu_ns() if phase == Phase.MEASURE else 0,
            "backlog": Backlog(**self.engine.backlog(phase)),
        }
        return Snapshot(**{**counts, **own})

    def examples(self) -> dict[str, str]:
        """Return the first example of each kind, without the password, which a server's words may repeat."""
        examples = self.engine.failure_examples()
        return {self.masked(kind): masked(words, self.password) for kind, words in examples.items()}

    def masked(self, kind: str) -> str:
        """Return a kind without the password. Only a class of errors, the first word of a reply, may contain it."""
        return kind if kind in _OUR_KINDS else masked(kind, self.password)

    def send_report(self, report: Callable[..., Report], phase: Phase, **more: Any) -> None:
        self.pipe.send(
            report(
                phase=phase,
                snapshot=self.snapshot(phase),
                down=tuple(self.engine.down()),
                examples=self.examples(),
                max_rss_bytes=0 if report is IntervalEnded else max_rss_bytes(),
                **more,
            )
        )

    def mode_ended(self, event: str) -> None:
        """Report the end of a mode of the engine: `connected`, `written` or `drained`.

        Raises OutputError for `history failed`.
        """
        match event:
            case "connected":
                self.reactor.forget_calls()
                self.send_report(Connected, Phase.PRECHECK)
            case "written":
                self.reactor.forget_calls()
                self.send_report(Written, Phase.PREFILL)
            case "stale":
                self.pipe.send(Stale())
            case "history failed":
                assert self.history is not None
                assert self.kept is not None
                raise history_failed(self.kept, self.history.error)
            case _:
                self.drained()

    def drained(self) -> None:
        # A load that was stopped, or has sent all its requests, ends before its time.
        self.reactor.forget_calls()
        self.report_rest()
        finals = {phase: self.snapshot(phase) for phase in COUNTED}
        end_ns = self.engine.window_end_ns()
        rest = self.moment() if self.order is not None and self.order.load.moment_ns else None
        self.send_report(
            Drained,
            self.phase,
            finals=finals,
            signs=(self.signs(),),
            moment=rest,
            history=HistoryCounts(**self.history.counts()) if self.history is not None else None,
            window_end_ns=end_ns,
        )

    def signs(self) -> WorkerSigns:
        found = self.engine.signs()
        signs = WorkerSigns(**{**found, "index": self.index, "pauses": PauseAccount(**found["pauses"])})
        now = cgroup.throttling(self.groups)
        if now is None or self.throttled is None:
            return signs
        since = now - self.throttled
        return replace(signs, throttled=since.count, throttled_ns=since.ns, quota_cpus=cgroup.quota(self.groups))

    def report_progress_later(self, phase: Phase) -> None:
        """Schedule reports on a phase that ends by itself, until it does."""

        def report() -> None:
            self.send_report(Progressed, phase)
            self.report_progress_later(phase)

        self.reactor.at(self.time.now() + PROGRESS_INTERVAL_NS, report)

    def report_intervals(self, load: Load, phase: Phase, start_ns: int, length_ns: int, done: int = 0) -> None:
        """Schedule a report at the end of each interval of a phase, and at the phase's end for a short last one."""
        if not load.interval_ns:
            return
        from_ns = done * load.interval_ns
        until_ns = min(from_ns + load.interval_ns, length_ns)
        if from_ns >= length_ns:
            return

        def report() -> None:
            self.intervals = done + 1
            self.report_intervals(load, phase, start_ns, length_ns, done + 1)
            self.send_report(IntervalEnded, phase, number=done + 1, length_ns=until_ns - from_ns)

        self.reactor.at(start_ns + until_ns, report)

    def report_moments(self, load: Load, measure_ns: int) -> None:
        """Schedule a report at the end of each moment of the measure window."""
        end_ns = (self.moments + 1) * load.moment_ns
        if not load.moment_ns or end_ns > load.window_ns:
            return

        def report() -> None:
            self.pipe.send(self.moment())
            self.report_moments(load, measure_ns)

        self.reactor.at(measure_ns + end_ns, report)

    def moment(self) -> Moment:
        """Return the present moment, and begin the next."""
        self.moments += 1
        return Moment(self.moments, {name: NodeCounts(**counts) for name, counts in self.engine.moments().items()})

    def report_rest(self) -> None:
        """Report the last interval, cut short, of a window that a number of requests ended."""
        order = self.order
        if order is None or not order.load.requests or self.phase != Phase.MEASURE:
            return
        rest_ns = self.engine.window_end_ns() - order.measure_ns - self.intervals * order.load.interval_ns
        if rest_ns > 0:
            self.send_report(IntervalEnded, Phase.MEASURE, number=self.intervals + 1, length_ns=rest_ns)


async def work(channel: socket.socket) -> None:
    """Carry out orders until the channel closes. The first message is a Hello, each later one an order."""
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    worker: Worker | None = None

    def received(message: Any) -> None:
        nonlocal worker
        try:
            arm(worker.lease_ns if worker is not None else message.lease_ns)
            if worker is not None:
                worker.execute(message)
                return
            if message.version != VERSION:
                raise RuntimeError(f"it was told messages of version {message.version}, and knows {VERSION}")
            worker = Worker(pipe, message, create(loop, Monotonic(), alone=True))
        except Exception as error:
            fail(error)
            return
        # No object is allocated per request, so the garbage collector would find nothing while the load runs.
        gc.collect()
        gc.freeze()
        gc.disable()
        pipe.send(Greeting(worker.time.now()))

    def fail(error: BaseException) -> None:
        if isinstance(error, MemoryError):
            pipe.send(Failed("memory ran out"))
        elif isinstance(error, OutputError):
            pipe.send(Failed(str(error)))
        else:
            pipe.send(Failed(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))))
        pipe.close()
        if worker is not None:
            worker.reactor.turn()

    def closed() -> None:
        if not gone.done():
            gone.set_result(None)

    # By default an error in a callback is printed, and the worker would go on with half its work undone.
    loop.set_exception_handler(lambda loop, context: fail(context.get("exception") or RuntimeError(context["message"])))
    # The same for an error in compiled code that cannot raise one.
    sys.unraisablehook = lambda raised: fail(raised.exc_value or RuntimeError(str(raised.err_msg)))
    pipe = Pipe(received, closed)
    await loop.create_connection(lambda: pipe, sock=channel)
    await gone
    if worker is not None:
        worker.engine.close()


def main() -> None:
    uvloop.run(work(socket.socket(fileno=int(sys.argv[1]))))
