"""The caller processes of a client, as their leader sees them: started, ordered, heard, merged and ended.

    with Callers(plans) as callers:
        callers.prepare()
        callers.begin("settle")
        for interval in callers.hear(0.2): ...
        callers.enter("baseline")
        final = callers.stop()

One thread may use Callers, and no method blocks for longer than its timeout says.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Protocol, Self

from loadgen.errors import InternalError, TargetError, UsageError, WorkerError
from loadgen.host import namespaces
from loadgen.trial.caller import DRAIN_NS, SETTLE_NS
from loadgen.trial.messages import (
    Begin,
    Ended,
    EnterPhase,
    Failed,
    Greeting,
    Hello,
    Message,
    Prepare,
    Prepared,
    Report,
    Stop,
)
from loadgen.trial.observed import NodeState, Observed
from loadgen.trial.plan import CallerPlan
from loadgen.units import NS_PER_S
from loadgen.worker.process import MessageProcess

START_AHEAD_NS = 20_000_000
"""The time from the order to begin to the beginning, so that all callers have the order by then."""

GREETING_NS = 20 * NS_PER_S
"""The time in which a caller process must have started."""

PREPARE_NS = 30 * NS_PER_S
"""The time in which the keys must have been written."""

SILENCE_NS = 10 * NS_PER_S
"""The silence after which a caller process is taken for stuck."""

GRACE_NS = 5 * NS_PER_S


class CallerMember(Protocol):
    """A caller to its leader: see `runner.member.Member`, with the messages of `trial.messages`."""

    pid: int
    """The number of the caller's process; 0 for what is no process."""

    def tell(self, message: object) -> None: ...
    def fileno(self) -> int: ...
    def hear(self) -> Any: ...
    def end(self) -> None: ...


def process(plan: CallerPlan) -> MessageProcess:
    """Start a caller process. Raises WorkerError when it cannot be started."""
    remedy = "free some memory or raise the limit on processes (ulimit -u)."
    # What the client prints would spoil the outputs; its exceptions are reported.
    files = () if plan.board is None else (plan.board,)
    return MessageProcess(
        "loadgen.trial.caller",
        f"Caller {plan.writer}",
        remedy,
        stderr=subprocess.DEVNULL,
        files=files,
        inside=namespaces.inside(plan.namespace),
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """One interval of all callers together."""

    phase: str
    observed: Observed
    by_writer: dict[int, Observed]
    """What each caller process observed."""


@dataclass(frozen=True, slots=True)
class Final:
    """The end of all callers of a client."""

    intervals: tuple[Interval, ...]
    """Intervals that had not been returned by `hear`, the drain included."""
    states: dict[int, NodeState]
    """The client's own account of each node when all operations had ended, before the close, with the sockets."""
    unfinished: int
    """Operations that had not ended when the drain ended, or when their process was ended."""
    close_ns: int | None
    """The longest that closing a client took; None when one did not close, and was ended by force."""
    hung: int
    """Caller processes whose client did not close in time, or kept the process from all else, and was ended."""
    stuck: tuple[str, ...]
    """A sentence on each caller process that had to be ended before the stop, as it reported nothing any more."""
    close_error: str
    """The first exception that a close raised; empty for none."""
    leaked_sockets: int | None
    """Sockets to the nodes that were open after the close; None where this cannot be told."""
    leaked_tasks: int | None
    """Tasks and threads of the client that were running after the close; None where this cannot be told."""
    leaked: str
    """The first of these, by name."""


class _Seat:
    """One caller and what it has said."""

    def __init__(self, plan: CallerPlan, member: CallerMember) -> None:
        self.plan = plan
        self.member = member
        self.heard_ns = time.monotonic_ns()
        """The time of the last message."""
        self.silent_ns = 0
        """How long the leader has waited for the next message."""
        self.stuck = ""
        """Why the process was ended before its time; empty for one that was not."""
        self.under_way = 0
        """Operations under way at the newest report."""
        self.prepared: Prepared | None = None
        self.ended: Ended | None = None
        self.reports: dict[tuple[int, int], Report] = {}
        """By part and tick; those that are not merged yet."""
        self.newest = (0, -1)
        self.phase = ""
        """The phase of the newest report."""

    def note(self, report: Report) -> None:
        self.newest, self.phase = (report.part, report.tick), report.phase
        self.under_way = report.observed.under_way
        earlier = self.reports.get(self.newest)
        observed = earlier.observed + report.observed if earlier else report.observed
        self.reports[self.newest] = Report(report.phase, report.part, report.tick, observed)

    @property
    def name(self) -> str:
        return f"Caller {self.plan.writer} of {self.plan.client.name}"

    @property
    def is_over(self) -> bool:
        """True when the process will send nothing more."""
        return self.ended is not None or bool(self.stuck)

    def give_up(self, now_ns: int) -> None:
        """End a process that reports nothing, and note the silence as an observation of its own."""
        self.member.end()
        self.stuck = (
            f"{self.name} reported nothing for {self.silent_ns / NS_PER_S:.0f} s and was ended: the client kept the "
            "process from all other work."
        )
        silence_ns = now_ns - self.heard_ns
        part, tick = self.newest
        # The operation that keeps the process is one at least.
        silence = Observed(
            from_ns=self.heard_ns,
            to_ns=now_ns,
            unread_ns=silence_ns,
            slowest_ns=silence_ns,
            under_way=max(1, self.under_way),
        )
        self.note(Report(self.phase, part, tick + 1, silence))


class Callers:
    """The caller processes of one client, a context in which they run."""

    def __init__(self, plans: Sequence[CallerPlan], make: Callable[[CallerPlan], CallerMember] = process) -> None:
        self._plans = plans
        self._make = make
        self._seats: list[_Seat] = []
        self._part = 0

    def __enter__(self) -> Self:
        """Start the processes. Raises WorkerError when one cannot be started."""
        try:
            for plan in self._plans:
                seat = _Seat(plan, self._make(plan))
                self._seats.append(seat)
                seat.member.tell(Hello(plan))
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the processes, whatever they do. A second call does nothing."""
        for seat in self._seats:
            seat.member.end()

    def filenos(self) -> list[int]:
        """Return the descriptors of which one is readable when `hear` has something to do."""
        return [seat.member.fileno() for seat in self._seats if not seat.is_over]

    @property
    def client_version(self) -> str:
        """The client's library and version; empty before `prepare` has returned."""
        return next((seat.prepared.client_version for seat in self._seats if seat.prepared), "")

    # ── Orders ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def prepare(self, patience_ns: int = PREPARE_NS) -> int:
        """Make the clients and write the shared keys; return the number of keys.

        Raises UsageError when the user's factory or client is at fault, TargetError when no key can be written or the
        factory fails, WorkerError when a process dies.
        """
        for seat in self._seats:
            seat.member.tell(Prepare(patience_ns))
        until_ns = time.monotonic_ns() + GREETING_NS + patience_ns
        while missing := [seat for seat in self._seats if seat.prepared is None]:
            if time.monotonic_ns() >= until_ns:
                raise WorkerError(f"{missing[0].name} could not be made: the client did not return from its factory.")
            self._hear(until_ns)
        return sum(seat.prepared.written for seat in self._seats if seat.prepared)

    def begin(self, phase: str, start_ns: int | None = None) -> int:
        """Begin to call, at once or at a monotonic time, in a first phase. Return that time."""
        start_ns = time.monotonic_ns() + START_AHEAD_NS if start_ns is None else start_ns
        for seat in self._seats:
            seat.heard_ns, seat.silent_ns, seat.phase = start_ns, 0, phase
            seat.member.tell(Begin(start_ns, phase))
        return start_ns

    def enter(self, phase: str) -> None:
        """Go on in another phase: operations that end from now on belong to it."""
        self._part += 1
        for seat in self._seats:
            seat.member.tell(EnterPhase(phase, self._part))

    def hear(self, timeout_s: float) -> list[Interval]:
        """Return the intervals that all callers have reported, in order; none when the timeout comes first.

        A process that has said nothing for 10 s is ended: the client keeps it from all else, which `stop` tells too.
        Raises WorkerError when a process has died, TargetError when the client's statistics raise, InternalError for a
        bug of ours.
        """
        until_ns = time.monotonic_ns() + int(timeout_s * NS_PER_S)
        while not (found := self._merged()) and time.monotonic_ns() < until_ns:
            self._hear(until_ns)
            for seat in self._seats:
                if not seat.is_over and seat.silent_ns > SILENCE_NS:
                    seat.give_up(time.monotonic_ns())
        return found

    def stop(self) -> Final:
        """End the load: wait for operations under way, close the clients, and end the processes.

        A client that hangs in its close is ended by force, which the Final tells. Takes no longer than the deadlines
        of an operation and of the close, and 7 s.
        """
        for seat in self._seats:
            seat.member.tell(Stop())
        plans = [seat.plan for seat in self._seats]
        longest_ns = max(plan.timeout_ns + plan.tolerance_ns + plan.close_ns for plan in plans)
        until_ns = time.monotonic_ns() + longest_ns + DRAIN_NS + SETTLE_NS + GRACE_NS
        while any(not seat.is_over for seat in self._seats) and time.monotonic_ns() < until_ns:
            self._hear(until_ns)
        self.end()
        return self._final()

    # ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, until_ns: int) -> None:
        """Take one message of each caller that has one, or return at `until_ns`."""
        by_fileno = {seat.member.fileno(): seat for seat in self._seats if not seat.is_over}
        began_ns = time.monotonic_ns()
        # At most a second at once, and no more is counted as silence: Ctrl-Z stops the callers and this process.
        timeout_ns = min(max(0, until_ns - began_ns), NS_PER_S)
        heard = [by_fileno[ready] for ready in wait(list(by_fileno), timeout_ns / NS_PER_S) if isinstance(ready, int)]
        now_ns = time.monotonic_ns()
        for seat in by_fileno.values():
            seat.silent_ns += min(now_ns - began_ns, NS_PER_S)
        for seat in heard:
            try:
                message: Message = seat.member.hear()
            except EOFError as ended:
                raise WorkerError(f"{seat.name} {ended}.") from None
            seat.heard_ns, seat.silent_ns = now_ns, 0
            self._take(seat, message)

    def _take(self, seat: _Seat, message: Message) -> None:
        match message:
            case Greeting():
                pass
            case Prepared():
                seat.prepared = message
            case Report():
                seat.note(message)
            case Ended():
                seat.ended = message
                seat.note(message.rest)
            case Failed(words, traceback, is_usage):
                if traceback:
                    raise InternalError(words, traceback)
                raise UsageError(words) if is_usage else TargetError(words)

    # ── Intervals ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _merged(self, *, all_of_them: bool = False) -> list[Interval]:
        """Take the intervals that no caller will report on any more."""
        places = sorted({place for seat in self._seats for place in seat.reports})
        if not all_of_them:
            common = min((seat.newest for seat in self._seats if not seat.is_over), default=(self._part + 1, 0))
            places = [place for place in places if place <= common]
        return [self._interval(place) for place in places]

    def _interval(self, place: tuple[int, int]) -> Interval:
        reports = {seat.plan.writer: seat.reports.pop(place) for seat in self._seats if place in seat.reports}
        by_writer = {writer: report.observed for writer, report in reports.items()}
        phase = next(iter(reports.values())).phase
        return Interval(phase, sum(by_writer.values(), Observed()), by_writer)

    def _final(self) -> Final:
        ended = [seat.ended for seat in self._seats if seat.ended is not None]
        missing = len(ended) < len(self._seats)
        states: dict[int, NodeState] = {}
        for one in ended:
            for node, state in one.states.items():
                states[node] = states[node] + state if node in states else state
        closes = [one.close_ns for one in ended]
        sockets = [one.leaked_sockets for one in ended]
        return Final(
            intervals=tuple(self._merged(all_of_them=True)),
            states=states,
            unfinished=sum(one.unfinished for one in ended) + sum(seat.under_way for seat in self._seats if seat.stuck),
            hung=sum(close is None for close in closes) + len(self._seats) - len(ended),
            stuck=tuple(seat.stuck for seat in self._seats if seat.stuck),
            close_ns=None if missing or None in closes else max(close for close in closes if close is not None),
            close_error=next((one.close_error for one in ended if one.close_error), ""),
            leaked_sockets=None if missing or None in sockets else sum(count for count in sockets if count is not None),
            leaked_tasks=None if missing else sum(one.leaked_tasks for one in ended),
            leaked=next((one.leaked for one in ended if one.leaked), ""),
        )
