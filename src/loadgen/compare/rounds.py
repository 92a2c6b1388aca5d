"""Rounds of a comparison on real servers: restarted, filled alike, and loaded in slices that mirror each other in time.

This file decides nothing and prints nothing: `contest` evaluates the rounds and decides when to stop.

A round is the unit of comparison, because the accidents of a server's start (the layout of its memory, its place in
caches) last as long as the process. Within a round, the candidates have their slices in an order and then in the
reverse, ABBA or BAAB, again and again, so that a linear drift of the machine affects all candidates alike. Slices are
short and many: other activity on a machine comes and goes slowly, so it affects neighbouring slices alike.

While one candidate is measured, the others run and are idle. When an idle candidate uses a CPU all the same, each
candidate has its part of the round for itself from then on.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from loadgen.compare import stretch
from loadgen.compare.candidate import Candidate
from loadgen.compare.histories import Histories, refuse_shared
from loadgen.compare.metric import METRICS
from loadgen.compare.round import Round
from loadgen.compare.settings import Awake, ComparisonSettings, Idle
from loadgen.compare.stretch import CLOSED, OPEN, Stretch
from loadgen.errors import LoadgenError, TargetError
from loadgen.events import Event, Overall, Part, Progress
from loadgen.host import awake, machine
from loadgen.judge import failures
from loadgen.judge.verdict import VerdictLimits
from loadgen.monitors.plan import MonitorPlan
from loadgen.overload import of_window
from loadgen.phase import OF_A_LOAD
from loadgen.plan import Plan, Segment
from loadgen.reason import Code, Reason
from loadgen.runner import beside
from loadgen.runner.beside import Beside
from loadgen.runner.crew import START_AHEAD_NS, Crew
from loadgen.runner.discovery import placed
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.processes import WorkerProcesses
from loadgen.runner.stop import NEVER, Stop
from loadgen.snapshot import Snapshot
from loadgen.target.process import ProcessTree
from loadgen.target.servers import Servers
from loadgen.target.talk.identity import identify
from loadgen.units import NS_PER_S
from loadgen.usage import StartedServer

# The share of a CPU beyond which an idle candidate disturbs the measured one.
MOST_IDLE_CPU = 0.01

# Before the first round's slices, the CPU use of candidates without load is read over this time, and this often while a
# candidate is not at rest: a server may still have work left from its prefill.
REST_S = 0.2
REST_READINGS = 8

# The most of a CPU that a worker may use. Work comes in bursts: a busier worker is itself late in too many of them.
MOST_BUSY = 0.5
RATE_LOOKS = 5

# The largest difference of hit rates, as a share of GETs.
MOST_HITS_APART = 0.01

# The largest share of unfinished requests in a slice: a failure has no response time.
MOST_UNFINISHED = 0.001


AGAIN = 3
"""One in this many slices of a round may be measured again."""


class Interrupted(Exception):
    """The stop token was set: the current round is discarded."""


class RequestsFailed(TargetError):
    """Too many requests of a slice failed for the rest to be comparable."""


class Spinning(Exception):
    """A candidate that should be idle uses a CPU; the text says which candidate, and how much."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A candidate that takes part in rounds."""

    candidate: Candidate
    plan: Plan
    """The load on the candidate. The address of a server that is started for each round is put in then."""
    servers: Servers
    """A server of our own is started for each round, and watched; a given server is neither restarted nor watched."""
    limits: VerdictLimits
    """The limits on the generator's own influence, and on failed requests and connections."""
    monitors: tuple[MonitorPlan, ...] = ()
    """What is read beside the candidate's load, and beside that of the others while it is idle."""


@dataclass(slots=True)
class Contender:
    """One contestant within a round: its server, its workers, and the counts of its slices."""

    contestant: Contestant
    server: StartedServer | None
    plan: Plan
    crew: Crew
    workers: WorkerProcesses
    beside: Beside | None = None
    """Its monitors."""
    stretches: dict[str, Stretch] = field(default_factory=dict)
    """By loop, all slices merged."""
    idle_cpu_ns: int = 0
    """The server's CPU time while others were measured."""
    idle_ns: int = 0
    rss_bytes: int = 0
    was_stopped: bool = False
    """True when SIGSTOP has stopped the server, so as to use no CPU while another was measured."""

    @property
    def name(self) -> str:
        return self.contestant.candidate.name

    @property
    def limits(self) -> VerdictLimits:
        return self.contestant.limits

    def add(self, loop: str, taken: Stretch) -> None:
        self.stretches[loop] = self.stretches[loop] + taken if loop in self.stretches else taken

    def usage_ns(self) -> int:
        """Return the CPU time of the server and the workers until now, as far as it is known."""
        workers = [ProcessTree(worker.pid).usage() for worker in self.workers.made]
        server = self.server.usage() if self.server is not None else None
        return sum(usage.cpu_ns for usage in (*workers, server) if usage is not None)


class Rounds:
    """Rounds of the contestants, one for each call of `next`. `emit` receives progress and what monitors read.

    Raises TargetError or WorkerError when a candidate cannot be measured, Interrupted when `stop` is set; UsageError or
    OutputError, when it is made, where histories cannot be kept as they are wanted.
    """

    def __init__(
        self,
        contestants: Sequence[Contestant],
        settings: ComparisonSettings,
        seed: int,
        emit: Callable[[Event], None],
        *,
        stop: Stop = NEVER,
    ) -> None:
        self.contestants = contestants
        self.settings = settings
        self.emit = emit
        self.stop = stop
        self.random = random.Random(seed)
        self.number = 0
        self.alone = settings.idle is Idle.ALONE
        """True when each candidate has its part of a round for itself."""
        self.at_rest = False
        """True when idle candidates have been found to use hardly any CPU."""
        self.rate_per_s = settings.rate_per_s
        """The rate of the open-loop slices; if not given, found on the first contestant before the first round."""
        self.identities: list[str] = [contestant.candidate.identity for contestant in contestants]
        self.notes: dict[str, Code] = {}
        """Remarks on the rounds so far, each once, by their words."""
        self.started: dict[int, Contender] = {}
        """The contenders that are up, by place."""
        plans = [each.plan for each in contestants]
        refuse_shared([(each.candidate.name, each.plan) for each in contestants if each.candidate.kind == "endpoint"])
        self.histories = Histories(plans)
        if self.histories.folder:
            words = f"the histories of all rounds are in {self.histories.folder}; loadgen check judges each file"
            self.notes[words] = Code.HISTORIES_KEPT
        judged = [METRICS[name] for name in settings.thresholds]
        self.loops = [loop for loop in (CLOSED, OPEN) if any(metric.loop == loop for metric in judged)] or [CLOSED]
        self.course = Turns(settings, len(self.loops) * len(contestants))

    def next(self) -> Round:
        """Run the next round. A round in which too many requests failed is run again, once."""
        if OPEN in self.loops and not self.rate_per_s:
            try:
                self.rate_per_s = self.fitting_rate_per_s()
            except RequestsFailed as failed:
                first = self.contestants[0].candidate.name
                self.notes[f"what {first} can do was measured again: {failed}".rstrip(".")] = Code.MEASURED_AGAIN
                self.rate_per_s = self.fitting_rate_per_s()
        self.number += 1
        again = False
        while True:
            self.course.begin(self.number)
            try:
                return self.round()
            except Spinning as spinning:
                self.alone = True
                words = f"{spinning}; each candidate was run alone in its part of the round instead"
                self.notes[words] = Code.RAN_ALONE
            except RequestsFailed as failed:
                if again:
                    raise
                again = True
                self.notes[f"round {self.number} was run again: {failed}".rstrip(".")] = Code.MEASURED_AGAIN

    def round(self) -> Round:
        order: list[int] = []
        contenders: dict[int, Contender] = {}
        for places, turns in self.parts():
            with self.contenders(places) as started:
                self.check_at_rest(started)
                for loop in self.loops:
                    for place in turns:
                        self.slice(started, started[place], loop)
                self.observe_servers(started)
                contenders |= started
                order += turns
        in_order = [contenders[place] for place in range(len(self.contestants))]
        self.compare_hits(in_order)
        late = tuple(self.late(contender) for contender in in_order)
        values = [stretch.values(contender.stretches, contender.rss_bytes) for contender in in_order]
        return Round(
            self.number,
            tuple(order),
            tuple({n: v for n, v in own.items() if n not in out} for own, out in zip(values, late, strict=True)),
            doubts=tuple(doubt for contender in in_order for doubt in self.doubts(contender)),
            late=late if any(late) else (),
            repeated=self.course.repeated,
            took_s=self.course.end(),
        )

    def parts(self) -> list[tuple[list[int], list[int]]]:
        """Return the parts of a round: the candidates in the order of their start, and the candidate of each slice."""
        everybody = range(len(self.contestants))
        if self.alone:
            return [
                ([place], [place] * self.settings.slices) for place in self.random.sample(everybody, len(everybody))
            ]
        turns: list[int] = []
        for _ in range(self.settings.slices // 2):
            there = self.random.sample(everybody, len(everybody))
            turns += [*there, *reversed(there)]
        return [(self.random.sample(everybody, len(everybody)), turns)]

    def fitting_rate_per_s(self) -> float:
        """Return `load_share` of the first contestant's throughput, or less if workers would use over half of a CPU."""
        with self.contenders([0]) as contenders:
            contender = contenders[0]
            for _ in range(self.settings.slices):
                self.slice(contenders, contender, CLOSED)
            values = stretch.values(contender.stretches, 0)
            if "throughput" not in values:
                raise TargetError(f"{contender.name} answered nothing within its slices: make them longer (--slice).")
            asked_per_s = rate_per_s = values["throughput"] * self.settings.load_share
            if contender.plan.wire.spin:
                return asked_per_s  # A worker that polls is always busy.
            for _ in range(RATE_LOOKS):
                busy = self.measure(contenders, contender, rate_per_s).busy
                if busy <= MOST_BUSY:
                    break
                # At a lower rate, requests share fewer system calls, and each request costs more.
                rate_per_s *= MOST_BUSY / busy
            if rate_per_s < asked_per_s:
                self.notes[
                    f"response times are compared at {rate_per_s:,.0f} req/s, and not at {asked_per_s:,.0f} "
                    f"({self.settings.load_share:.3g} of what {contender.name} reaches): a worker would be busy for "
                    "more than half of the time, and late itself"
                ] = Code.RATE_LOWERED
            return rate_per_s

    # ── Servers and crews ───────────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def contenders(self, places: Sequence[int]) -> Iterator[dict[int, Contender]]:
        """Start the contestants at these places in this order, connect and fill them, and yield them by place.

        Raises Interrupted when the stop token was set in the meantime.
        """
        contenders = self.started = dict[int, Contender]()
        with contextlib.ExitStack() as stack:
            for place in places:
                contenders[place] = self.start(place, stack)
            try:
                for contender in contenders.values():
                    self.pause_others(contender, contenders)
                    stack.enter_context(contender.crew.at_work())
                    contender.crew.connect()
                    if contender.plan.workload.prefill:
                        contender.crew.prefill()
                if stack.enter_context(awake.kept(self.to_keep_awake(contenders))):
                    words = "CPUs are kept from sleeping while servers are measured; to change that, set awake"
                    self.notes[words] = Code.KEPT_AWAKE
                yield contenders
                self.tell_news()
                self.note_monitors(contenders)
            except EndedEarly:
                raise self.stopped(contenders) from None
            finally:
                for contender in contenders.values():
                    if contender.server is not None:
                        contender.server.resume()
            if self.stop.is_set:
                raise Interrupted

    def to_keep_awake(self, contenders: dict[int, Contender]) -> list[int]:
        """Return the CPUs to keep from sleeping: the CPUs that workers and servers are pinned to."""
        if self.settings.awake is Awake.NEVER or (self.settings.awake is Awake.VM and not machine.is_virtual()):
            return []
        cpus = {
            worker.cpu
            for contender in contenders.values()
            for worker in contender.plan.workers
            if worker.cpu is not None
        }
        cpus |= {cpu for contender in contenders.values() for cpu in contender.contestant.servers.cpus}
        return sorted(cpus)

    def start(self, place: int, stack: contextlib.ExitStack) -> Contender:
        contestant = self.contestants[place]
        up = stack.enter_context(contestant.servers.up(self.emitter(contestant.candidate)))
        plan = placed(contestant.plan.at(*up.endpoints))
        plan = self.histories.of_round(plan, place, contestant.candidate.name, self.number)
        if not self.identities[place]:
            self.identities[place] = identify(plan.target)
        workers, tell = WorkerProcesses(), self.emitter(contestant.candidate)
        crew = Crew(plan, tell, members=workers, server=up.server, stop=self.stop)
        board = stack.enter_context(beside.opened(contestant.monitors, plan.target, up.server))
        monitors = Beside(board, target=contestant.candidate.name) if board is not None else None
        return Contender(contestant, up.server, plan, crew, workers, monitors)

    def emitter(self, candidate: Candidate) -> Callable[[Event], None]:
        def tell(event: Event) -> None:
            self.tell_news()
            if isinstance(event, Progress):
                self.emit(replace(event, overall=self.course.overall(), target=candidate.name))

        return tell

    def tell_news(self) -> None:
        """Emit what the monitors of all contenders have read since the last time, in order of time."""
        besides = [contender.beside for contender in self.started.values() if contender.beside is not None]
        for news in sorted((each for one in besides for each in one.news()), key=lambda each: each.at_ns):
            self.emit(news)

    def note_monitors(self, contenders: dict[int, Contender]) -> None:
        """Note which monitors had no reading in a part of a round, or read several processes."""
        for _, contender in sorted(contenders.items()):
            for reason in beside.notes(contender.beside.reports() if contender.beside is not None else ()):
                self.notes[f"{contender.name}: {reason.words}"] = reason.code

    def pause_others(self, chosen: Contender, contenders: dict[int, Contender]) -> None:
        """If idle servers are to be stopped, stop the servers of all other contenders, and resume the chosen one's."""
        if self.settings.idle is not Idle.STOP:
            return
        for contender in contenders.values():
            if contender.server is None:
                continue
            if contender is chosen:
                contender.server.resume()
            else:
                contender.server.pause()
                contender.was_stopped = True

    def check_at_rest(self, contenders: dict[int, Contender]) -> None:
        """Raise Spinning when a server uses a CPU without load, before any slice."""
        watched = [contender for contender in contenders.values() if contender.server is not None]
        if self.at_rest or self.settings.idle is not Idle.RUN or len(contenders) == 1:
            return
        busy = dict[str, float]()
        for _ in range(REST_READINGS):
            before = [contender.server.usage() for contender in watched if contender.server is not None]
            watched[0].crew.pause(REST_S) if watched else None
            after = [contender.server.usage() for contender in watched if contender.server is not None]
            used = [
                (contender.name, (now - then).cpu_share)
                for contender, then, now in zip(watched, before, after, strict=True)
                if now is not None and then is not None
            ]
            busy = {name: share for name, share in used if share > MOST_IDLE_CPU}
            if not busy:
                self.at_rest = True
                return
        raise Spinning(_spinning(busy))

    def observe_servers(self, contenders: dict[int, Contender]) -> None:
        """Record the servers' memory when their slices are over, and check the servers.

        Raises TargetError when a server was restarted, Spinning when a server was not idle.
        """
        for contender in contenders.values():
            self.pause_others(contender, contenders)
            if contender.server is None:
                continue
            if contender.server.restarted():
                raise TargetError(f"{contender.name} was restarted while load was on it: another process answers now.")
            if (usage := contender.server.usage()) is not None:
                contender.rss_bytes = usage.rss_bytes
        shares = {s.name: s.idle_cpu_ns / s.idle_ns for s in contenders.values() if s.idle_ns}
        busy = {name: share for name, share in shares.items() if share > MOST_IDLE_CPU}
        if busy and self.settings.idle is Idle.RUN:
            raise Spinning(_spinning(busy))
        if busy:
            self.notes[f"{_spinning(busy)}, although it had been stopped"] = Code.IDLE_BUSY

    # ── Load ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def slice(self, contenders: dict[int, Contender], contender: Contender, loop: str) -> None:
        """Measure a slice of load on one contender, and add it to the others. Repeat it if the host took a CPU away.

        One in AGAIN of a round's slices is measured again at most.
        """
        self.course.slices += 1
        rate_per_s = self.rate_per_s if loop == OPEN else 0.0
        taken = self.measure(contenders, contender, rate_per_s)
        while (
            stretch.is_spoilt(contender.limits, taken, loop, spin=contender.plan.wire.spin) and self.course.may_repeat()
        ):
            self.course.repeated += 1
            taken = stretch.better(taken, self.measure(contenders, contender, rate_per_s), loop)
        contender.add(loop, taken)

    def measure(self, contenders: dict[int, Contender], contender: Contender, rate_per_s: float) -> Stretch:
        """Put load on one contender while the others are idle: at a rate, or in a closed loop when the rate is 0."""
        length_ns, crew = self.settings.slice_ns, contender.crew
        others = [other for other in contenders.values() if other is not contender]
        self.pause_others(contender, contenders)
        if crew.load is not None:
            crew.connections.open()
        self.check_connected(contender)
        load = replace(
            contender.plan.load,
            warmup_ns=self.settings.settle_ns,
            duration_ns=length_ns,
            interval_ns=0,
            profile=(Segment(length_ns, rate_per_s, rate_per_s),) if rate_per_s else (),
            requests=0,
        )
        began_ns, own_ns = time.monotonic_ns(), time.process_time_ns()
        before = contender.server.usage() if contender.server is not None else None
        idle_before = [(other.usage_ns(), other.server.usage() if other.server else None) for other in others]
        counted = crew.put_on(load)
        if counted.ended_early:
            raise EndedEarly
        after = contender.server.usage() if contender.server is not None else None
        own = {"loadgen's front end": time.process_time_ns() - own_ns}
        for other, (then_ns, then) in zip(others, idle_before, strict=True):
            own[f"idle {other.name}"] = other.usage_ns() - then_ns
            now = other.server.usage() if other.server is not None else None
            if now is not None and then is not None:
                other.idle_cpu_ns += (now - then).cpu_ns
                other.idle_ns += time.monotonic_ns() - began_ns
        self.check_answers(contender, counted.measured)
        return Stretch(
            counted.measured,
            length_ns,
            sent=sum(counted.phases[phase].sent for phase in OF_A_LOAD),
            cpu_ns=(after - before).cpu_ns if before is not None and after is not None else None,
            workers=counted.signs,
            own_cpu_ns=own,
        )

    # ── Checks ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def late(self, contender: Contender) -> tuple[str, ...]:
        if OPEN not in contender.stretches:
            return ()
        return stretch.late_metrics(contender.limits, contender.stretches[OPEN], spin=contender.plan.wire.spin)

    def doubts(self, contender: Contender) -> list[Reason]:
        """Return why a contender's latency in this round is in part the generator's, one sentence each."""
        if OPEN not in contender.stretches:
            return []
        stretch_of_all = contender.stretches[OPEN]
        account = of_window(stretch_of_all.measured, stretch_of_all.length_ns, load_ns=self.settings.slice_ns)
        if account.named:
            self.notes[
                f"{contender.name} was overloaded at this rate, so its response times depend on the length of a slice; "
                "compare at a lower rate"
            ] = Code.OVERLOADED
        reasons = stretch.reasons(contender.limits, contender.stretches[OPEN], spin=contender.plan.wire.spin)
        return [replace(reason, words=f"{contender.name}: {reason.words}") for reason in reasons]

    def compare_hits(self, contenders: Sequence[Contender]) -> None:
        """Note when hit rates differ: a miss is quicker than a hit."""
        merged = [
            sum((s.measured for s in contender.stretches.values()), Snapshot()).hit_rate for contender in contenders
        ]
        rates = [rate for rate in merged if rate is not None]
        if rates and max(rates) - min(rates) > MOST_HITS_APART:
            words = "hit rates differ by more than 1 %, and a miss is quicker than a hit: the work differs"
            self.notes[words] = Code.HIT_RATES_DIFFER

    def check_connected(self, contender: Contender) -> None:
        """Raise TargetError when more connections are missing than allowed: fewer connections are another load."""
        crew, connections = contender.crew, contender.crew.connections
        if any(connections.down()):
            connections.reopen()
        for endpoint in connections.without()[:1]:
            raise TargetError(f"{contender.name}: {connections.why_gone(endpoint)}")
        allowed, asked = contender.limits.connections, contender.plan.wire.connections
        if allowed is not None and (missing := sum(connections.down())) > allowed * asked:
            why = f" ({'; '.join(note.words for note in crew.notes)})" if crew.notes else ""
            raise TargetError(f"{contender.name}: {missing} of {asked} connections were not there{why}.")

    def check_answers(self, contender: Contender, measured: Snapshot) -> None:
        """Raise RequestsFailed when too many requests failed, or stayed open, for the rest to be comparable."""
        limit, total = contender.limits.failures, measured.total
        if words := failures.of_requests((measured,), limit, contender.crew.examples):
            raise RequestsFailed(
                f"{contender.name}: {words}; its figures are not comparable{failures.accepting(total)}."
            )
        if total.unfinished > MOST_UNFINISHED * total.planned:
            raise RequestsFailed(
                f"{contender.name}: {total.unfinished:,} of {total.planned:,} requests were still open when the drain "
                "ended, so its figures are not comparable; lower the rate (--rate)."
            )

    def stopped(self, contenders: dict[int, Contender]) -> LoadgenError | Interrupted:
        """Return the exception for a round that ended early."""
        for contender in contenders.values():
            for ended in contender.crew.failure.reasons:
                hint = (
                    ' It had been stopped and resumed (compare.idle = "stop"), which some servers take for an error '
                    '(EINTR): leave idle at "run".'
                    if contender.was_stopped and contender.server is not None and contender.server.exit_report()
                    else ""
                )
                return TargetError(f"{contender.name}: {ended.words}{hint}")
        return Interrupted()


class Turns:
    """The progress of the rounds, and the budget of slices that may be measured again."""

    def __init__(self, settings: ComparisonSettings, turns: int) -> None:
        self.settings = settings
        self.total = turns * settings.slices
        """The number of slices in a round."""
        self.number = self.slices = self.repeated = 0
        self.began_ns = time.monotonic_ns()
        self.longest_ns = 0
        """The longest round so far."""

    def begin(self, number: int) -> None:
        self.number, self.slices, self.repeated = number, 0, 0
        self.began_ns = time.monotonic_ns()

    def end(self) -> float:
        """End the round, and return the time it took, in seconds."""
        took_ns = time.monotonic_ns() - self.began_ns
        self.longest_ns = max(self.longest_ns, took_ns)
        return took_ns / NS_PER_S

    def may_repeat(self) -> bool:
        return self.number > 0 and self.repeated < self.total // AGAIN

    def overall(self) -> Overall:
        """Return the progress, with the time left once the first round has begun."""
        rounds = Part("round", max(1, self.number), self.settings.max_rounds)
        if not self.number:
            return Overall((rounds,))
        return Overall((rounds, Part("slice", min(max(1, self.slices), self.total), self.total)), self.left_ns())

    def left_ns(self) -> int:
        """Return the time left if all allowed rounds run, by the longest round so far or the sum of its slices."""
        spent_ns = time.monotonic_ns() - self.began_ns
        own = self.settings
        round_ns = max(self.longest_ns, self.total * (own.settle_ns + own.slice_ns + START_AHEAD_NS))
        return max(0, round_ns - spent_ns) + (own.max_rounds - self.number) * round_ns


def _spinning(busy: dict[str, float]) -> str:
    """Return words such as "mio used 100 % of a CPU while idle"."""
    listed = " and ".join(f"{name} used {100 * share:.3g} %" for name, share in busy.items())
    return f"{listed} of a CPU while idle"
