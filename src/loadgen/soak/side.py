"""One server under a soak's load: its crew, the loads that it is given, and what is sampled beside them.

It decides nothing: a leader says which load is next. A soak has one side, or two, whose loads run at the same time.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from loadgen.events import Event, PhaseBegan
from loadgen.judge.judging import Judging
from loadgen.monitors.board import Board
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.plan import Plan, Segment
from loadgen.reason import Code
from loadgen.runner.crew import Crew
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.intervals import Interval
from loadgen.runner.load import Counted
from loadgen.runner.member import Members
from loadgen.runner.processes import WorkerProcesses
from loadgen.runner.stop import NEVER, Stop
from loadgen.signs import Signs
from loadgen.snapshot import Snapshot
from loadgen.soak import totals
from loadgen.soak.asked import Asked
from loadgen.soak.diary import Diary
from loadgen.soak.ended import Noted, SoakBegan
from loadgen.soak.folder import RunFolder
from loadgen.soak.found import End, How
from loadgen.soak.go import Go
from loadgen.soak.journal import Journal
from loadgen.units import NS_PER_S
from loadgen.usage import WatchedServer

ARRIVAL = "poisson"
"""The arrivals at a rate that settling has found."""

SLACK_S = 1e-6


class Side(Diary):
    """One server under load. `plan` has its addresses; `server` is the server itself, if it is watched.

    `turn` is held while anything is sampled, kept or told, as another side may do so at the same time. `open_folder`
    is called when the soak begins to settle, at this Unix time, and returns the run folder of this side.
    """

    def __init__(
        self,
        plan: Plan,
        asked: Asked,
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
        members: Members | None = None,
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
        self.plan = plan
        self.judging = judging
        self.stop = stop
        self.turn = threading.RLock()
        self.crew = Crew(plan, self.pass_on, members=members or WorkerProcesses(), server=server, stop=stop)
        self.load_columns = tuple(column for column in asked.series if asked.of_load(column))
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

    def connect(self) -> None:
        """Open all connections, and write all keys where the plan says so. Raises as `Crew.connect` does."""
        self.crew.connect()
        if self.plan.workload.prefill:
            self.crew.prefill()
        self.opened = self.greeted

    def began(self, load: str) -> SoakBegan:
        """Return the first event, with the load in words."""
        return SoakBegan(self.asked, self.version, self.folder_name, self.target, load, self.began_wall_s)

    def begin(self) -> None:
        """End settling: from here, what is counted is judged."""
        self.state = "soaking"
        self.offset_s = 0.0

    def extended(self, longer_s: float, words: str) -> None:
        """Go on up to this time of the soak."""
        self.journal.extended(longer_s)
        self.note(Noted.EXTENDED, words, duration_s=longer_s)

    def pause(self, why: str) -> None:
        """Begin a pause without load."""
        self.state = "paused"
        self.note(Noted.PAUSE, f"paused: {why}")

    def resume(self, length_s: float) -> None:
        """End a pause of this length."""
        self.journal.paused(length_s)
        self.state = "soaking"
        self.note(
            Noted.RESUME, f"resumed after {length_s:.1f}s, which are in no judgement", length_s=round(length_s, 3)
        )

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
        if self.state == "soaking":
            self.opened += counted.measured.connections.opened
            self.signs = together(self.signs, self.before_ns, Signs(counted.signs, counted.host), counted.length_ns)
            self.before += counted.measured
            self.before_ns += counted.length_ns
            self.now = Snapshot()
        ended_at_once = counted.ended_early or self.is_over
        self.offset_s += counted.length_ns / NS_PER_S if ended_at_once else length_s
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
        load_ends = ended.length_ns < self.interval_ns or at_s >= self.length_s - SLACK_S
        if at_s - self.sampled_s < self.asked.schedule.every_s - SLACK_S and not load_ends:
            return
        counted, length_s = ended.so_far - self.counted_from, at_s - self.sampled_s
        self.counted_from, self.sampled_s, self.now = ended.so_far, at_s, ended.so_far
        with self.turn:
            values = self.take_news(keep=True)
            values |= totals.sample(self.load_columns, counted, round(length_s * NS_PER_S))
            self.sample(self.offset_s + at_s, values, self.before_ns + round(at_s * NS_PER_S))

    def count(self, length_ns: int) -> None:
        self.journal.totals(totals.totals(self.before + self.now, length_ns, self.opened_so_far, self.judging.slo))

    @property
    def opened_so_far(self) -> int:
        return self.opened + self.now.connections.opened

    def enough(self) -> bool:
        """Beat, and return True when the load under way is to end."""
        with self.turn:
            self.beat()
            return self.is_over

    @property
    def is_over(self) -> bool:
        """True when the load under way is to end before its time: nothing can be kept any more."""
        return bool(self.broken)

    def pass_on(self, event: Event) -> None:
        """Emit an event of the crew, but no phases of single loads."""
        if isinstance(event, PhaseBegan) and event.phase in (*OF_A_LOAD, Phase.DRAIN):
            return
        with self.turn:
            self.tell(event)

    # ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def count_all(self) -> None:
        """Tell the journal what all loads came to."""
        if self.before_ns:
            self.now = Snapshot()
            self.count(self.before_ns)

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


class Peer(Side):
    """A second server under the same loads at the same time, which the leader's is held against.

    A failure of this side's ends its loads, and not the leader's.
    """

    is_left = False
    """True when the load under way is to end, as the leader's has ended before its time."""
    why_left = ""
    """Why this side's soak ends before its time without a failure of its own; empty while it does not."""

    @contextlib.contextmanager
    def alongside(self, length_s: float, rate_per_s: float) -> Iterator[list[Counted]]:
        """Put a load on in a thread of its own, until its end or until the block is left with `is_left` set.

        The list has what was counted, after the block; nothing where a load has failed before. Raises what the load
        has raised.
        """
        self.is_left = False
        counted: list[Counted] = []
        if self.crew.failure:
            yield counted
            return
        raised: list[BaseException] = []

        def work() -> None:
            try:
                with contextlib.suppress(EndedEarly):
                    counted.append(self.put_on(length_s, rate_per_s))
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=work, name="the load on the other server")
        thread.start()
        try:
            yield counted
        finally:
            thread.join()
        if raised:
            raise raised[0]

    @property
    def is_over(self) -> bool:
        return bool(self.broken or self.is_left)

    def end(self) -> End:
        found = super().end()
        if found.how is How.COMPLETE and self.why_left:
            return End(How.STOPPED, found.t_s, self.why_left)
        return found


def together(before: Signs, before_ns: int, signs: Signs, length_ns: int) -> Signs:
    """Return the signs of earlier loads and of one more, which lasted for `length_ns` after `before_ns` of theirs."""
    workers = {each.index: each for each in before.workers}
    for each in signs.workers:
        workers[each.index] = workers[each.index] + each if each.index in workers else each
    lengths = ((before.host.steal_share, before_ns), (signs.host.steal_share, length_ns))
    known = [(share, ns) for share, ns in lengths if share is not None and ns]
    steal = sum(share * ns for share, ns in known) / sum(ns for _, ns in known) if known else None
    return Signs(tuple(workers.values()), replace(signs.host, steal_share=steal))
