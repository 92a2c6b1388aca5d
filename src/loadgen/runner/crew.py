"""A crew: all members of a plan. The crew makes the members, sends them orders, receives their reports, and ends them.

A crew does not know what a member is, which load it is given, or what the counts are used for: a crew's leader is a
run, a search or a round of a comparison. A crew reads no config, prints nothing, and works in any thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from loadgen.errors import InternalError, TargetError, WorkerError
from loadgen.escape import printable
from loadgen.events import Event, HistoryKept, PhaseBegan, TopologyChanged
from loadgen.judge import diagnosis
from loadgen.phase import COUNTED, OF_A_LOAD, Phase
from loadgen.plan import Load, Plan
from loadgen.reason import Code, Reason
from loadgen.runner import history, limits
from loadgen.runner.connections import Connections
from loadgen.runner.discovery import Watch
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.failure import LoadFailure
from loadgen.runner.intervals import Interval
from loadgen.runner.kernel import THIS_MACHINE, Kernel
from loadgen.runner.load import Counted, LoadUnderWay
from loadgen.runner.member import Members
from loadgen.runner.prefill import Prefill
from loadgen.runner.seat import Seat
from loadgen.runner.stop import NEVER, Alarm, Stop
from loadgen.runner.timeline import At
from loadgen.signs import HostSigns
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import NS_PER_S
from loadgen.usage import WatchedServer
from loadgen.worker.messages import (
    ClockReading,
    Drained,
    EndDrain,
    EndLoad,
    Failed,
    Goodbye,
    Greeting,
    Hello,
    IntervalEnded,
    Message,
    Moment,
    Order,
    PutOn,
    Report,
    Reroute,
    Stale,
    TellTime,
    WriteKeys,
    Written,
)

# The time from sending the order of a load to its start: enough for the order to reach every member.
START_AHEAD_NS = 50_000_000

# The time that a member may stay silent past the time at which its report is due.
GRACE_NS = 10 * NS_PER_S

# The clock readings requested from each member: the quickest answer gives the narrowest bounds on the clock's offset.
CLOCK_READINGS = 3

# More are requested, up to that number, while the offset of some clock is known less exactly than to this.
MOST_CLOCK_READINGS = 24
CLOCK_ERROR_NS = 500_000


class Crew:
    """A plan's workers, as members. `emit` receives the events of connecting, prefilling and a load's progress.

    `members` makes the members, on `kernel`'s clock. `server` is the server under load, if it is watched. The load ends
    early when the watched server ends, or when `stop` is set.
    """

    def __init__(
        self,
        plan: Plan,
        emit: Callable[[Event], None],
        *,
        members: Members,
        server: WatchedServer | None = None,
        stop: Stop = NEVER,
        kernel: Kernel = THIS_MACHINE,
    ) -> None:
        self.plan = plan
        self.emit = emit
        self.members = members
        self.kernel = kernel
        self.server = server
        self.stop = stop
        self.alarm: Alarm | None = None
        self.watch: Watch | None = None
        """Asks who the nodes are; None where they stay the same."""
        self.topology = plan.target.topology
        """The newest; None where the endpoints are all there is."""
        self.served = [(0, self.topology)] if self.topology is not None else []
        """Each topology until now, with the monotonic time in ns at which it was seen."""
        self.seats: list[Seat] = []
        self.connections = Connections(self)
        self.phase = Phase.CONNECT
        self.load: LoadUnderWay | None = None
        """The newest load; None before the first."""
        self.failure = LoadFailure()
        """The failure that ended the load, such as the death of a member or of the watched server."""
        self.notes: list[Reason] = []
        self.examples: dict[str, str] = {}
        self.max_rss_bytes = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Make the members, and end them on exit in any case.

        Raises WorkerError when a member cannot be made, OutputError when the history's file cannot.
        """
        if self.plan.history is not None:
            history.begin(self.plan, self.plan.history)
        with contextlib.ExitStack() as stack:
            self.alarm = stack.enter_context(self.stop.alarm())
            if self.topology is not None:
                self.watch = stack.enter_context(Watch(self.plan))
            try:
                for index, share in enumerate(self.members.shares(self.plan)):
                    member = self.members.make(self.plan, share)
                    self.seats.append(Seat(member, index, share, self.kernel.now))
                    self.seats[index].tell(Hello(self.plan, share.workers, self.members.lease_ns))
                yield
            finally:
                # Every member receives Goodbye before the first is waited for, so that all end at the same time.
                self.tell_all(Goodbye())
                for seat in self.seats:
                    seat.end()

    # ── Phases ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, phase: Phase) -> None:
        self.phase = phase
        self.emit(PhaseBegan(phase, self.kernel.wall_s()))

    def connect(self) -> None:
        """Greet the members, measure the offsets of their clocks, and open every connection.

        Raises WorkerError when a member uses another version of the messages, TargetError as `Connections.establish`
        does, and EndedEarly as `hear` does.
        """
        self.begin(Phase.CONNECT)
        self.gather(Greeting, self.plan.wire.connect_timeout_ns)
        self.read_clocks()
        limits.check(self.plan, len({seat.share.host for seat in self.seats}))
        self.connections.establish()

    def read_clocks(self) -> None:
        """Measure the offsets of the members' clocks. Raises EndedEarly as `hear` does."""
        for readings in range(MOST_CLOCK_READINGS):
            if readings >= CLOCK_READINGS and all(seat.error_ns <= CLOCK_ERROR_NS for seat in self.running()):
                break
            self.tell_all(TellTime())
            self.gather(ClockReading, self.plan.wire.connect_timeout_ns)

    def read_drifted_clocks(self) -> None:
        """Measure the offsets again when clocks may have drifted since, as in a long prefill or between two loads."""
        if all(seat.drift_ns <= CLOCK_ERROR_NS for seat in self.running()):
            return
        for seat in self.running():
            seat.final = None  # After an earlier load, the member is heard again.
        try:
            self.read_clocks()
        except EndedEarly:
            if self.stop.is_set and self.alarm is not None:
                self.alarm.ring()  # The load that follows ends early.

    def prefill(self) -> None:
        """Write every key. Raises TargetError, with a diagnosis, when the prefill takes too long or stalls."""
        self.begin(Phase.PREFILL)
        prefill = Prefill(self.plan, self.kernel.now())
        self.tell_all(WriteKeys())
        written: set[int] = set()
        while len(written) < len(self.seats):
            heard = self.hear(self.kernel.now() + NS_PER_S // 4)
            written |= {seat.index for seat, said in heard if isinstance(said, Written)}
            now_ns, so_far, down = self.kernel.now(), self.merged(Phase.PREFILL), sum(self.connections.down())
            is_over = len(written) == len(self.seats)
            self.emit(prefill.progress(now_ns, so_far, down, self.examples, is_over=is_over))

    def put_on(
        self,
        load: Load,
        *,
        interval_ended: Callable[[Interval], None] | None = None,
        enough: Callable[[], bool] = lambda: False,
        timeline: Iterable[At] = (),
        window_over: Callable[[], object] = lambda: None,
    ) -> Counted:
        """Put a load on the servers, follow the load to its end or early end, and wait for the open requests.

        `interval_ended` receives each interval that all members have reported. `enough` is called after each report,
        and ends the load by returning True. The actions of `timeline` are done at their times. `window_over` is called
        before the drain, after an early end too. If the interval of the load is 0, members report nothing before they
        have drained: a report takes a worker most of a millisecond.
        """
        self.read_drifted_clocks()
        if self.failure:
            # The load before failed, or something has died since.
            return Counted(ended_early=True)
        for seat in self.seats:
            # A member that dies before its first report of this load has counted nothing in this load.
            seat.forget(*OF_A_LOAD)
        order = PutOn(load, self.kernel.now() + START_AHEAD_NS + self.farthest_ns)
        self.load = LoadUnderWay(self, order, interval_ended=interval_ended, enough=enough, timeline=timeline)
        self.tell_all(order)
        with contextlib.suppress(EndedEarly):
            self.load.follow()
        window_over()
        return self.drain()

    def drain(self) -> Counted:
        """Wait for the open requests, unless the stop token is set twice or the watched server has ended.

        Return the load's counts.
        """
        self.begin(Phase.DRAIN)
        ended_early = self.stop.is_set or bool(self.failure)
        while not self.stop.is_urgent:
            if ended_early:
                self.end_load()
            if self.server is not None and self.server.exit_report():
                self.tell_all(EndDrain())
            try:
                self.gather(Drained, self.plan.wire.request_timeout_ns)
                break
            except EndedEarly:
                ended_early = True
        return Counted(
            phases={phase: self.settled(phase) for phase in COUNTED},
            length_ns=self.load.length_ns if self.load is not None else 0,
            signs=tuple(signs for seat in self.seats if seat.final is not None for signs in seat.final.signs),
            hosts=tuple(seat.part(self.plan) for seat in self.seats if seat.share.host),
            host=self.load.host if self.load is not None else HostSigns(),
            began_ns=self.load.order.measure_ns if self.load is not None else 0,
            moments=self.load.moments.series() if self.load is not None else (),
            nodes=self.load.moments.names if self.load is not None else (),
            ended_early=self.stop.is_set or bool(self.failure),
        )

    @property
    def farthest_ns(self) -> int:
        """A time in which an order reaches every member of another machine, and twice what its clock may be off by."""
        return 4 * max((seat.error_ns for seat in self.running()), default=0)

    def end_load(self) -> None:
        """Order the members to end their load, prefill or connecting."""
        if self.load is not None:
            self.load.end()
        else:
            self.tell_all(EndLoad())

    # ── Counts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def merged(self, phase: Phase) -> Snapshot:
        """Return the sum of all members' newest snapshots of a phase."""
        return sum((seat.last[phase] for seat in self.seats if phase in seat.last), Snapshot())

    def settled(self, phase: Phase) -> Snapshot:
        """Return the final sum of a phase. Requests in flight count as lost when a member's final report is missing."""
        merged = self.merged(phase)
        if all(seat.final is not None for seat in self.seats):
            return merged
        open_now = {c: Tally(lost=t.balance) for c, t in merged.tallies.items() if t.balance > 0}
        return replace(merged, tallies={c: t + open_now.get(c, Tally()) for c, t in merged.tallies.items()})

    def history(self) -> HistoryKept | None:
        """Return what the history has of all loads so far; None where none is kept."""
        if self.plan.history is None:
            return None
        counts, whole = history.counted(seat.final for seat in self.seats)
        return HistoryKept(self.plan.history, counts, whole)

    def failures(self, phase: Phase = Phase.PRECHECK) -> dict[str, int]:
        """Return how often connections failed in a phase, by reason."""
        return dict(self.merged(phase).failures)

    # ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell_all(self, order: Order) -> None:
        for seat in self.running():
            seat.tell(order)

    def running(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.is_alive]

    def hear(self, until_ns: int) -> list[tuple[Seat, Message]]:
        """Return the next messages; none when `until_ns` comes first.

        Raises EndedEarly when the stop token was set, when a member or the watched server has died, or when no request
        can succeed; WorkerError or TargetError for a death before the load; InternalError for a bug in a member.
        """
        self.check_server()
        assert self.alarm is not None, "the crew is at work"
        by_fileno = {seat.fileno(): seat for seat in self.running() if seat.final is None}
        heard: list[tuple[Seat, Message]] = []
        watched = [self.watch.fileno()] if self.watch is not None else []
        filenos = [*by_fileno, self.alarm.fileno(), *watched]
        for ready in self.kernel.wait(filenos, until_ns - self.kernel.now()):
            if self.watch is not None and ready == self.watch.fileno():
                self.reroute(self.watch)
                continue
            if ready == self.alarm.fileno():
                self.alarm.heed()
                raise EndedEarly
            seat = by_fileno[ready]
            try:
                message = seat.hear()
            except EOFError as ended:
                self.on_member_death(seat, str(ended))
                continue
            if isinstance(message, Failed):
                seat.log_tail = f"failed: {printable(message.words)}"
                if message.traceback:
                    raise InternalError(f"{seat.name[0].lower()}{seat.name[1:]} {seat.log_tail}", message.traceback)
                continue
            if isinstance(message, Stale) and self.watch is not None:
                self.watch.prompt()
            if isinstance(message, Moment) and self.load is not None:
                self.load.moments.add(message)
                if self.watch is not None and any(each.refused or each.lost for each in message.nodes.values()):
                    # Another node may have taken over.
                    self.watch.look()
            if isinstance(message, Report):
                self.note(seat, message)
            heard.append((seat, message))
        return heard

    def reroute(self, watch: Watch) -> None:
        """Tell the members which nodes serve what now, and emit what has changed."""
        for change in watch.changes():
            self.topology = change.topology
            self.tell_all(Reroute(change.topology))
            self.served.append((change.at_ns, change.topology))
            if change.words:
                wall_s = self.kernel.wall_s() - (self.kernel.now() - change.at_ns) / NS_PER_S
                self.emit(TopologyChanged(change.at_ns, wall_s, change.words))

    def note(self, seat: Seat, report: Report) -> None:
        """Record a member's report. Raises EndedEarly when the report shows that no request can succeed."""
        self.examples = {**report.examples, **self.examples}
        self.max_rss_bytes = max(self.max_rss_bytes, report.max_rss_bytes)
        if self.load is not None and isinstance(report, IntervalEnded | Drained):
            self.load.note(seat.index, report)
        if words := diagnosis.misrouted(self.plan, report.snapshot, report.examples):
            if report.phase == Phase.PREFILL:
                raise TargetError(words)
            if not self.failure:
                self.failure.ended_by(Code.WRONG_NODE, words)
                raise EndedEarly
        if not isinstance(report, IntervalEnded) or self.failure:
            return
        # Without a precheck, or after it, only this check finds that no request can succeed.
        if words := diagnosis.locked_out(self.plan, report.snapshot, report.examples):
            self.failure.ended_by(Code.LOCKED_OUT, words)
            raise EndedEarly

    def gather(self, kind: type[Message], patience_ns: int, heard_some: Callable[[], object] = lambda: None) -> None:
        """Wait for one message of this kind from every living member. `heard_some` is called when messages have come.

        A member that stays silent for longer than `patience_ns` plus GRACE_NS is ended.
        """
        patience_ns += GRACE_NS
        waited_ns, heard = 0, {seat.index for seat in self.running() if kind is Drained and seat.final is not None}
        while missing := [seat for seat in self.running() if seat.index not in heard]:
            if waited_ns >= patience_ns:
                for seat in missing:
                    seat.log_tail = f"said nothing for {patience_ns / NS_PER_S:.0f} s, stopped or stuck, and was ended"
                    seat.end()
                for seat in missing:
                    self.on_member_death(seat, "")
                continue
            began_ns = self.kernel.now()
            said = self.hear(began_ns + min(NS_PER_S, patience_ns - waited_ns))
            heard |= {seat.index for seat, message in said if isinstance(message, kind)}
            if said:
                heard_some()
            # Count at most the second that was asked for: Ctrl-Z stops this process and the workers together.
            waited_ns += min(self.kernel.now() - began_ns, NS_PER_S)

    def pause(self, seconds: float) -> None:
        """Wait for this many seconds, and record the members' reports meanwhile."""
        until_ns = self.kernel.now() + int(seconds * NS_PER_S)
        while self.kernel.now() < until_ns:
            self.hear(until_ns)

    # ── Failure ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_member_death(self, seat: Seat, how: str) -> None:
        """Record a member's death: the load ends, and all counts up to then are kept. See `LoadFailure.on_death`."""
        seat.is_alive = False
        death = f"{seat.name} {seat.log_tail or how}{seat.sent}"
        kept = "; what it had counted up to its last report is included"
        self.failure.on_death(self.phase, Code.WORKER_DIED, death, WorkerError, kept)

    def check_server(self) -> None:
        """Record the watched server's death, if it has died: the counts of what the server had answered are kept."""
        if self.server is None or self.failure or not (exit_report := self.server.exit_report()):
            return
        words = diagnosis.ended(exit_report, self.server.log_errors(), self.server.log_tail())
        self.failure.on_death(self.phase, Code.SERVER_ENDED, words, TargetError)
