"""All workers of a run: starts them, gives them one start time, and folds their reports into events and one Result.

It reads no config and prints nothing. Whatever happens to a worker, the others' counts are kept.
"""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

from loadgen import worker
from loadgen.errors import TargetError, WorkerError
from loadgen.events import Event, PhaseBegan, Progress, Result, Sample
from loadgen.plan import Plan
from loadgen.snapshot import Snapshot, Tally
from loadgen.worker import Report

NS = 1_000_000_000

# Between telling the workers when to start and that time: enough for each to be told.
START_AHEAD_NS = 50_000_000

# A prefill in which no key has been confirmed for this long goes nowhere; when the server answers with errors, sooner.
STALL_NS = 30 * NS
REFUSED_NS = 3 * NS

# How long a worker may stay silent past the time at which it must have reported.
GRACE_NS = 10 * NS

# A server that is loading its data set is asked again this often, until the connect timeout.
LOADING_INTERVAL_S = 0.2


class Interrupt(Exception):
    """The user asked to stop; `abort`: for the second time."""


class WorkerProcess:
    """One worker, as its parent sees it."""

    def __init__(self, plan: Plan, index: int) -> None:
        ours, theirs = socket.socketpair()
        # The worker inherits that Ctrl-C is ignored: the runner tells it what to do.
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)
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
            raise WorkerError(f"worker {index} could not be started: {error.strerror}.") from None
        finally:
            signal.signal(signal.SIGINT, old)
            theirs.close()
        self.index = index
        self.pipe = Connection(ours.detach())
        self.last: dict[str, Snapshot] = {}
        """The newest snapshot of each phase."""
        self.final: Report | None = None
        self.alive = True
        self.tell((plan, index))

    def tell(self, message: Any) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            pass  # It has died, which the next read finds out.

    def death(self) -> str:
        """How it ended, in words."""
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return f"worker {self.index} closed its pipe"
        if status < 0:
            return f"worker {self.index} was killed by {signal.Signals(-status).name}"
        return f"worker {self.index} ended with exit status {status}"

    def end(self) -> None:
        self.alive = False
        self.pipe.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def check_file_limit(plan: Plan) -> None:
    """Raises WorkerError, saying how to get more, where the connections need more open files than this machine allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = max(sum(w.connections) for w in plan.workers) + worker.OTHER_FILES
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise WorkerError(
            f"{needed - worker.OTHER_FILES} connections in one worker need {needed} open files, and the hard limit is "
            f"{hard}: raise it (as root `ulimit -Hn {needed}`, or nofile in /etc/security/limits.conf), or spread the "
            f"connections over more threads."
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
        self.down: tuple[int, ...] = ()
        self.max_rss_bytes = 0
        self.intervals: dict[tuple[str, int], list[Report]] = defaultdict(list)
        self.before: dict[str, Snapshot] = {}
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
                except Interrupt:
                    self.drain()
                return self.sum_up()
            finally:
                for process in self.workers:
                    process.end()
                self.alarm.close()
                self.ring.close()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """The first SIGINT or SIGTERM drains, the second aborts."""

        def interrupt(number: int, frame: object) -> None:
            self.interrupts += 1
            self.ring.send(b"!")

        old = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
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
        """Every connection greets its server. A server that is loading is waited for; one that turns us away ends it."""
        self.begin("connect")
        deadline_ns = time.monotonic_ns() + self.plan.connect_timeout_ns
        told = False
        while True:
            self.tell_all(worker.CONNECT)
            silent_ns = max(deadline_ns, time.monotonic_ns()) + self.plan.connect_timeout_ns + GRACE_NS
            self.down = tuple(map(sum, zip(*(r.down for r in self.gather("connected", silent_ns)), strict=True)))
            if not told:
                self.begin("precheck")
                told = True
            loading = self.examples.get("turned away", "").startswith("LOADING")
            if not any(self.down) or not loading or time.monotonic_ns() >= deadline_ns:
                break
            self.pause(LOADING_INTERVAL_S)
        for place, endpoint in enumerate(self.plan.endpoints):
            planned = sum(w.connections[place] for w in self.plan.workers)
            if self.down[place] == planned:
                raise TargetError(self.why_not(str(endpoint)))
            if self.down[place]:
                self.warnings.append(
                    f"{self.down[place]} of {planned} connections to {endpoint} could not be opened"
                    f"{self.reasons_known()}; they are tried again while the load runs."
                )

    def why_not(self, endpoint: str) -> str:
        """Why no connection to a server became ready, in one sentence."""
        failures = self.failures()
        turned_away = self.examples.get("turned away", "")
        most = max(failures, key=lambda name: failures[name], default="")
        protocol = self.plan.protocol
        other = "memcache" if protocol != "memcache" else "resp"
        match most:
            case "refused":
                return (
                    f"Nothing listens at {endpoint} (connection refused): start a server there, or add --embedded to run "
                    f"against the built-in one."
                )
            case "connect timeout":
                seconds = self.plan.connect_timeout_ns / NS
                return (
                    f"{endpoint} did not answer within {seconds:g} s (connection.connect_timeout): the port may belong to "
                    f"something else, or the server is stuck."
                )
            case "turned away" if turned_away.startswith(("NOAUTH", "WRONGPASS", "ERR invalid password", "NOPERM")):
                return f"{endpoint} wants other credentials ({turned_away}): set target.username and target.password."
            case "turned away" if turned_away.startswith("LOADING"):
                return f"{endpoint} is still loading its data set ({turned_away}): try again when it answers PING."
            case "turned away" if "max number of clients" in turned_away:
                return f"{endpoint} takes no more connections ({turned_away}): raise its maxclients."
            case "turned away":
                return f"{endpoint} turned us away: {turned_away}."
            case "protocol" | "unasked reply":
                return (
                    f"{endpoint} does not speak {protocol}: it sent {self.examples.get(most, '')}. "
                    f'If it is a {other} server, set target.protocol = "{other}".'
                )
            case "closed by server":
                return (
                    f"{endpoint} closed every connection before answering: it may be full, or speak another protocol than "
                    f"{protocol}."
                )
            case "local limit":
                return (
                    f"This machine has no descriptor or port left for connections to {endpoint}: {self.examples.get(most, '')}."
                )
            case _:
                return f"{endpoint} could not be reached: {self.examples.get(most) or most or 'no reason known'}."

    def failures(self) -> dict[str, int]:
        snapshots = (s for w in self.workers for s in w.last.values())
        return dict(sum(snapshots, Snapshot()).failures)

    def reasons_known(self) -> str:
        words = [f"{name}: {self.examples[name]}" if self.examples.get(name) else name for name in self.failures()]
        return f" ({'; '.join(words)})" if words else ""

    def prefill(self) -> None:
        self.begin("prefill")
        began_ns = moved_ns = time.monotonic_ns()
        total, done, errors = self.plan.keyspace.count, 0, 0
        self.tell_all(worker.WRITE_KEYS)
        written: set[int] = set()
        while len(written) < len(self.workers):
            for process, report in self.hear(time.monotonic_ns() + NS // 4):
                if report.event == "written":
                    written.add(process.index)
            now_ns = time.monotonic_ns()
            tally = sum((w.last["prefill"].total for w in self.workers if "prefill" in w.last), Tally())
            errors_now = tally.errors + tally.misses
            if tally.hits > done:
                done, moved_ns, errors = tally.hits, now_ns, errors_now
            stalled_ns = now_ns - moved_ns
            note = "" if stalled_ns < REFUSED_NS else self.stall_note(tally)
            self.emit(Progress("prefill", done, total, now_ns - began_ns, note))
            limit_ns = self.plan.prefill_timeout_ns
            if len(written) < len(self.workers):
                if limit_ns and now_ns - began_ns > limit_ns:
                    raise TargetError(
                        f"The prefill had written {done:,} of {total:,} keys after {limit_ns / NS:g} s "
                        f"(workload.prefill_timeout): {self.stall_note(tally)}."
                    )
                if stalled_ns > (REFUSED_NS if errors_now > errors else STALL_NS):
                    raise TargetError(
                        f"The prefill stalled at {done:,} of {total:,} keys, none written for {stalled_ns / NS:.0f} s: "
                        f"{self.stall_note(tally)}."
                    )

    def stall_note(self, tally: Tally) -> str:
        """What a prefill that makes no headway is up against."""
        errors = {
            name: n for w in self.workers if "prefill" in w.last for name, n in w.last["prefill"].errors.items()
        }
        if errors:
            return f"the server answers {self.examples.get(next(iter(errors)), next(iter(errors)))}"
        if tally.misses:
            return f"the server did not store {tally.misses:,} values"
        if any(self.down):
            return f"{sum(self.down)} connections are down{self.reasons_known()}"
        if tally.timeouts:
            return f"{tally.timeouts:,} requests timed out"
        return "the server is slow"

    def load(self) -> None:
        plan = self.plan
        self.start_ns = time.monotonic_ns() + START_AHEAD_NS
        measure_ns = self.start_ns + plan.warmup_ns
        end_ns = measure_ns + plan.duration_ns
        self.tell_all(worker.LOAD, self.start_ns)
        if plan.warmup_ns:
            self.begin("warmup")
            self.follow("warmup", self.start_ns, measure_ns)
        self.begin("measure")
        self.follow("measure", measure_ns, end_ns)
        self.drain()

    def follow(self, phase: str, from_ns: int, until_ns: int) -> None:
        """Hears the workers until a phase's end, and tells how far it has come."""
        length_ns = until_ns - from_ns
        while (now_ns := time.monotonic_ns()) < until_ns and self.living():
            next_ns = min(until_ns, now_ns + self.plan.interval_ns // 4)
            for _ in self.hear(next_ns):
                pass
            done_ns = min(max(time.monotonic_ns() - from_ns, 0), length_ns)
            self.emit(Progress(phase, done_ns, length_ns, done_ns))

    def drain(self) -> None:
        """Waits for what is open; at a second interrupt no longer."""
        self.begin("drain")
        silent_ns = max(time.monotonic_ns(), self.end_ns()) + self.plan.request_timeout_ns + GRACE_NS
        if self.interrupts:
            self.stopped_ns = self.stopped_ns or time.monotonic_ns()
            self.tell_all(worker.STOP)
        try:
            for _ in self.gather("drained", silent_ns):
                pass
        except Interrupt:
            if self.interrupts == 1:
                self.drain()

    def end_ns(self) -> int:
        return self.start_ns + self.plan.warmup_ns + self.plan.duration_ns if self.start_ns else 0

    # ── Reports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell_all(self, *message: Any) -> None:
        for process in self.living():
            process.tell(message)

    def living(self) -> list[WorkerProcess]:
        return [w for w in self.workers if w.alive]

    def hear(self, until_ns: int) -> list[tuple[WorkerProcess, Report]]:
        """The next reports, none when the time comes first. Raises Interrupt when the user asks to stop."""
        by_pipe = {w.pipe: w for w in self.living() if w.final is None}
        timeout = max(0.0, (until_ns - time.monotonic_ns()) / NS)
        heard = []
        for ready in wait([*by_pipe, self.alarm], timeout):
            if ready is self.alarm:
                self.alarm.recv(1)
                raise Interrupt
            process = by_pipe[ready]
            try:
                report = process.pipe.recv()
            except (EOFError, OSError):
                self.bury(process)
                continue
            self.note(process, report)
            heard.append((process, report))
        return heard

    def note(self, process: WorkerProcess, report: Report) -> None:
        process.last[report.phase] = report.snapshot
        self.examples = {**report.examples, **self.examples}
        self.max_rss_bytes = max(self.max_rss_bytes, report.max_rss_bytes)
        if report.event == "drained":
            process.final = report
            process.last.update(report.finals)
        elif report.event == "interval":
            reports = self.intervals[report.phase, report.interval]
            reports.append(report)
            if len(reports) == len(self.living()):
                self.sample(report, reports)

    def sample(self, report: Report, reports: list[Report]) -> None:
        del self.intervals[report.phase, report.interval]
        so_far = sum((r.snapshot for r in reports), Snapshot())
        interval = so_far - self.before.get(report.phase, Snapshot())
        self.before[report.phase] = so_far
        self.emit(Sample(report.phase, time.time(), report.interval_ns, interval))

    def bury(self, process: WorkerProcess) -> None:
        """A worker died: the run ends, with what the others count."""
        process.alive = False
        death = process.death()
        if not self.failure:
            self.failure = f"{death[0].upper()}{death[1:]}; what it had counted up to its last report is included."
        if self.phase in ("connect", "precheck", "prefill"):
            raise WorkerError(f"{death[0].upper()}{death[1:]} before the load began.")
        self.stopped_ns = self.stopped_ns or time.monotonic_ns()
        self.tell_all(worker.STOP)

    def gather(self, event: str, until_ns: int) -> list[Report]:
        """One report of this kind from every living worker; one that stays silent is ended."""
        reports: dict[int, Report] = {
            w.index: w.final for w in self.living() if event == "drained" and w.final is not None
        }
        while missing := [w for w in self.living() if w.index not in reports]:
            if time.monotonic_ns() >= until_ns:
                for process in missing:
                    process.process.kill()
                until_ns = time.monotonic_ns() + GRACE_NS
            for process, report in self.hear(until_ns):
                if report.event == event:
                    reports[process.index] = report
        return list(reports.values())

    def pause(self, seconds: float) -> None:
        until_ns = time.monotonic_ns() + int(seconds * NS)
        while time.monotonic_ns() < until_ns:
            self.hear(until_ns)

    def sum_up(self) -> Result:
        """The Result of all workers, the dead ones' last words included."""
        phases = {
            phase: sum((w.last[phase] for w in self.workers if phase in w.last), Snapshot())
            for phase in ("precheck", "prefill", "warmup", "measure")
        }
        lost = [w for w in self.workers if w.final is None]
        if lost:
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
            failure=self.failure,
            warnings=tuple(self.warnings),
            examples=self.examples,
        )

    def gone_at_the_end(self) -> str:
        """A server to which no connection was left when the window closed."""
        finals = [w.final for w in self.workers if w.final is not None]
        down = list(map(sum, zip(*(r.down for r in finals), strict=True)))
        for place, endpoint in enumerate(self.plan.endpoints):
            if down[place] == sum(w.connections[place] for w in self.plan.workers):
                return f"No connection to {endpoint} was left when the run ended{self.reasons_known()}."
        return ""


def give_up(snapshot: Snapshot) -> Snapshot:
    """What was in flight in a worker whose last word this is counts as lost."""
    tallies = {
        command: Tally() + t - Tally(lost=-t.balance) if t.balance > 0 else t for command, t in snapshot.tallies.items()
    }
    return Snapshot(
        snapshot.at_ns,
        tallies,
        snapshot.response,
        snapshot.service,
        snapshot.lag,
        snapshot.errors,
        snapshot.failures,
        snapshot.connections,
        snapshot.rx_bytes,
        snapshot.tx_bytes,
        snapshot.cpu_ns,
    )


def run(plan: Plan, emit: Callable[[Event], None], *, embedded: bool = False) -> Result:
    """Runs a plan. See `Run`."""
    return Run(plan, emit, embedded=embedded).result()
