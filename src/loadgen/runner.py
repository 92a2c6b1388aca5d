"""All workers of a run: starts them, gives them one start time, and folds their reports into events and one Result.

It reads no config and prints nothing. Whatever happens to a worker, the others' counts are kept.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

from loadgen import diagnosis, worker
from loadgen.errors import TargetError, WorkerError, printable
from loadgen.events import Event, PhaseBegan, Progress, Result, Sample
from loadgen.plan import Plan
from loadgen.snapshot import Snapshot, Tally
from loadgen.worker import Failed, Report

NS = 1_000_000_000

# Between telling the workers when to start and that time: enough for each to be told.
START_AHEAD_NS = 50_000_000

# A prefill in which no key has been confirmed for this long goes nowhere; when the server answers with errors, sooner.
STALL_NS = 30 * NS
REFUSED_NS = 3 * NS

# How long a worker may stay silent past the time at which it must have reported.
GRACE_NS = 10 * NS

# How long the report of a phase's last interval is waited for before the next phase is said to begin.
LATE_NS = 200_000_000

# What a worker may take to count one request that was due and could not be sent.
COUNT_NS = 200

# A worker opens so many connections at a time, each of which may take the whole connect timeout.
OPENED_AT_A_TIME = 256

# A server that is loading its data set is asked again this often, until the connect timeout.
LOADING_INTERVAL_S = 0.2

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Signals less than this apart are one: `timeout` sends its signal to a process and then to the group that it is in.
SAME_SIGNAL_NS = 100_000_000


class Stop(Exception):
    """The load ends early: the user asked for it, or a worker died."""


class WorkerProcess:
    """One worker, as its parent sees it."""

    def __init__(self, plan: Plan, index: int) -> None:
        ours, theirs = socket.socketpair()
        # The worker inherits that these signals wait for ever: a terminal sends Ctrl-C, and `timeout` SIGTERM, to the
        # whole process group, and it is the runner that tells a worker what to do.
        old = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self.process = subprocess.Popen(
                # -P: what lies in the current folder must not pass for a module.
                [sys.executable, "-P", "-c", "from loadgen.worker import main; main()", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        except OSError as error:
            ours.close()
            raise WorkerError(
                f"Worker {index} could not be started ({error.strerror}): free some memory or raise the limit on "
                "processes (ulimit -u), or set general.threads to fewer."
            ) from None
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, old)
        self.index = index
        self.pipe = Connection(ours.detach())
        self.last: dict[str, Snapshot] = {}
        """The newest snapshot of each phase."""
        self.down: tuple[int, ...] = ()
        """Connections to each endpoint that are not ready."""
        self.final: Report | None = None
        self.alive = True
        self.last_words = ""
        self.tell((plan, index))

    def tell(self, message: Any) -> None:
        # If it has died, the next read finds out.
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def kill(self, last_words: str) -> None:
        self.last_words = last_words
        self.process.kill()

    def death(self) -> str:
        """How it ended, in words."""
        name = f"Worker {self.index}"
        if self.last_words:
            return f"{name} {self.last_words}"
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return f"{name} closed its pipe"
        if status == -signal.SIGKILL:
            return f"{name} was killed by SIGKILL, as the kernel does when memory runs out"
        if status < 0:
            return f"{name} was killed by {signal.Signals(-status).name}"
        return f"{name} ended with exit status {status}"

    def close(self) -> None:
        """Tells it to end."""
        self.alive = False
        self.pipe.close()

    def end(self) -> None:
        """Waits until it has ended after `close`, or sees to it."""
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def check_file_limit(plan: Plan) -> None:
    """Raises WorkerError, saying how to get more, where the connections need more open files than are allowed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    connections = max(sum(own.connections) for own in plan.workers)
    needed = connections + worker.OTHER_FILES
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise WorkerError(
            f"{connections} connections in one worker need {needed} open files, and the hard limit is {hard}: raise it "
            f"(as root, ulimit -n {needed}, or nofile in /etc/security/limits.conf), or spread the connections over "
            "more workers (general.threads)."
        )


class Run:
    """One run of a Plan. `emit` gets every event but the Result, which `result` returns."""

    def __init__(self, plan: Plan, emit: Callable[[Event], None], *, embedded: bool = False) -> None:
        self.plan = plan
        self.emit = emit
        self.embedded = embedded
        self.workers: list[WorkerProcess] = []
        self.phase = "connect"
        self.interrupts = 0
        self.stopped_ns = 0
        self.start_ns = 0
        self.failure = ""
        self.warnings: list[str] = []
        self.examples: dict[str, str] = {}
        self.max_rss_bytes = 0
        self.intervals: dict[tuple[str, int], list[Report]] = defaultdict(list)
        self.before: dict[str, Snapshot] = {}
        self.sampled: dict[str, int] = defaultdict(int)
        """The newest interval of each phase that all workers have reported."""
        self.alarm, self.ring = socket.socketpair()
        self.ring.setblocking(False)

    def result(self) -> Result:
        """Runs it to its end, or as far as it comes.

        Raises TargetError or WorkerError when there is nothing to measure: no worker, no connection, no prefill.
        """
        check_file_limit(self.plan)
        with self.interruptible():
            try:
                for index in range(len(self.plan.workers)):
                    self.workers.append(WorkerProcess(self.plan, index))
                try:
                    self.connect()
                    if self.plan.prefill:
                        self.prefill()
                    self.load()
                except Stop:
                    pass
                self.drain()
                return self.sum_up()
            finally:
                for process in self.workers:
                    process.close()
                for process in self.workers:
                    process.end()
                self.alarm.close()
                self.ring.close()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """The first SIGINT or SIGTERM drains, the second aborts; a third ends the program wherever it hangs."""

        before_ns = 0

        def interrupt(number: int, frame: object) -> None:
            nonlocal before_ns
            now_ns = time.monotonic_ns()
            if now_ns - before_ns < SAME_SIGNAL_NS:
                return
            before_ns = now_ns
            self.interrupts += 1
            if self.interrupts > 2:
                raise KeyboardInterrupt
            with contextlib.suppress(OSError):
                self.ring.send(b"!")

        old = {number: signal.signal(number, interrupt) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    # ── Phases ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, phase: str) -> None:
        self.phase = phase
        self.emit(PhaseBegan(phase, time.time()))

    def connect(self) -> None:
        """Every connection greets its server. One that is loading is waited for; one that turns us away ends it."""
        self.begin("connect")
        began_ns = time.monotonic_ns()
        down = self.open_connections()
        self.begin("precheck")
        while any(down) and self.examples.get("turned away", "").startswith("LOADING"):
            elapsed_ns = time.monotonic_ns() - began_ns
            if elapsed_ns >= self.plan.connect_timeout_ns:
                break
            ready, note = self.plan.connections - sum(down), "the server is loading its data set"
            self.emit(Progress("connect", ready, self.plan.connections, elapsed_ns, note))
            self.pause(LOADING_INTERVAL_S)
            down = self.open_connections()
        for place, endpoint in enumerate(self.plan.endpoints):
            if down[place] == diagnosis.planned_connections(self.plan, place):
                raise TargetError(diagnosis.why_not(self.plan, endpoint, self.failures(), self.examples))
            if down[place]:
                words = diagnosis.some_down(self.plan, place, down[place], self.failures(), self.examples)
                self.warnings.append(words)

    def open_connections(self) -> tuple[int, ...]:
        """Has each worker open what it has not; returns how many to each endpoint did not become ready."""
        rounds = max(-(-sum(own.connections) // OPENED_AT_A_TIME) for own in self.plan.workers)
        self.tell_all(worker.CONNECT)
        self.gather("connected", rounds * self.plan.connect_timeout_ns + GRACE_NS)
        return self.down()

    def down(self) -> tuple[int, ...]:
        """How many connections to each endpoint were not ready when the workers last spoke."""
        return tuple(map(sum, zip(*(w.down for w in self.workers if w.down), strict=True)))

    def failures(self, phase: str = "precheck") -> dict[str, int]:
        return dict(self.merged(phase).failures)

    def merged(self, phase: str) -> Snapshot:
        """All workers' newest snapshots of a phase."""
        return sum((w.last[phase] for w in self.workers if phase in w.last), Snapshot())

    def prefill(self) -> None:
        """Writes every key. Raises TargetError, with a diagnosis, when that takes too long or gets nowhere."""
        self.begin("prefill")
        began_ns = moved_ns = time.monotonic_ns()
        total = self.plan.keyspace.count
        moved = Snapshot()
        self.tell_all(worker.WRITE_KEYS)
        written: set[int] = set()
        while len(written) < len(self.workers):
            heard = self.hear(time.monotonic_ns() + NS // 4)
            written |= {process.index for process, report in heard if report.event == "written"}
            now_ns, now = time.monotonic_ns(), self.merged("prefill")
            done = now.total.hits
            if done > moved.total.hits:
                moved, moved_ns = now, now_ns
            elapsed_ns, stalled_ns, since = now_ns - began_ns, now_ns - moved_ns, now - moved
            obstacle = diagnosis.headway(since, sum(self.down()), self.examples)
            if len(written) < len(self.workers):
                self.check_headway(f"{done:,} of {total:,} keys", elapsed_ns, stalled_ns, since, obstacle)
            note = "" if stalled_ns < REFUSED_NS else f"no key written for {stalled_ns / NS:.0f} s, {obstacle}"
            self.emit(Progress("prefill", done, total, elapsed_ns, note))

    def check_headway(self, so_far: str, elapsed_ns: int, stalled_ns: int, since: Snapshot, obstacle: str) -> None:
        """Raises TargetError when a prefill has taken its time, or gets nowhere; `since` is since it last moved."""
        limit_ns = self.plan.prefill_timeout_ns
        if limit_ns and elapsed_ns > limit_ns:
            raise TargetError(
                f"The prefill had written {so_far} after {limit_ns / NS:g} s (workload.prefill_timeout); {obstacle}."
            )
        if stalled_ns > (REFUSED_NS if since.total.errors else STALL_NS):
            raise TargetError(f"The prefill stalled at {so_far}, none written for {stalled_ns / NS:.0f} s; {obstacle}.")

    def load(self) -> None:
        plan = self.plan
        self.start_ns = time.monotonic_ns() + START_AHEAD_NS
        measure_ns = self.start_ns + plan.warmup_ns
        self.tell_all(worker.LOAD, self.start_ns)
        if plan.warmup_ns:
            self.begin("warmup")
            self.follow("warmup", self.start_ns, measure_ns)
        self.begin("measure")
        self.follow("measure", measure_ns, measure_ns + plan.duration_ns)

    def follow(self, phase: str, from_ns: int, until_ns: int) -> None:
        """Hears the workers until a phase's end and its last interval, and tells how far it has come."""
        length_ns = until_ns - from_ns
        intervals = -(-length_ns // self.plan.interval_ns)
        while (now_ns := time.monotonic_ns()) < until_ns + (self.sampled[phase] < intervals) * LATE_NS:
            self.hear(min(max(until_ns, now_ns + LATE_NS), now_ns + self.plan.interval_ns // 4))
            done_ns = min(max(time.monotonic_ns() - from_ns, 0), length_ns)
            self.emit(Progress(phase, done_ns, length_ns, done_ns))

    def drain(self) -> None:
        """Waits for what is open; after a second interrupt no longer."""
        self.begin("drain")
        due = max(own.rate_per_s for own in self.plan.workers) * self.plan.duration_ns / NS
        patience_ns = self.plan.request_timeout_ns + GRACE_NS + int(due * COUNT_NS)
        stop = self.interrupts > 0 or bool(self.failure)
        while self.interrupts < 2:
            if stop:
                self.stopped_ns = self.stopped_ns or time.monotonic_ns()
                self.tell_all(worker.STOP)
            try:
                self.gather("drained", patience_ns)
                return
            except Stop:
                stop = True

    # ── Reports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell_all(self, *message: Any) -> None:
        for process in self.living():
            process.tell(message)

    def living(self) -> list[WorkerProcess]:
        return [w for w in self.workers if w.alive]

    def hear(self, until_ns: int) -> list[tuple[WorkerProcess, Report]]:
        """The next reports, none when the time comes first. Raises Stop when the user asks to, or a worker has died."""
        unfinished = [w for w in self.living() if w.final is None]
        by_pipe: dict[object, WorkerProcess] = {w.pipe: w for w in unfinished}
        timeout = max(0.0, (until_ns - time.monotonic_ns()) / NS)
        heard = []
        for ready in wait([*(w.pipe for w in unfinished), self.alarm], timeout):
            if ready is self.alarm:
                self.alarm.recv(1)
                raise Stop
            process = by_pipe[ready]
            try:
                report = process.pipe.recv()
            except (EOFError, OSError):
                self.bury(process)
                continue
            if isinstance(report, Failed):
                process.last_words = f"failed: {printable(report.words)}"
                continue
            self.note(process, report)
            heard.append((process, report))
        return heard

    def note(self, process: WorkerProcess, report: Report) -> None:
        process.last[report.phase] = report.snapshot
        process.down = report.down
        self.examples = {**report.examples, **self.examples}
        self.max_rss_bytes = max(self.max_rss_bytes, report.max_rss_bytes)
        if report.event == "drained":
            process.final = report
            process.last.update(report.finals)
        elif report.event == "interval" and not self.stopped_ns:
            reports = self.intervals[report.phase, report.interval]
            reports.append(report)
            if len(reports) == len(self.workers):
                self.sample(report, reports)

    def sample(self, report: Report, reports: list[Report]) -> None:
        del self.intervals[report.phase, report.interval]
        self.sampled[report.phase] = report.interval
        so_far = sum((r.snapshot for r in reports), Snapshot())
        interval = so_far - self.before.get(report.phase, Snapshot())
        self.before[report.phase] = so_far
        self.emit(Sample(report.phase, time.time(), report.interval_ns, interval))

    def bury(self, process: WorkerProcess) -> None:
        """A worker died: the run ends, with what the others count."""
        process.alive = False
        death = process.death()
        if self.phase in ("connect", "precheck", "prefill"):
            raise WorkerError(f"{death}; nothing had been measured yet.")
        self.failure = self.failure or f"{death}; what it had counted up to its last report is included."
        if self.phase != "drain":
            raise Stop

    def gather(self, event: str, patience_ns: int) -> None:
        """Waits for one report of this kind from every living worker; one that stays silent too long is ended."""
        waited_ns, heard = 0, {w.index for w in self.living() if event == "drained" and w.final is not None}
        while missing := [w for w in self.living() if w.index not in heard]:
            if waited_ns >= patience_ns:
                for process in missing:
                    process.kill(f"said nothing for {patience_ns / NS:.0f} s, stopped or stuck, and was ended")
                waited_ns = 0
            began_ns = time.monotonic_ns()
            reports = self.hear(began_ns + min(NS, patience_ns - waited_ns))
            heard |= {process.index for process, report in reports if report.event == event}
            # At most the second that was asked for: while this process is stopped (Ctrl-Z), so are the workers.
            waited_ns += min(time.monotonic_ns() - began_ns, NS)

    def pause(self, seconds: float) -> None:
        until_ns = time.monotonic_ns() + int(seconds * NS)
        while time.monotonic_ns() < until_ns:
            self.hear(until_ns)

    def sum_up(self) -> Result:
        """The Result of all workers, the dead ones' last words included."""
        phases = {phase: self.merged(phase) for phase in ("precheck", "prefill", "warmup", "measure", "drain")}
        if any(w.final is None for w in self.workers):
            phases = {phase: give_up(snapshot) for phase, snapshot in phases.items()}
        measure_ns = self.start_ns + self.plan.warmup_ns
        duration_ns = self.plan.duration_ns
        if self.stopped_ns:
            duration_ns = min(duration_ns, max(0, self.stopped_ns - measure_ns)) if self.start_ns else 0
        if not self.failure and not self.interrupts:
            self.failure = self.gone_at_the_end()
        return Result(
            plan=self.plan,
            measured=phases["measure"],
            duration_ns=duration_ns,
            phases=phases,
            max_rss_bytes=self.max_rss_bytes,
            embedded=self.embedded,
            interrupted=self.interrupts > 0,
            reasons=tuple(diagnosis.doubts(phases["measure"], self.examples)),
            failure=self.failure,
            warnings=tuple(self.warnings),
            examples=self.examples,
        )

    def gone_at_the_end(self) -> str:
        """A server to which no connection was left when the window closed."""
        for place, endpoint in enumerate(self.plan.endpoints):
            if self.down()[place] == diagnosis.planned_connections(self.plan, place):
                return diagnosis.gone(endpoint, self.failures("measure"), self.examples)
        return ""


def give_up(snapshot: Snapshot) -> Snapshot:
    """What was in flight in a worker whose last word this is counts as lost."""
    tallies = {command: t + Tally(lost=t.balance) if t.balance > 0 else t for command, t in snapshot.tallies.items()}
    return replace(snapshot, tallies=tallies)


def run(plan: Plan, emit: Callable[[Event], None], *, embedded: bool = False) -> Result:
    """Runs a plan. See `Run`."""
    return Run(plan, emit, embedded=embedded).result()
