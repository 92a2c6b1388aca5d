"""The connections of a plan: opened by the members, and counted from the members' last reports."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING

from loadgen.errors import TargetError
from loadgen.events import Progress
from loadgen.judge import diagnosis
from loadgen.phase import Failure, Phase
from loadgen.plan import Endpoint, Plan
from loadgen.reason import Code, Reason
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.watch import exit_report_within
from loadgen.units import NS_PER_S
from loadgen.worker.messages import OPENED_AT_A_TIME, Connect, Connected

if TYPE_CHECKING:
    from loadgen.runner.crew import Crew

# The time between attempts to greet a server that is loading its data set, until the connect timeout.
LOADING_INTERVAL_S = 0.2


class Connections:
    """All connections of a crew, to all endpoints of its plan."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.plan = crew.plan

    # ── Opened ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def establish(self) -> None:
        """Open all connections, each of which greets its server. Wait for a server that is loading its data set.

        Raises TargetError when a server cannot be reached at all, or rejects every connection.
        """
        crew, asked = self.crew, self.plan.wire.connections
        began_ns = time.monotonic_ns()

        def opening() -> None:
            if all(seat.down for seat in crew.seats):
                up = asked - sum(self.down())
                crew.emit(Progress(Phase.CONNECT, up, asked, time.monotonic_ns() - began_ns))

        down = self.open(opening=opening)
        crew.begin(Phase.PRECHECK)
        while any(down) and crew.examples.get(Failure.TURNED_AWAY, "").startswith("LOADING"):
            elapsed_ns = time.monotonic_ns() - began_ns
            if elapsed_ns >= self.plan.wire.connect_timeout_ns:
                break
            note = "the server is loading its data set"
            crew.emit(Progress(Phase.CONNECT, asked - sum(down), asked, elapsed_ns, note))
            crew.pause(LOADING_INTERVAL_S)
            down = self.open()
        for place, endpoint in enumerate(self.plan.target.nodes):
            if down[place] == diagnosis.planned_connections(self.plan, place):
                raise TargetError(self.why_not(endpoint))
            if down[place]:
                words = diagnosis.some_down(self.plan, place, down[place], crew.failures(), crew.examples)
                crew.notes.append(Reason(Code.CONNECTIONS_DOWN, words))
        crew.notes += (Reason(Code.GREETING, words) for words in diagnosis.greeting_remarks(self.plan, crew.examples))

    def open(self, fresh: bool = False, opening: Callable[[], object] = lambda: None) -> tuple[int, ...]:
        """Open the connections that are down, or all anew. Return how many to each endpoint did not become ready.

        `opening` is called at each report of a member on its progress.
        """
        crew = self.crew
        for seat in crew.running():
            seat.final = None  # After an earlier load, the member reports again.
        rounds = max(-(-(sum(own.connections) + sum(own.idle)) // OPENED_AT_A_TIME) for own in self.plan.workers)
        crew.tell_all(Connect(fresh))
        crew.gather(Connected, rounds * self.plan.wire.connect_timeout_ns + ramp_ns(self.plan), opening)
        return self.down()

    def reopen(self) -> None:
        """Open the connections that are down after a drain: a server that recycles connections may have closed some."""
        seats = self.crew.seats
        finals = [seat.final for seat in seats]
        with contextlib.suppress(EndedEarly):
            self.open()
        for seat, final in zip(seats, finals, strict=True):
            seat.final = final

    # ── Counted ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def down(self) -> tuple[int, ...]:
        """Return how many connections to each endpoint were not ready at the members' last reports."""
        # A member may already have lanes for new nodes of a cluster that another one has not yet.
        return tuple(map(sum, zip_longest(*(seat.down for seat in self.crew.seats if seat.down), fillvalue=0)))

    def without(self) -> list[Endpoint]:
        """Return the servers to which no connection was ready at the members' last reports."""
        down, topology = self.down(), self.crew.topology
        placements = self.plan.target.placements if topology is None else topology.placements
        return [
            placement.endpoint
            for place, placement in enumerate(placements[: len(self.plan.target.placements)])
            if placement.endpoint is not None and down[place] == diagnosis.planned_connections(self.plan, place)
        ]

    def gone(self) -> list[Endpoint]:
        """Return the servers to which no connection was ready after a drain, and to which none can be made now."""
        if self.without():
            self.reopen()
        return self.without()

    # ── Diagnosis ───────────────────────────────────────────────────────────────────────────────────────────────────

    def why_not(self, endpoint: Endpoint) -> str:
        """Return why no connection to a server became ready, and what to do about it."""
        crew = self.crew
        return self._departed(endpoint) or diagnosis.why_not(self.plan, endpoint, crew.failures(), crew.examples)

    def why_gone(self, endpoint: Endpoint) -> str:
        """Return a sentence: no connection to a server was left when its load ended, and why."""
        failures = self.crew.failures(Phase.MEASURE)
        return self._departed(endpoint) or diagnosis.gone(endpoint, failures, self.crew.examples)

    def _departed(self, endpoint: Endpoint) -> str:
        """Return how the watched server ended or stopped listening, with the end of its log; empty for neither."""
        crew, server = self.crew, self.crew.server
        if server is None:
            return ""
        if exit_report := exit_report_within(server):
            return f"{diagnosis.ended(exit_report, server.log_errors(), server.log_tail())}."
        if Failure.REFUSED in crew.failures() | crew.failures(Phase.MEASURE):
            where = diagnosis.address(endpoint)
            return f"{diagnosis.deaf(server.name, where, server.log_errors(), server.log_tail())}."
        return ""


def ramp_ns(plan: Plan) -> int:
    """Return the time in which the first connections are opened, at the plan's pace."""
    wire = plan.wire
    rate_per_s = wire.life.connect_rate_per_s
    return round((wire.connections + wire.life.idle) / rate_per_s * NS_PER_S) if rate_per_s else 0
