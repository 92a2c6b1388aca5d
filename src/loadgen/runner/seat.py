"""A member's place in its crew: the member's last reports, its state, and the offset of its clock from ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loadgen.errors import WorkerError
from loadgen.hosts import HostPart
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.runner.clock import ClockOffset, drift
from loadgen.runner.member import Member, Share
from loadgen.snapshot import Snapshot
from loadgen.worker.messages import (
    VERSION,
    ClockReading,
    Drained,
    Greeting,
    Hello,
    Message,
    Moment,
    Order,
    PutOn,
    Report,
    TellTime,
)


class Seat:
    """A member in its crew. Times are by our clock on this side: the seat converts them by the clocks' offset."""

    def __init__(self, member: Member, index: int, share: Share, now: Callable[[], int]) -> None:
        self.member = member
        self.index = index
        """Its place among the crew's seats."""
        self.share = share
        self.now = now
        self.last: dict[Phase, Snapshot] = {}
        """The newest snapshot of each phase."""
        self.down: tuple[int, ...] = ()
        """Connections to each endpoint that are not ready."""
        self.final: Drained | None = None
        """The member's last report of the newest load, after the drain."""
        self.is_alive = True
        self.log_tail = ""
        """Why the member cannot go on, if known; follows its name in a sentence."""
        self._measured: ClockOffset | None = None
        """The lead of the member's clock over ours at the newest reading; None before the first."""
        self._measured_ns = 0
        self._asked_ns = 0
        self.start_error_ns = 0
        """The bound on the error of the newest load's start by the member's clock."""

    @property
    def name(self) -> str:
        return self.share.name

    def fileno(self) -> int:
        return self.member.fileno()

    def tell(self, message: Hello | Order) -> None:
        match message:
            case Hello() | TellTime():
                self._asked_ns = self.now()
            case PutOn(load, start_ns):
                self.start_error_ns = self.error_ns
                message = PutOn(load, start_ns + self.ahead_ns)
        self.member.tell(message)

    @property
    def sent(self) -> str:
        """What a machine had sent of the load when it was last heard of, for a sentence; empty for a process."""
        measured = self.last.get(Phase.MEASURE)
        if not self.share.host or measured is None:
            return ""
        return f"; it had sent {measured.total.sent:,} requests of the measure window when it was last heard of"

    def part(self, plan: Plan) -> HostPart:
        """Return the part of the load of a member that is a machine."""
        own = [plan.workers[index] for index in self.share.workers]
        return HostPart(
            name=self.share.host,
            workers=len(own),
            connections=sum(sum(worker.connections) for worker in own),
            measured=self.last.get(Phase.MEASURE, Snapshot()),
            host=self.final.host if self.final is not None else None,
            clock_ahead_ns=self.ahead_ns,
            clock_error_ns=self.start_error_ns,
        )

    @property
    def offset(self) -> ClockOffset | None:
        """The lead of the member's clock over ours, as known now; None before the first reading."""
        return self._measured.aged(self.now() - self._measured_ns) if self._measured is not None else None

    @property
    def error_ns(self) -> int:
        """The bound on the error of `ahead_ns`; 0 for a member of this machine, which has our clock."""
        return self.offset.error_ns if self.offset is not None else 0

    @property
    def drift_ns(self) -> int:
        """The part of the error that has come since the newest reading; 0 for a member that has our clock."""
        measured = self._measured
        return drift(self.now() - self._measured_ns) if measured is not None and not measured.is_ours else 0

    @property
    def ahead_ns(self) -> int:
        """The lead of the member's clock over ours; 0 before the first reading."""
        return self._measured.ns if self._measured is not None else 0

    def hear(self) -> Message:
        """Return the next message. Raises EOFError as `Member.hear` does, WorkerError for another message version."""
        message = self.member.hear()
        if isinstance(message, Report):
            self.last[message.phase] = message.snapshot
            self.down = message.down
        match message:
            case Greeting(clock_ns, version):
                if version != VERSION:
                    raise WorkerError(
                        f"{self.name} speaks version {version} of the messages, and this loadgen version "
                        f"{VERSION}: start both from the same release."
                    )
                self._narrow(clock_ns)
            case ClockReading(clock_ns):
                self._narrow(clock_ns)
            case Moment():
                return self._by_our_clock(message)
            case Drained():
                moment = self._by_our_clock(message.moment) if message.moment is not None else None
                signs = tuple(replace(signs, host=self.share.host) for signs in message.signs)
                end_ns = message.window_end_ns - self.ahead_ns
                message = replace(message, window_end_ns=end_ns, moment=moment, signs=signs)
                self.final = message
                self.last.update(message.finals)
        return message

    def _by_our_clock(self, moment: Moment) -> Moment:
        """Return a moment with its times by our clock; 0 stays 0, which is no time."""
        ahead_ns = self.ahead_ns
        nodes = {
            name: replace(
                node,
                first_failed_ns=node.first_failed_ns and node.first_failed_ns - ahead_ns,
                last_failed_ns=node.last_failed_ns and node.last_failed_ns - ahead_ns,
            )
            for name, node in moment.nodes.items()
        }
        return replace(moment, nodes=nodes) if ahead_ns else moment

    def _narrow(self, clock_ns: int) -> None:
        now_ns = self.now()
        found = ClockOffset.of_exchange(self._asked_ns, clock_ns, now_ns, self.share.may_have_our_clock)
        earlier = self.offset
        self._measured, self._measured_ns = found if earlier is None else earlier & found, now_ns

    def forget(self, *phases: Phase) -> None:
        """Discard the member's counts of these phases, which begin anew."""
        for phase in phases:
            self.last.pop(phase, None)

    def end(self) -> None:
        self.is_alive = False
        self.member.end()
