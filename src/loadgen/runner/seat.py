"""One member's place in its crew: what it last reported, whether it is there, and how its clock runs against ours."""

from __future__ import annotations

import time
from dataclasses import replace

from loadgen.errors import WorkerError
from loadgen.phase import Phase
from loadgen.runner.clock import ClockOffset
from loadgen.runner.member import Member
from loadgen.snapshot import Snapshot
from loadgen.worker.messages import (
    VERSION,
    ClockReading,
    Drained,
    Greeting,
    Hello,
    Message,
    Order,
    PutOn,
    Report,
    TellTime,
)


class Seat:
    """A member in its crew. All times that it takes and gives are ours: it translates them by the clocks' offset."""

    def __init__(self, member: Member, index: int) -> None:
        self.member = member
        self.index = index
        self.last: dict[Phase, Snapshot] = {}
        """The newest snapshot of each phase."""
        self.down: tuple[int, ...] = ()
        """Connections to each endpoint that are not ready."""
        self.final: Drained | None = None
        """What it said when it had drained the newest load."""
        self.is_alive = True
        self.log_tail = ""
        """Why it cannot go on, where it could say so; follows its name in a sentence."""
        self.offset: ClockOffset | None = None
        """How far its clock is ahead of ours; None before it has told the time."""
        self._asked_ns = 0

    def fileno(self) -> int:
        return self.member.fileno()

    def tell(self, message: Hello | Order) -> None:
        match message:
            case Hello() | TellTime():
                self._asked_ns = time.monotonic_ns()
            case PutOn(load, start_ns):
                message = PutOn(load, start_ns + self.ahead_ns)
        self.member.tell(message)

    @property
    def ahead_ns(self) -> int:
        """How far its clock is ahead of ours."""
        return self.offset.ns if self.offset is not None else 0

    def hear(self) -> Message:
        """Its next message. Raises EOFError as `Member.hear` does, and WorkerError for one of another version."""
        message = self.member.hear()
        if isinstance(message, Report):
            self.last[message.phase] = message.snapshot
            self.down = message.down
        match message:
            case Greeting(clock_ns, version):
                if version != VERSION:
                    raise WorkerError(
                        f"Worker {self.index} speaks version {version} of the messages, and this loadgen version "
                        f"{VERSION}: start both from the same release."
                    )
                self._narrow(clock_ns)
            case ClockReading(clock_ns):
                self._narrow(clock_ns)
            case Drained():
                message = replace(message, window_end_ns=message.window_end_ns - self.ahead_ns)
                self.final = message
                self.last.update(message.finals)
        return message

    def _narrow(self, clock_ns: int) -> None:
        found = ClockOffset.of_exchange(self._asked_ns, clock_ns, time.monotonic_ns())
        self.offset = found if self.offset is None else self.offset & found

    def forget(self, *phases: Phase) -> None:
        """Forgets what it counted in these phases, which begin anew."""
        for phase in phases:
            self.last.pop(phase, None)

    def end(self) -> None:
        self.is_alive = False
        self.member.end()
