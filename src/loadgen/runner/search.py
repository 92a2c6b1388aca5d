"""The saturation search on real servers: puts on each rate that `stats.search` asks for, and returns the counts.

This file decides nothing and prints nothing: `stats.search` chooses the next rate and the end of the search, and
`stats.trial` decides if a rate passed. The same workers put on every load and drain each one, so every request of a
load is accounted for before the next load begins.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loadgen import slo
from loadgen.events import Event, PhaseBegan, Progress, SearchEnded, StepTaken
from loadgen.judge import diagnosis, failures, verdict
from loadgen.judge.judging import Judging
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.plan import Plan, Segment
from loadgen.reason import Code, Reason
from loadgen.runner import beside
from loadgen.runner.beside import Beside
from loadgen.runner.crew import Crew
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.intervals import Interval
from loadgen.runner.load import Counted
from loadgen.runner.member import Members
from loadgen.runner.processes import WorkerProcesses
from loadgen.runner.stop import NEVER, Stop
from loadgen.signs import Signs
from loadgen.snapshot import Snapshot
from loadgen.stats.search import Outcome, Probe, Purpose, Search, SearchAnswer, SearchSettings
from loadgen.stats.trial import Block, Limit, Trial, hopeless
from loadgen.units import NS_PER_S
from loadgen.usage import WatchedServer

if TYPE_CHECKING:
    from loadgen.monitors.board import Board

# The fewest blocks before a rate is given up: a single block may be bad by chance.
LEAST_BLOCKS = 2


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of one load at a rate, or the sum of several."""

    length_ns: int
    measured: Snapshot
    blocks: tuple[Block, ...]
    limited_by: str

    def __add__(self, later: Observation) -> Observation:
        return Observation(
            self.length_ns + later.length_ns,
            self.measured + later.measured,
            self.blocks + later.blocks,
            self.limited_by or later.limited_by,
        )

    def trial(self, limits: tuple[Limit, ...], failed: str = "") -> Trial:
        length_s = self.length_ns / NS_PER_S
        total = self.measured.total
        return Trial(
            length_s=length_s,
            offered_per_s=total.planned / length_s if length_s else 0.0,
            achieved_per_s=self.measured.ok_in_time / length_s if length_s else 0.0,
            blocks=self.blocks,
            x_ns=tuple(_quantile(self.measured, limit) for limit in limits),
            backlog=total.planned - self.measured.answered_in_time,
            limited_by=self.limited_by,
            failed=failed,
        )


class Saturation:
    """The search for the highest rate that meets the settings' limits.

    `emit` receives every event but the last, which `result` returns. `server` is the server under load, if it is
    watched; `board` has the monitors that read beside the loads; `stop` ends the search early when any thread sets it;
    `members` makes the workers, by default as processes of this machine.
    """

    def __init__(
        self,
        plan: Plan,
        settings: SearchSettings,
        emit: Callable[[Event], None],
        *,
        embedded: bool = False,
        server: WatchedServer | None = None,
        board: Board | None = None,
        judging: Judging,
        stop: Stop = NEVER,
        members: Members | None = None,
    ) -> None:
        self.plan = plan
        self.verdict_limits = judging.limits
        self.put = emit
        self.beside = Beside(board, lambda at_ns: self.searched_ns <= at_ns) if board is not None else None
        self.searched_ns: float = math.inf
        """The time from which rates are tried."""
        self.embedded = embedded
        self.settings = settings
        self.search = Search(settings)
        self.crew = Crew(plan, self.tell, members=members or WorkerProcesses(), server=server, stop=stop)
        self.answer: SearchAnswer | None = None
        self.loads: dict[str, Snapshot] = {Phase.WARMUP: Snapshot(), Phase.MEASURE: Snapshot()}
        """The requests of all rates together."""
        self.part: Observation | None = None
        """The sum of the loads at the current rate: more than one load when the verdict was open."""
        self.probe: Probe | None = None
        self.before = Snapshot()
        self.blocks: list[Block] = []
        self.failed = ""
        """The sentence that too many requests failed at the last rate, the lowest if no rate passed; or empty."""
        self.never_opened = 0
        """The connections that were down after all had been tried."""
        self.given_up = False

    def result(self) -> SearchEnded:
        """Search to the end or to an early end, and return the last event.

        Raises TargetError or WorkerError when there is nothing to search: no worker, no connection, no prefill.
        """
        crew = self.crew
        with crew.at_work():
            try:
                crew.connect()
                self.never_opened = sum(crew.connections.down())
                if self.plan.workload.prefill:
                    crew.prefill()
                crew.begin(Phase.SEARCH)
                self.searched_ns = time.monotonic_ns()
                self.follow_the_search()
            except EndedEarly:
                crew.drain()
            self.emit_news()
            phases = self.loads | {phase: crew.settled(phase) for phase in (Phase.PRECHECK, Phase.PREFILL)}
        monitors = self.beside.reports() if self.beside is not None else ()
        return SearchEnded(
            plan=self.plan,
            limits=self.settings.limits,
            answer=self.answer,
            phases=phases,
            embedded=self.embedded,
            interrupted=crew.stop.is_set,
            reasons=(*crew.failure.reasons, *(self.failed_because(phases) if self.answer is not None else ())),
            notes=(*crew.notes, *beside.notes(monitors)),
            monitors=monitors,
            examples=crew.examples,
            history=crew.history(),
        )

    def emit(self, event: Event) -> None:
        """Emit an event, after what monitors have read since the last one."""
        self.emit_news()
        self.put(event)

    def emit_news(self) -> None:
        for news in self.beside.news() if self.beside is not None else ():
            self.put(news)

    def failed_because(self, phases: Mapping[str, Snapshot]) -> tuple[Reason, ...]:
        overall = sum(phases.values(), Snapshot())
        why = diagnosis.because(overall.failures, self.crew.examples)
        limit = self.verdict_limits.connections
        connections = failures.of_connections(self.plan.wire.connections, self.never_opened, limit, why)
        requests = f"{self.failed}{failures.accepting(overall.total)}" if self.failed else ""
        return failures.reasons(requests, connections)

    def follow_the_search(self) -> None:
        warmup_ns = self.plan.load.warmup_ns
        asked = self.search.next(None)
        while isinstance(asked, Probe):
            self.probe = asked
            counted = self.offer(asked, warmup_ns)
            if counted.ended_early or self.gone():
                return
            part = self.observed(asked, counted)
            self.part = self.part + part if self.part is not None and asked.continues else part
            taken = len(self.search.steps)
            self.failed = failures.of_requests((self.part.measured,), self.verdict_limits.failures, self.crew.examples)
            asked = self.search.next(self.part.trial(self.probe.limits, self.failed))
            for number, step in enumerate(self.search.steps[taken:], taken + 1):
                self.emit(StepTaken(number, step))
            warmup_ns = 0
        self.answer = asked
        if asked.outcome is not Outcome.NEVER_PASSED:
            self.failed = ""

    def offer(self, probe: Probe, warmup_ns: int) -> Counted:
        """Put one rate on, and add its counts to those of all loads. The first rate follows the plan's warm-up."""
        if self.crew.load is not None:
            self.crew.connections.open(fresh=probe.fresh and not probe.continues)
        done_s = self.part.length_ns / NS_PER_S if self.part is not None and probe.continues else 0.0
        length_ns = max(1, round((probe.length_s - done_s) * NS_PER_S))
        rate_per_s = probe.rate_per_s
        load = replace(
            self.plan.load,
            warmup_ns=max(round(self.settings.drain_window_s * NS_PER_S), warmup_ns),
            duration_ns=length_ns,
            interval_ns=round(probe.block_s * NS_PER_S),
            profile=() if probe.purpose is Purpose.BURST else (Segment(length_ns, rate_per_s, rate_per_s),),
            requests=0,
        )
        self.before, self.blocks, self.given_up = Snapshot(), [], False
        counted = self.crew.put_on(
            load,
            interval_ended=self.interval_ended,
            enough=lambda: self.given_up,
        )
        for phase in self.loads:
            self.loads[phase] += counted.phases.get(phase, Snapshot())
        return counted

    def observed(self, probe: Probe, counted: Counted) -> Observation:
        """Return the result of a load."""
        # Requests that were answered in the drain, or never, belong to the last block.
        last = self.block(probe.limits, counted.measured - self.before)
        length_ns, limited_by = max(1, counted.length_ns), ""
        if probe.purpose is not Purpose.BURST:
            judged = verdict.judge(
                self.verdict_limits,
                counted.measured,
                Signs(counted.signs, counted.host),
                open_loop=True,
                spin=self.plan.wire.spin,
                duration_ns=length_ns,
            )
            limited_by = judged.reasons[0].words if judged.reasons else ""
        return Observation(length_ns, counted.measured, (*self.blocks, last), limited_by)

    def interval_ended(self, ended: Interval) -> None:
        """Count a block, and give the rate up if it is hopeless."""
        assert self.probe is not None
        if ended.phase != Phase.MEASURE:
            return
        self.blocks.append(self.block(self.probe.limits, ended.so_far - self.before))
        self.before = ended.so_far
        if self.probe.purpose is Purpose.BURST:
            return
        elapsed_ns = ended.number * ended.length_ns
        due = round(self.probe.rate_per_s * elapsed_ns / NS_PER_S)
        over = ended.so_far.total.ok + ended.so_far.total.not_ok
        part = Observation(elapsed_ns, ended.so_far, tuple(self.blocks), "")
        if self.probe.continues and self.part is not None:
            part = self.part + part
        trial = replace(part.trial(self.probe.limits), offered_per_s=self.probe.rate_per_s, backlog=max(0, due - over))
        self.given_up = ended.number >= LEAST_BLOCKS and bool(hopeless(trial, self.probe.limits))

    def block(self, limits: tuple[Limit, ...], counted: Snapshot) -> Block:
        pairs = [_exceeding(counted, limit, self.plan.wire.request_timeout_ns) for limit in limits]
        return Block(tuple(requests for requests, _ in pairs), tuple(exceeding for _, exceeding in pairs))

    def gone(self) -> bool:
        """Return True when the search cannot go on; a server without a connection is recorded as the failure."""
        crew, connections = self.crew, self.crew.connections
        if not crew.failure and connections.without():
            # A load at too high a rate may end while all connections are being reopened.
            connections.open()
            for endpoint in connections.without()[:1]:
                crew.failure.ended_by(Code.SERVER_GONE, connections.why_gone(endpoint))
        return bool(crew.failure)

    def tell(self, event: Event) -> None:
        """Emit an event of the crew, with the current rate in a progress event, without the phases of each load."""
        if isinstance(event, PhaseBegan) and event.phase in OF_A_LOAD:
            return
        if isinstance(event, Progress) and event.phase in (Phase.WARMUP, Phase.MEASURE) and self.probe is not None:
            rate = f"{self.probe.rate_per_s:,.0f} req/s" if self.probe.rate_per_s else "closed loop"
            event = replace(event, phase=f"step {len(self.search.steps) + 1}, {self.probe.purpose} {rate}")
        self.emit(event)


def _exceeding(counted: Snapshot, limit: Limit, timeout_ns: int) -> tuple[int, int]:
    """Return how many of a limit's requests ended, and how many of these did not end well within the limit."""
    requests, above = slo.exceeding(counted, limit.limit_ns, limit.command)
    # An unfinished request younger than the limit could still have met it, but the drain ended before.
    if limit.limit_ns >= timeout_ns:
        above += counted.tally(limit.command or "all").unfinished
    return requests, min(above, requests)


def _quantile(counted: Snapshot, limit: Limit) -> int:
    """Return the response time of the limit's quantile in ns; 0 when nothing ended, or too many requests failed."""
    return slo.response_ns(counted, limit.quantile, limit.command or "all") or 0
