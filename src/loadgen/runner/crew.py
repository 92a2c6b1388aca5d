"""All worker processes together: started, connected to their servers, told what to do, heard, and ended.

What load they are given and what their counts come to is for whoever leads them: `runner` and `saturation`. It reads
no config and prints nothing.
"""

from __future__ import annotations

import contextlib
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import wait

from loadgen.errors import InternalError, TargetError, WorkerError
from loadgen.escape import printable
from loadgen.events import Event, PhaseBegan, Progress
from loadgen.judge import diagnosis
from loadgen.phase import OF_A_LOAD, Failure, Phase
from loadgen.plan import Endpoint, Load, Plan
from loadgen.runner.stop import NEVER, Alarm, Stop
from loadgen.runner.watch import fate_of
from loadgen.signs import WorkerSigns
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import NS_PER_S
from loadgen.usage import WatchedServer
from loadgen.worker.messages import (
    OPENED_AT_A_TIME,
    OTHER_FILES,
    Connect,
    Connected,
    Drained,
    EndLoad,
    Failed,
    IntervalEnded,
    Order,
    PutOn,
    Report,
    WriteKeys,
    Written,
)
from loadgen.worker.process import WorkerProcess

# Between telling the workers when to start and that time: enough for each to be told.
START_AHEAD_NS = 50_000_000

# A prefill in which no key has been confirmed for this long goes nowhere; when the server answers with errors, sooner.
STALL_NS = 30 * NS_PER_S
REFUSED_NS = 3 * NS_PER_S

# How long a worker may stay silent past the time at which it must have reported.
GRACE_NS = 10 * NS_PER_S

# How long the report of a phase's last interval is waited for before the next phase is said to begin.
LATE_NS = 200_000_000

# A server that is loading its data set is asked again this often, until the connect timeout.
LOADING_INTERVAL_S = 0.2


class EndedEarly(Exception):
    """The load ends early: its stop token was set, or a worker or the watched server died."""


def check_file_limit(plan: Plan) -> None:
    """Raises WorkerError, saying how to get more, where the connections need more open files than are allowed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    connections = max(sum(own.connections) for own in plan.workers)
    needed = connections + OTHER_FILES
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise WorkerError(
            f"{connections} connections in one worker need {needed} open files, and the hard limit is {hard}: raise it "
            f"(as root, ulimit -n {needed}, or nofile in /etc/security/limits.conf), or spread the connections over "
            "more workers (general.threads)."
        )


class Crew:
    """The workers of a plan. `emit` gets the events of connecting and prefilling, and of how far a load has come.

    `server` is the one under load, where we watch it: when it ends, so does the load. So does the load when somebody
    sets `stop`.
    """

    def __init__(
        self,
        plan: Plan,
        emit: Callable[[Event], None],
        *,
        server: WatchedServer | None = None,
        stop: Stop = NEVER,
    ) -> None:
        self.plan = plan
        self.emit = emit
        self.workers: list[WorkerProcess] = []
        self.phase = Phase.CONNECT
        self.server = server
        self.stop = stop
        self.alarm: Alarm | None = None
        self.failure = ""
        """A worker's death, or the watched server's, in a sentence."""
        self.warnings: list[str] = []
        self.examples: dict[str, str] = {}
        self.max_rss_bytes = 0
        self.order: PutOn | None = None
        """The newest load, as the workers were told of it."""
        self.stopped_ns = 0
        """When it was told to end early; 0: it was not."""
        self.interval_ended: Callable[[Phase, int, int, Snapshot], None] | None = None
        """Called when all workers have reported an interval: phase, which one from 1, its length, the phase so far."""
        self.intervals: dict[tuple[Phase, int], dict[int, IntervalEnded]] = defaultdict(dict)
        self.heard_intervals: dict[str, int] = defaultdict(int)
        """The newest interval of each phase that all workers have reported."""

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Starts the processes and, whatever happens, ends them. Raises WorkerError when one cannot be started."""
        with contextlib.ExitStack() as stack:
            self.alarm = stack.enter_context(self.stop.alarm())
            check_file_limit(self.plan)
            try:
                for index in range(len(self.plan.workers)):
                    self.workers.append(WorkerProcess(self.plan, index))
                yield
            finally:
                for process in self.workers:
                    process.close()
                for process in self.workers:
                    process.end()

    # ── Phases ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, phase: Phase) -> None:
        self.phase = phase
        self.emit(PhaseBegan(phase, time.time()))

    def connect(self) -> None:
        """Every connection greets its server. One that is loading is waited for; one that rejects us ends it.

        Raises TargetError when a server cannot be reached at all.
        """
        self.begin(Phase.CONNECT)
        began_ns = time.monotonic_ns()
        down = self.open_connections()
        self.begin(Phase.PRECHECK)
        while any(down) and self.examples.get(Failure.TURNED_AWAY, "").startswith("LOADING"):
            elapsed_ns = time.monotonic_ns() - began_ns
            if elapsed_ns >= self.plan.wire.connect_timeout_ns:
                break
            ready, note = self.plan.wire.connections - sum(down), "the server is loading its data set"
            self.emit(Progress(Phase.CONNECT, ready, self.plan.wire.connections, elapsed_ns, note))
            self.pause(LOADING_INTERVAL_S)
            down = self.open_connections()
        for place, endpoint in enumerate(self.plan.target.endpoints):
            if down[place] == diagnosis.planned_connections(self.plan, place):
                raise TargetError(self.why_not(endpoint))
            if down[place]:
                words = diagnosis.some_down(self.plan, place, down[place], self.failures(), self.examples)
                self.warnings.append(words)
        self.warnings += diagnosis.greeting_remarks(self.plan, self.examples)

    def open_connections(self, fresh: bool = False) -> tuple[int, ...]:
        """Has each worker open what it has not, or all anew; returns how many to each endpoint did not become ready."""
        for process in self.living():
            process.final = None  # After an earlier load, it has more to say again.
        rounds = max(-(-sum(own.connections) // OPENED_AT_A_TIME) for own in self.plan.workers)
        self.tell_all(Connect(fresh))
        self.gather(Connected, rounds * self.plan.wire.connect_timeout_ns + GRACE_NS)
        return self.down()

    def down(self) -> tuple[int, ...]:
        """How many connections to each endpoint were not ready when the workers last spoke."""
        return tuple(map(sum, zip(*(w.down for w in self.workers if w.down), strict=True)))

    def without_connection(self) -> list[Endpoint]:
        """The servers to which no connection was ready when the workers last spoke."""
        down = self.down()
        return [
            endpoint
            for place, endpoint in enumerate(self.plan.target.endpoints)
            if down[place] == diagnosis.planned_connections(self.plan, place)
        ]

    def gone(self) -> list[Endpoint]:
        """After a drain: the servers to which no connection was ready then, and none can be made now."""
        if self.without_connection():
            self.reopen()
        return self.without_connection()

    def reopen(self) -> None:
        """After a drain: opens what is down. A server that recycles its connections may have closed any at the end."""
        finals = [process.final for process in self.workers]
        with contextlib.suppress(EndedEarly):
            self.open_connections()
        for process, final in zip(self.workers, finals, strict=True):
            process.final = final

    def why_not(self, endpoint: Endpoint) -> str:
        """Why no connection to a server became ready, and what to do about it."""
        return self.departed(endpoint) or diagnosis.why_not(self.plan, endpoint, self.failures(), self.examples)

    def why_gone(self, endpoint: Endpoint) -> str:
        """That no connection to a server was left when its load ended, and why."""
        failures = self.failures(Phase.MEASURE)
        return self.departed(endpoint) or diagnosis.gone(endpoint, failures, self.examples)

    def departed(self, endpoint: Endpoint) -> str:
        """How a server that we started ended or went deaf, in its own last words; empty where it did neither."""
        server = self.server
        if server is None:
            return ""
        if fate := fate_of(server):
            return f"{diagnosis.ended(fate, server.complaints(), server.last_words())}."
        if Failure.REFUSED in self.failures() | self.failures(Phase.MEASURE):
            where = diagnosis.address(endpoint)
            return f"{diagnosis.deaf(server.name, where, server.complaints(), server.last_words())}."
        return ""

    def signs(self) -> tuple[WorkerSigns, ...]:
        """What the machine did to each worker that came to the end of the newest load."""
        return tuple(w.final.signs for w in self.workers if w.final is not None)

    def failures(self, phase: Phase = Phase.PRECHECK) -> dict[str, int]:
        return dict(self.merged(phase).failures)

    def merged(self, phase: Phase) -> Snapshot:
        """All workers' newest snapshots of a phase."""
        return sum((w.last[phase] for w in self.workers if phase in w.last), Snapshot())

    def settled(self, phase: Phase) -> Snapshot:
        """The same at the end; what was in flight in a worker that has not said its last word counts as lost."""
        merged = self.merged(phase)
        if all(w.final is not None for w in self.workers):
            return merged
        open_now = {c: Tally(lost=t.balance) for c, t in merged.tallies.items() if t.balance > 0}
        return replace(merged, tallies={c: t + open_now.get(c, Tally()) for c, t in merged.tallies.items()})

    def prefill(self) -> None:
        """Writes every key. Raises TargetError, with a diagnosis, when that takes too long or gets nowhere."""
        self.begin(Phase.PREFILL)
        began_ns = moved_ns = time.monotonic_ns()
        total = self.plan.workload.keyspace.count
        moved = Snapshot()
        self.tell_all(WriteKeys())
        written: set[int] = set()
        while len(written) < len(self.workers):
            heard = self.hear(time.monotonic_ns() + NS_PER_S // 4)
            written |= {process.index for process, report in heard if isinstance(report, Written)}
            now_ns, now = time.monotonic_ns(), self.merged(Phase.PREFILL)
            done = now.total.hits
            if done > moved.total.hits:
                moved, moved_ns = now, now_ns
            elapsed_ns, stalled_ns, since = now_ns - began_ns, now_ns - moved_ns, now - moved
            obstacle = diagnosis.headway(since, sum(self.down()), self.examples)
            if len(written) < len(self.workers):
                self.check_headway(f"{done:,} of {total:,} keys", elapsed_ns, stalled_ns, since, obstacle)
            note = "" if stalled_ns < REFUSED_NS else f"no key written for {stalled_ns / NS_PER_S:.0f} s, {obstacle}"
            self.emit(Progress(Phase.PREFILL, done, total, elapsed_ns, note))

    def check_headway(self, so_far: str, elapsed_ns: int, stalled_ns: int, since: Snapshot, obstacle: str) -> None:
        """Raises TargetError when a prefill has taken its time, or gets nowhere; `since` is since it last moved."""
        limit_ns = self.plan.workload.prefill_timeout_ns
        if limit_ns and elapsed_ns > limit_ns:
            after = f"after {limit_ns / NS_PER_S:g} s (workload.prefill_timeout)"
            raise TargetError(f"The prefill had written {so_far} {after}; {obstacle}.")
        if stalled_ns > (REFUSED_NS if since.total.errors else STALL_NS):
            since_when = f"none written for {stalled_ns / NS_PER_S:.0f} s"
            raise TargetError(f"The prefill stalled at {so_far}, {since_when}; {obstacle}.")

    def begin_load(self, load: Load) -> PutOn:
        """Has every worker begin with a load in a moment.

        Where its interval is 0, workers say nothing before they have drained: to report takes a worker most of a
        millisecond.
        """
        self.intervals.clear()
        self.heard_intervals.clear()
        self.stopped_ns = 0
        for process in self.workers:
            # A worker that dies before it speaks of this load has counted nothing in it.
            for phase in OF_A_LOAD:
                process.last.pop(phase, None)
        start_ns = time.monotonic_ns() + START_AHEAD_NS
        self.order = order = PutOn(load, start_ns)
        self.tell_all(order)
        return order

    def follow(self, phase: Phase, given_up: Callable[[], bool] = lambda: False) -> None:
        """Hears the workers until the end of the load's warmup or measure, and tells how far it has come.

        `given_up` is asked after each report whether to leave it at that. A window that its requests end is left when
        every worker has had the last reply. Raises EndedEarly when a server cannot be reached any more to send it the
        rest.
        """
        order = self.order
        assert order is not None, "there is a load to follow"
        load = order.load
        from_ns, until_ns = {
            Phase.WARMUP: (order.start_ns, order.measure_ns),
            Phase.MEASURE: (order.measure_ns, order.end_ns),
        }[phase]
        length_ns = until_ns - from_ns
        interval_ns = load.interval_ns or self.plan.load.interval_ns
        intervals = -(-length_ns // interval_ns) if load.interval_ns else 0
        reached_ns = time.monotonic_ns()
        while (now_ns := time.monotonic_ns()) < until_ns + (self.heard_intervals[phase] < intervals) * LATE_NS:
            if all(w.final is not None for w in self.living()):
                return
            self.hear(min(max(until_ns, now_ns + LATE_NS), now_ns + interval_ns // 4))
            if given_up():
                return
            done_ns = min(max(time.monotonic_ns() - from_ns, 0), length_ns)
            if not load.requests or phase != Phase.MEASURE:
                self.emit(Progress(phase, done_ns, length_ns, done_ns))
                continue
            self.emit(Progress(phase, self.merged(phase).total.ended, load.requests, done_ns, unit="requests"))
            reached_ns = now_ns if not self.without_connection() else reached_ns
            if now_ns - reached_ns > self.plan.wire.connect_timeout_ns + interval_ns:
                [endpoint, *_] = self.without_connection()
                self.failure = self.why_gone(endpoint)
                raise EndedEarly

    def window_ns(self) -> int:
        """How long the newest load's measure window was: to the last worker's end, as far as they have said it."""
        if self.order is None:
            return 0
        ends = [w.final.window_end_ns for w in self.workers if w.final is not None]
        end_ns = max(ends, default=self.order.end_ns)
        return max(0, (min(end_ns, self.stopped_ns) if self.stopped_ns else end_ns) - self.order.measure_ns)

    def end_load(self) -> None:
        """Has a load that goes on end now; `drain` waits for it."""
        self.stopped_ns = self.stopped_ns or time.monotonic_ns()
        self.tell_all(EndLoad())

    def drain(self) -> None:
        """Waits for what is open; not where the stop token is set twice."""
        patience_ns = self.plan.wire.request_timeout_ns + GRACE_NS
        ended_early = self.stop.is_set or bool(self.failure)
        while not self.stop.is_urgent:
            if ended_early:
                self.end_load()
            try:
                self.gather(Drained, patience_ns)
                return
            except EndedEarly:
                ended_early = True

    # ── Reports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell_all(self, order: Order) -> None:
        for process in self.living():
            process.tell(order)

    def living(self) -> list[WorkerProcess]:
        return [w for w in self.workers if w.alive]

    def hear(self, until_ns: int) -> list[tuple[WorkerProcess, Report]]:
        """The next reports, none when the time comes first.

        Raises EndedEarly when the stop token was set, or a worker or the watched server has died, and InternalError
        when a worker came upon a bug.
        """
        self.mourn()
        unfinished = [w for w in self.living() if w.final is None]
        by_pipe: dict[object, WorkerProcess] = {w.pipe: w for w in unfinished}
        timeout = max(0.0, (until_ns - time.monotonic_ns()) / NS_PER_S)
        heard = []
        assert self.alarm is not None, "the crew is at work"
        for ready in wait([*(w.pipe for w in unfinished), self.alarm.fileno()], timeout):
            if ready == self.alarm.fileno():
                self.alarm.heed()
                raise EndedEarly
            process = by_pipe[ready]
            try:
                report = process.pipe.recv()
            except (EOFError, OSError):
                self.bury(process)
                continue
            if isinstance(report, Failed):
                process.last_words = f"failed: {printable(report.words)}"
                if report.traceback:
                    raise InternalError(f"worker {process.index} {process.last_words}", report.traceback)
                continue
            self.note(process, report)
            heard.append((process, report))
            if isinstance(report, IntervalEnded) and not self.failure:
                # Without a precheck, or after it, nothing else says that no request can succeed.
                self.failure = diagnosis.locked_out(self.plan, report.snapshot, report.examples)
                if self.failure:
                    raise EndedEarly
        return heard

    def note(self, process: WorkerProcess, report: Report) -> None:
        process.last[report.phase] = report.snapshot
        process.down = report.down
        self.examples = {**report.examples, **self.examples}
        self.max_rss_bytes = max(self.max_rss_bytes, report.max_rss_bytes)
        match report:
            case Drained():
                process.final = report
                process.last.update(report.finals)
            case IntervalEnded() if not self.stopped_ns:
                self.intervals[report.phase, report.number][process.index] = report
            case _:
                return
        if not self.stopped_ns:
            self.end_intervals()

    def end_intervals(self) -> None:
        """Tells of each interval that every worker has reported, or had nothing left to report in."""
        for (phase, number), reports in sorted(self.intervals.items()):
            others = [w for w in self.workers if w.index not in reports]
            if any(w.final is None for w in others):
                continue
            del self.intervals[phase, number]
            self.heard_intervals[phase] = number
            if self.interval_ended is not None:
                snapshots = [*(r.snapshot for r in reports.values()), *(w.last[phase] for w in others)]
                longest_ns = max(r.length_ns for r in reports.values())
                self.interval_ended(phase, number, longest_ns, sum(snapshots, Snapshot()))

    def bury(self, process: WorkerProcess) -> None:
        """A worker died: the run ends, with what the others count."""
        process.alive = False
        death = process.death()
        if self.phase in (Phase.CONNECT, Phase.PRECHECK, Phase.PREFILL):
            raise WorkerError(f"{death}; nothing had been measured yet.")
        self.failure = self.failure or f"{death}; what it had counted up to its last report is included."
        if self.phase != Phase.DRAIN:
            raise EndedEarly

    def mourn(self) -> None:
        """The watched server died: as with a worker, what it had answered is kept."""
        if self.server is None or self.failure or not (fate := self.server.fate()):
            return
        words = diagnosis.ended(fate, self.server.complaints(), self.server.last_words())
        if self.phase in (Phase.CONNECT, Phase.PRECHECK, Phase.PREFILL):
            raise TargetError(f"{words}; nothing had been measured yet.")
        self.failure = f"{words}."
        if self.phase != Phase.DRAIN:
            raise EndedEarly

    def gather(self, kind: type[Report], patience_ns: int) -> None:
        """Waits for one report of this kind from every living worker; one that stays silent too long is ended."""
        waited_ns, heard = 0, {w.index for w in self.living() if kind is Drained and w.final is not None}
        while missing := [w for w in self.living() if w.index not in heard]:
            if waited_ns >= patience_ns:
                for process in missing:
                    process.kill(f"said nothing for {patience_ns / NS_PER_S:.0f} s, stopped or stuck, and was ended")
                waited_ns = 0
            began_ns = time.monotonic_ns()
            reports = self.hear(began_ns + min(NS_PER_S, patience_ns - waited_ns))
            heard |= {process.index for process, report in reports if isinstance(report, kind)}
            # At most the second that was asked for: while this process is stopped (Ctrl-Z), so are the workers.
            waited_ns += min(time.monotonic_ns() - began_ns, NS_PER_S)

    def pause(self, seconds: float) -> None:
        until_ns = time.monotonic_ns() + int(seconds * NS_PER_S)
        while time.monotonic_ns() < until_ns:
            self.hear(until_ns)
