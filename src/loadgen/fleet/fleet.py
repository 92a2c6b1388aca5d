"""The agents of one run: launched, introduced and claimed; then the members of a crew.

`Fleet` is what a crew sees; the conversations themselves are the switchboard's.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from loadgen.errors import UsageError, WorkerError
from loadgen.fleet.introduction import Introduction
from loadgen.fleet.launchers import Launcher
from loadgen.fleet.link import INTRODUCED_WITHIN_NS, LOST_NS, Link
from loadgen.fleet.switchboard import Switchboard
from loadgen.host.machine import boot
from loadgen.hosts import AgentHost
from loadgen.plan import Plan
from loadgen.runner.clock import ClockOffset
from loadgen.runner.crew import CLOCK_ERROR_NS, CLOCK_READINGS, MOST_CLOCK_READINGS
from loadgen.runner.kernel import THIS_MACHINE
from loadgen.runner.member import Share
from loadgen.runner.seat import Seat
from loadgen.signs import Ceiling
from loadgen.split import split_range
from loadgen.units import NS_PER_S
from loadgen.version import __version__
from loadgen.worker.messages import OTHER_FILES, Goodbye, Hello, Message, Order, TellTime

LEASE_NS = 3 * NS_PER_S
"""The time after which a worker whose leader is silent ends: the leader has given its agent up by then."""

SoFar = Callable[[int, int], None]
"""Is told how many of how many agents have introduced themselves."""


@dataclass(frozen=True, slots=True)
class Machine:
    """An agent that has introduced itself."""

    name: str
    said: Introduction

    def host(self, plan: Plan, share: Share, clock: ClockOffset) -> AgentHost:
        """Return the machine, with its share of a plan."""
        said = self.said
        workers = [plan.workers[index] for index in share.workers]
        part = sum(worker.share for worker in workers)
        per_worker = said.open_per_s if plan.load.open_loop else said.closed_per_s
        wall_ahead_ns = round(said.wall_s * NS_PER_S) - said.clock_ns + clock.ns - time.time_ns() + time.monotonic_ns()
        return AgentHost(
            name=self.name,
            host=said.host,
            version=said.version,
            python=said.python,
            cpus=said.cpus,
            open_files=said.open_files,
            workers=len(workers),
            connections=sum(sum(worker.connections) for worker in workers),
            rate_per_s=part * plan.load.rate_per_s,
            clock_ahead_ns=clock.ns,
            clock_error_ns=clock.error_ns,
            wall_ahead_ns=wall_ahead_ns,
            wall_error_ns=(clock.most_ns - clock.least_ns + 1) // 2,
            ceiling_per_s=per_worker * min(len(workers), said.cpus),
        )

    def share(self, workers: Sequence[int]) -> Share:
        """Return the machine's part of a plan: these workers."""
        may_have_our_clock = self.said.boot != "" and self.said.boot == boot()
        return Share(tuple(workers), f"Agent {self.name}", self.name, may_have_our_clock)

    def too_few_files(self, connections: int) -> str:
        """Return why one worker there cannot have so many connections, in words after its name; or nothing."""
        needed = connections + OTHER_FILES
        if not self.said.open_files or needed <= self.said.open_files:
            return ""
        limit = self.said.open_files
        return f"allows {limit:,} open files, and one worker there needs {needed:,}: raise its limit (nofile)"


class Exchange(Protocol):
    """The conversations with all agents, by their ranks; see `member.Member`."""

    def tell(self, rank: int, message: object) -> None: ...

    def fileno(self, rank: int) -> int: ...

    def hear(self, rank: int) -> Any: ...

    def end(self, rank: int) -> None: ...


class AgentMember:
    """An agent as a member of its crew."""

    def __init__(self, exchange: Exchange, rank: int) -> None:
        self._exchange = exchange
        self._rank = rank

    def tell(self, message: Hello | Order) -> None:
        self._exchange.tell(self._rank, message)

    def fileno(self) -> int:
        return self._exchange.fileno(self._rank)

    def hear(self) -> Message:
        message: Message = self._exchange.hear(self._rank)
        return message

    def end(self) -> None:
        self._exchange.end(self._rank)


@dataclass(slots=True)
class Fleet:
    """The agents, and who they are. The members of one crew after another: an agent has one plan at a time."""

    exchange: Exchange
    machines: tuple[Machine, ...] = ()
    clocks: tuple[ClockOffset, ...] = ()
    """The lead of each machine's monotonic clock over ours."""
    lease_ns: int = LEASE_NS
    taken: set[int] = field(default_factory=set)
    """The ranks that have had a plan, which is all that they get."""

    def shares(self, plan: Plan) -> list[Share]:
        """Raises UsageError when there are fewer workers than machines."""
        if len(plan.workers) < len(self.machines):
            raise UsageError(
                f"{plan.wire.connections} connections make {len(plan.workers)} workers, and there are "
                f"{len(self.machines)} agents: each needs a connection to every server (connection.connections)."
            )
        return [
            machine.share(range(first, first + count))
            for machine, (first, count) in zip(
                self.machines, split_range(len(plan.workers), len(self.machines)), strict=True
            )
        ]

    def make(self, plan: Plan, share: Share) -> AgentMember:
        """Raises WorkerError when the agent has had a plan before."""
        rank = next(rank for rank, machine in enumerate(self.machines) if machine.name == share.host)
        if rank in self.taken:
            raise WorkerError(f"{share.name} has had a load, and no load is fired twice: launch its agents anew.")
        self.taken.add(rank)
        return AgentMember(self.exchange, rank)

    def hosts(self, plan: Plan) -> tuple[AgentHost, ...]:
        """Return the machines, and what each is to send of a plan."""
        shares = self.shares(plan)
        refuse_files(self.machines, plan, shares)
        return tuple(
            machine.host(plan, share, clock)
            for machine, share, clock in zip(self.machines, shares, self.clocks, strict=True)
        )

    def ceilings(self, plan: Plan) -> dict[str, float]:
        """Return by name what each machine can send, by its self-test; 0 where none is known."""
        return {host.name: host.ceiling_per_s for host in self.hosts(plan)}

    def ceiling(self, plan: Plan) -> Ceiling | None:
        """Return what the machines can send together, by their self-tests; None where one has none."""
        each = self.ceilings(plan).values()
        if not all(each):
            return None
        return Ceiling(sum(each), 0, 0, min(machine.said.taken for machine in self.machines))


@contextmanager
def launched(launcher: Launcher, so_far: SoFar = lambda here, of: None, lost_ns: int = LOST_NS) -> Iterator[Fleet]:
    """Launch the agents, wait until each has introduced itself and is claimed, and end them on exit.

    Raises WorkerError when an agent cannot be launched, is of another version, or does not come.
    """
    run = os.urandom(12).hex()
    with contextlib.ExitStack() as stack:
        channels = stack.enter_context(launcher.launch(run))

        def link(rank: int, now_ns: int) -> Link:
            return Link(__version__, run, rank, channels[rank].token, now_ns, lost_ns)

        board = stack.enter_context(Switchboard(channels, link))
        patience_s = 2 * INTRODUCED_WITHIN_NS / NS_PER_S
        board.until(lambda link: link.introduction is not None, patience_s, lambda here: so_far(here, len(channels)))
        _refuse_lost(board)
        board.claim()
        board.until(lambda link: link.is_accepted, patience_s, lambda here: None)
        _refuse_lost(board)
        fleet = Fleet(board, tuple(_named(board)))
        fleet.clocks = tuple(_clocks(board, fleet.machines))
        _refuse_lost(board)
        try:
            yield fleet
        finally:
            # Those that have had a plan were told by their crew.
            for rank in set(range(len(board.lines))) - fleet.taken:
                board.tell(rank, Goodbye())


def _named(board: Switchboard) -> Iterator[Machine]:
    """Yield the machines, each with a name of its own: that of its channel, with its rank where two have one name."""
    names = [line.channel.name for line in board.lines]
    for rank, line in enumerate(board.lines):
        assert line.link.introduction is not None
        name = line.channel.name
        yield Machine(f"{name} #{rank}" if names.count(name) > 1 else name, line.link.introduction)


def _clocks(board: Switchboard, machines: Sequence[Machine]) -> Iterator[ClockOffset]:
    """Yield the lead of each agent's monotonic clock over ours, as bounds that hold for sure."""
    seats = [
        Seat(AgentMember(board, rank), rank, machine.share(()), time.monotonic_ns)
        for rank, machine in enumerate(machines)
    ]
    for reading in range(MOST_CLOCK_READINGS):
        if reading >= CLOCK_READINGS and all(seat.error_ns <= CLOCK_ERROR_NS for seat in seats):
            break
        waiting = {seat.fileno(): seat for seat in seats}
        for seat in seats:
            seat.tell(TellTime())
        until_ns = time.monotonic_ns() + LOST_NS
        while waiting and time.monotonic_ns() < until_ns:
            for ready in THIS_MACHINE.wait(waiting, until_ns - time.monotonic_ns()):
                with contextlib.suppress(EOFError):
                    waiting.pop(ready).hear()
    for seat in seats:
        yield seat.offset or ClockOffset(-LOST_NS, LOST_NS)


def _refuse_lost(board: Switchboard) -> None:
    lost = [(line.channel.name, line.link.over) for line in board.lines if line.link.over]
    if lost:
        name, how = lost[0]
        others = f" ({len(lost) - 1} more agents are gone, too)" if len(lost) > 1 else ""
        raise WorkerError(f"Agent {name} {how}{others}; no load was sent.")


def refuse_files(machines: Sequence[Machine], plan: Plan, shares: Sequence[Share]) -> None:
    """Raise WorkerError when a machine allows too few open files for a worker's connections."""
    for machine, share in zip(machines, shares, strict=True):
        most = max(sum(plan.workers[i].connections) + sum(plan.workers[i].idle) for i in share.workers)
        if words := machine.too_few_files(most):
            raise WorkerError(f"{share.name} {words}, or spread the connections over more workers (general.threads).")
