"""The leader of a soak: puts its loads on, one after the other, with monitors beside them, and keeps what happens.

It decides nothing: the journal says what is new and what the verdict is. Settling comes first; where no rate is given,
its first half finds one, in a closed loop. The soak itself is one load, and another after each pause, when connections
are replaced (`--compress`), and for each extension. The soak's clock stands still between loads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from loadgen.errors import TargetError
from loadgen.events import Event, Overall, Part, PhaseBegan, Progress
from loadgen.judge import verdict as numbers
from loadgen.judge.judging import Judging
from loadgen.monitors.board import Board
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.plan import Plan, Segment
from loadgen.reason import Code, Reason
from loadgen.runner.crew import Crew
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.intervals import Interval
from loadgen.runner.load import Counted
from loadgen.runner.member import MakeMember
from loadgen.runner.stop import NEVER, Stop
from loadgen.signs import Signs
from loadgen.snapshot import Snapshot
from loadgen.soak import totals
from loadgen.soak.asked import Asked
from loadgen.soak.diary import Diary
from loadgen.soak.ended import Noted, SoakBegan, SoakEnded
from loadgen.soak.folder import RunFolder
from loadgen.soak.found import End, How
from loadgen.soak.go import Go
from loadgen.soak.journal import Journal
from loadgen.units import NS_PER_S
from loadgen.usage import WatchedServer
from loadgen.worker.process import WorkerProcess

RATE_SHARE = 0.3
"""A soak without a rate gets this share of what settling reached: a server at its limit only shows its limit."""

ARRIVAL = "poisson"
"""The arrivals at a rate that settling has found."""

_LONGEST_PAUSE_S = 0.25
_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the loads of a soak are put on."""

    closed: bool = False
    """A closed loop, where the plan has no rate."""
    stop_at_no_go: bool = False
    """A no-go ends the soak, and does not pause it."""


class Soak(Diary):
    """One soak. `emit` receives all events but the last, which `ended` returns.

    `plan` has the addresses of servers that answer; `server` is the server under load, if it is watched. `open_folder`
    is called when the soak begins to settle, at this Unix time, and returns its run folder.
    """

    def __init__(
        self,
        plan: Plan,
        asked: Asked,
        wanted: Wanted,
        emit: Callable[[Event], None],
        *,
        board: Board,
        open_folder: Callable[[float], RunFolder],
        judging: Judging,
        version: str,
        host: str,
        target: str,
        server: WatchedServer | None = None,
        stop: Stop = NEVER,
        go: Go | None = None,
        against: Journal | None = None,
        notes: tuple[Reason, ...] = (),
        make_member: MakeMember = WorkerProcess,
    ) -> None:
        super().__init__(
            asked,
            emit,
            board=board,
            open_folder=open_folder,
            version=version,
            host=host,
            target=target,
            go=go,
            against=against,
        )
        self.notes = notes
        self.plan = plan
        self.wanted = wanted
        self.judging = judging
        self.stop = stop
        self.crew = Crew(plan, self.pass_on, make_member=make_member, server=server, stop=stop)
        self.load_columns = tuple(column for column in asked.series if asked.of_load(column))
        self.rate_per_s = plan.load.rate_per_s
        self.arrival = plan.load.arrival if plan.load.open_loop else ARRIVAL
        self.offset_s = -asked.schedule.settle_s
        """The time of the soak at which the load under way began."""
        self.counted_from = Snapshot()
        """What the load under way had counted at the last sample."""
        self.sampled_s = 0.0
        """The seconds of the load under way at the last sample."""
        self.before = Snapshot()
        """What the soak's earlier loads counted."""
        self.before_ns = 0
        self.now = Snapshot()
        self.opened = 0
        """Connections that were opened so far, before the load under way; those of settling are left out."""
        self.signs = Signs()
        """The signs of the soak's earlier loads together."""
        self.length_s = 0.0
        """The length of the load under way."""

    # ── The course ────────────────────────────────────────────────────────────────────────────────────────────────────

    def ended(self, load_in_words: Callable[[float], str]) -> SoakEnded:
        """Soak to the end or to an early end, and return the last event.

        Raises TargetError or WorkerError when there is nothing to soak: no worker, no connection, no prefill.
        """
        crew = self.crew
        try:
            with crew.at_work():
                try:
                    crew.connect()
                    if self.plan.workload.prefill:
                        crew.prefill()
                    self.opened = self.greeted
                    self.began_wall_s = time.time()
                    self.folder = self.open_folder(self.began_wall_s)
                    self.tell(self.began(load_in_words))
                    self.settle()
                    self.tell_load(load_in_words)
                    self.soak()
                except EndedEarly:
                    crew.drain()
                return self.sum_up()
        finally:
            self.captures.close(0.0)

    def began(self, load_in_words: Callable[[float], str]) -> SoakBegan:
        found = load_in_words(self.rate_per_s if self.plan.load.open_loop or self.wanted.closed else -1.0)
        return SoakBegan(self.asked, self.version, self.folder_name, self.target, found, self.began_wall_s)

    def settle(self) -> None:
        """Load until caches, buffers and pools are filled; find the rate of the soak where none is given."""
        left_s = self.asked.schedule.settle_s
        if left_s <= 0:
            return
        if not (self.plan.load.open_loop or self.wanted.closed):
            counted = self.put_on(left_s / 2, 0.0)
            reached = counted.measured.ok_in_time * NS_PER_S / counted.length_ns if counted.length_ns else 0.0
            self.rate_per_s = RATE_SHARE * reached
            if counted.ended_early or self.ends:
                return
            if not reached:
                raise TargetError("the server answered nothing while the soak settled, so it has no rate to soak at.")
            left_s /= 2
        self.put_on(left_s, self.rate_per_s)
        self.captures.ask("the baseline")

    def tell_load(self, load_in_words: Callable[[float], str]) -> None:
        self.load_words = "" if self.plan.load.open_loop else load_in_words(self.rate_per_s)

    def soak(self) -> None:
        self.state = "soaking"
        self.offset_s = 0.0
        while not self.ends:
            left_s = self.journal.asked.schedule.duration_s - self.offset_s
            if left_s <= _SLACK_S:
                if not self.extend():
                    return
                continue
            length_s = left_s
            if self.asked.wear.is_faster:
                length_s = min(left_s, self.asked.schedule.checkpoint_s / self.asked.wear.times)
            counted = self.put_on(length_s, self.rate_per_s)
            self.signs = together(self.signs, self.before_ns, Signs(counted.signs, counted.host), counted.length_ns)
            self.before += counted.measured
            self.before_ns += counted.length_ns
            self.now = Snapshot()
            if counted.ended_early or self.ends:
                return
            if self.no_go:
                if self.wanted.stop_at_no_go:
                    return
                self.offset_s += counted.length_ns / NS_PER_S
                self.pause()
            else:
                self.offset_s += length_s

    def extend(self) -> bool:
        """Go on for as long again, up to `at_most_s`, when that may tell what cannot be told; return True then."""
        schedule = self.journal.asked.schedule
        why = self.journal.undecided() if schedule.duration_s < schedule.at_most_s - _SLACK_S else ""
        if not why:
            return False
        longer_s = min(schedule.duration_s + self.asked.schedule.duration_s, schedule.at_most_s)
        self.journal.extended(longer_s)
        self.note(
            Noted.EXTENDED, f"extended from {schedule.duration_s:g}s to {longer_s:g}s: {why}", duration_s=longer_s
        )
        return True

    def pause(self) -> None:
        """Wait without load until the signal says go."""
        began_ns = time.monotonic_ns()
        self.state = "paused"
        self.note(Noted.PAUSE, f"paused: {self.no_go}")
        while not self.ends:
            may_go, why = self.go.may_go()
            if may_go:
                break
            self.no_go = why
            self.crew.pause(_LONGEST_PAUSE_S)
            self.take_news(keep=False)
            self.beat()
        self.no_go = ""
        length_s = (time.monotonic_ns() - began_ns) / NS_PER_S
        self.journal.paused(length_s)
        self.state = "soaking"
        self.note(
            Noted.RESUME, f"resumed after {length_s:.1f}s, which are in no judgement", length_s=round(length_s, 3)
        )

    @property
    def ends(self) -> bool:
        """True when the soak cannot go on, or is not to."""
        return bool(self.broken or self.crew.failure or self.stop.is_set)

    # ── One load ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def put_on(self, length_s: float, rate_per_s: float) -> Counted:
        """Put a load on for this long, at a rate or, for 0, in a closed loop."""
        length_ns = max(1, round(length_s * NS_PER_S))
        if self.crew.load is not None:
            self.open_connections()
        self.counted_from, self.sampled_s, self.length_s = Snapshot(), 0.0, length_s
        load = replace(
            self.plan.load,
            warmup_ns=0,
            duration_ns=length_ns,
            interval_ns=self.interval_ns,
            profile=(Segment(length_ns, rate_per_s, rate_per_s),) if rate_per_s else (),
            arrival=self.arrival if rate_per_s else "constant",
            requests=0,
            phases=(),
        )
        counted = self.crew.put_on(load, interval_ended=self.interval_ended, enough=self.enough)
        self.opened += counted.measured.connections.opened if self.state == "soaking" else 0
        if self.state == "settling":
            self.offset_s += length_s
        return counted

    def open_connections(self) -> None:
        """Open the connections that are down, or all anew where they wear faster, between two loads."""
        before = self.greeted
        self.crew.connections.open(fresh=self.asked.wear.is_faster)
        self.opened += self.greeted - before if self.state == "soaking" else 0

    @property
    def greeted(self) -> int:
        """How many connections were opened before loads."""
        return self.crew.merged(Phase.PRECHECK).connections.opened

    @property
    def interval_ns(self) -> int:
        """The time between two reports of a worker: a whole part of that between two samples, and 1 s at most."""
        every_ns = round(self.asked.schedule.every_s * NS_PER_S)
        return every_ns // math.ceil(every_ns / NS_PER_S)

    def interval_ended(self, ended: Interval) -> None:
        """Take a sample when one is due, and at the end of the load."""
        if ended.phase != Phase.MEASURE or self.broken:
            return
        at_s = ((ended.number - 1) * self.interval_ns + ended.length_ns) / NS_PER_S
        load_ends = ended.length_ns < self.interval_ns or at_s >= self.length_s - _SLACK_S
        if at_s - self.sampled_s < self.asked.schedule.every_s - _SLACK_S and not load_ends:
            return
        counted, length_s = ended.so_far - self.counted_from, at_s - self.sampled_s
        self.counted_from, self.sampled_s, self.now = ended.so_far, at_s, ended.so_far
        values = self.take_news(keep=True)
        values |= totals.sample(self.load_columns, counted, round(length_s * NS_PER_S))
        self.sample(self.offset_s + at_s, values, self.before_ns + round(at_s * NS_PER_S))

    def count(self, length_ns: int) -> None:
        self.journal.totals(totals.totals(self.before + self.now, length_ns, self.opened_so_far, self.judging.slo))

    @property
    def opened_so_far(self) -> int:
        return self.opened + self.now.connections.opened

    def enough(self) -> bool:
        """Beat, and return True when the load under way is to end: for a no-go, or as nothing can be kept any more."""
        self.beat()
        if self.state == "soaking":
            may_go, why = self.go.may_go()
            self.no_go = "" if may_go else why or "no-go"
        return bool(self.broken or self.no_go)

    def pass_on(self, event: Event) -> None:
        """Emit an event of the crew: progress with the part of the soak that it is in, no phases of single loads."""
        if isinstance(event, PhaseBegan) and event.phase in (*OF_A_LOAD, Phase.DRAIN):
            return
        if isinstance(event, Progress) and event.phase in OF_A_LOAD:
            event = self.progress(event)
        self.tell(event)

    def progress(self, event: Progress) -> Progress:
        schedule = self.journal.asked.schedule
        at_s = self.offset_s + event.elapsed_ns / NS_PER_S
        if self.state == "settling":
            at_s, length_s = at_s + schedule.settle_s, schedule.settle_s
            parts: tuple[Part, ...] = ()
        else:
            length_s = schedule.duration_s
            parts = (Part("checkpoint", min(schedule.due(0, at_s) + 1, schedule.checkpoints), schedule.checkpoints),)
        left_ns = round(max(0.0, length_s - at_s) * NS_PER_S)
        done_ns, total_ns = round(at_s * NS_PER_S), round(length_s * NS_PER_S)
        return replace(
            event,
            phase="settling" if self.state == "settling" else "soak",
            done=min(done_ns, total_ns),
            total=total_ns,
            elapsed_ns=done_ns,
            overall=Overall(parts, left_ns) if parts else None,
        )

    # ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def sum_up(self) -> SoakEnded:
        if self.before_ns:
            self.now = Snapshot()
            self.count(self.before_ns)
        return self.summed_up((*self.notes, *self.crew.notes, *self.doubts()))

    def end(self) -> End:
        t_s = max(0.0, self.journal.t_s)
        if self.broken:
            return End(How.FAILED, t_s, self.broken)
        if self.crew.failure:
            [reason, *_] = self.crew.failure.reasons
            how = How.FAILED if reason.code is Code.WORKER_DIED else How.CRASHED
            return End(how, t_s, reason.words.rstrip("."))
        if self.stop.is_set:
            return End(How.INTERRUPTED, t_s, "it was interrupted")
        if self.no_go:
            return End(How.STOPPED, t_s, f"no-go: {self.no_go}")
        return End(How.COMPLETE, t_s)

    def doubts(self) -> list[Reason]:
        """Return what the generator itself did to the numbers, as remarks: growth is not measured by response times."""
        if not self.before_ns:
            return []
        judged = numbers.judge(
            self.judging.limits,
            self.before,
            self.signs,
            open_loop=bool(self.rate_per_s),
            spin=self.plan.wire.spin,
            duration_ns=self.before_ns,
        )
        return [Reason(reason.code, reason.words) for reason in (*judged.reasons, *judged.notes)]


def together(before: Signs, before_ns: int, signs: Signs, length_ns: int) -> Signs:
    """Return the signs of earlier loads and of one more, which lasted for `length_ns` after `before_ns` of theirs."""
    workers = {each.index: each for each in before.workers}
    for each in signs.workers:
        workers[each.index] = workers[each.index] + each if each.index in workers else each
    lengths = ((before.host.steal_share, before_ns), (signs.host.steal_share, length_ns))
    known = [(share, ns) for share, ns in lengths if share is not None and ns]
    steal = sum(share * ns for share, ns in known) / sum(ns for _, ns in known) if known else None
    return Signs(tuple(workers.values()), replace(signs.host, steal_share=steal))


def settle_s(duration_s: float) -> float:
    """Return how long a soak of this length settles: a tenth of it, 30 s at most."""
    return min(30.0, duration_s / 10)
