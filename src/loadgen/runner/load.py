"""One load of a crew: the load in progress, and its counts after the drain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadgen.events import Progress
from loadgen.host import machine
from loadgen.hosts import HostPart
from loadgen.phase import Phase
from loadgen.reason import Code
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.intervals import Interval, Intervals
from loadgen.runner.moments import Moments, Series
from loadgen.runner.timeline import At, Timeline
from loadgen.signs import HostSigns, WorkerSigns
from loadgen.snapshot import Snapshot
from loadgen.worker.messages import Drained, EndLoad, IntervalEnded, PutOn

if TYPE_CHECKING:
    from loadgen.runner.crew import Crew

# The longest wait for the report of a phase's last interval before the next phase begins.
LATE_NS = 200_000_000


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of a load after its drain: all members together, the dead members' last reports included."""

    phases: Mapping[str, Snapshot] = field(default_factory=dict)
    """Every phase that requests belong to; the phases before the load have their counts up to now."""
    length_ns: int = 0
    """The real length of the measure window: to the last member's end, or to the time of an early end."""
    signs: tuple[WorkerSigns, ...] = ()
    """The machine's effects on each member that drained the load."""
    host: HostSigns = field(default_factory=HostSigns)
    """The machine over the measure window."""
    began_ns: int = 0
    """The monotonic time at which the measure window began."""
    moments: Series = ()
    """The moments of the measure window, where the load has any."""
    nodes: tuple[str, ...] = ()
    """The names of the servers in them."""
    hosts: tuple[HostPart, ...] = ()
    """The part of each machine, where members are machines."""
    ended_early: bool = False
    """True when the stop token was set or the load failed: no other load follows."""

    @property
    def measured(self) -> Snapshot:
        """The requests of the measure window, by intended time."""
        return self.phases.get(Phase.MEASURE, Snapshot())


class LoadUnderWay:
    """A load in progress, by the order that the members receive. See `Crew.put_on`."""

    def __init__(
        self,
        crew: Crew,
        order: PutOn,
        *,
        interval_ended: Callable[[Interval], None] | None,
        enough: Callable[[], bool],
        timeline: Iterable[At],
    ) -> None:
        self.crew = crew
        self.order = order
        self.interval_ended = interval_ended
        self.enough = enough
        self.timeline = Timeline(timeline, {Phase.WARMUP: order.start_ns, Phase.MEASURE: order.measure_ns})
        self.intervals = Intervals(len(crew.seats))
        self.finals: dict[int, Mapping[Phase, Snapshot]] = {}
        """The last counts of each member that has drained."""
        target = crew.plan.target
        # The nodes of faults are numbered by the endpoints.
        self.moments = Moments([*map(str, target.endpoints), *(each.name for each in target.placements)])
        self.stopped_ns: int | None = None
        """The time at which the members were ordered to end the load early."""
        self.host = HostSigns()

    def follow(self) -> None:
        """Receive the members' reports until the measure window ends. Raises EndedEarly as `Crew.hear` does."""
        crew = self.crew
        if self.order.load.warmup_ns:
            crew.begin(Phase.WARMUP)
            self.follow_phase(Phase.WARMUP, self.order.start_ns, self.order.measure_ns)
        crew.begin(Phase.MEASURE)
        watch = machine.HostWatch()
        try:
            self.follow_phase(Phase.MEASURE, self.order.measure_ns, self.order.end_ns)
        finally:
            self.host = watch.signs()
        if self.enough():
            self.end()

    def follow_phase(self, phase: Phase, from_ns: int, until_ns: int) -> None:
        """Receive the members' reports until the end of a phase, emit the progress, and do the actions that are due.

        A window with a number of requests ends when every member has its last reply. Raises EndedEarly when a server
        can no longer be reached to send it the rest of the requests.
        """
        crew, load, now = self.crew, self.order.load, self.crew.kernel.now
        length_ns = until_ns - from_ns
        interval_ns = load.interval_ns or crew.plan.load.interval_ns
        intervals = -(-length_ns // interval_ns) if load.interval_ns else 0
        reached_ns = now()
        while (now_ns := now()) < until_ns + (self.intervals.newest[phase] < intervals) * LATE_NS:
            if all(seat.final is not None for seat in crew.running()):
                return
            for action in self.timeline.due(now_ns):
                action.do()
            next_ns = self.timeline.next_ns
            crew.hear(min(max(until_ns, now_ns + LATE_NS), now_ns + interval_ns // 4, next_ns or until_ns + LATE_NS))
            if self.enough():
                return
            done_ns = min(max(now() - from_ns, 0), length_ns)
            if not load.requests or phase != Phase.MEASURE:
                crew.emit(Progress(phase, done_ns, length_ns, done_ns))
                continue
            crew.emit(Progress(phase, crew.merged(phase).total.ended, load.requests, done_ns, unit="requests"))
            reached_ns = now_ns if not crew.connections.without() else reached_ns
            if now_ns - reached_ns > crew.plan.wire.connect_timeout_ns + interval_ns:
                [endpoint, *_] = crew.connections.without()
                crew.failure.ended_by(Code.SERVER_GONE, crew.connections.why_gone(endpoint))
                raise EndedEarly

    def note(self, member: int, report: IntervalEnded | Drained) -> None:
        """Pass to `interval_ended` each interval that every member has reported, or had drained before.

        After the order to end the load, reports belong to no interval.
        """
        if isinstance(report, Drained):
            self.finals[member] = self.crew.seats[member].last
            if report.moment is not None:
                self.moments.add(report.moment)
        if self.stopped_ns is not None:
            return
        if isinstance(report, IntervalEnded):
            self.intervals.add(member, report)
        for interval in self.intervals.complete(self.finals):
            if self.interval_ended is not None:
                self.interval_ended(interval)

    def end(self) -> None:
        """Order the members to end the load now; a drain waits for the open requests."""
        self.stopped_ns = self.stopped_ns or self.crew.kernel.now()
        self.crew.tell_all(EndLoad())

    @property
    def length_ns(self) -> int:
        """The real length of the measure window: to the last member's reported end, or to an earlier `end`."""
        ends_ns = [seat.final.window_end_ns for seat in self.crew.seats if seat.final is not None]
        end_ns = max(ends_ns, default=self.order.end_ns)
        return max(0, (end_ns if self.stopped_ns is None else min(end_ns, self.stopped_ns)) - self.order.measure_ns)
