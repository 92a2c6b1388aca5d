"""Rounds of a comparison on real servers: restarted, filled alike, and loaded in slices that mirror each other in time.

It decides nothing: what the rounds say, and whether another is wanted, is for who leads. It prints nothing.

A round is the unit of comparison, as what one start of a server happens to be like (its memory's layout, its place
in caches) lasts as long as the process. Within a round the candidates have their slices in an order and then in the
reverse, ABBA or BAAB, again and again, so that a drift of the machine that is straight in time falls on all alike.
Slices are short and many, as what else goes on in a machine comes and goes slowly: neighbours have it in common.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from loadgen import diagnosis, verdict
from loadgen.comparison import METRICS, Candidate, Round, Settings
from loadgen.crew import START_AHEAD_NS, Crew, Stop
from loadgen.errors import LoadgenError, TargetError
from loadgen.events import Event, Overall, Part, Progress, per_s
from loadgen.interrupts import Interrupts
from loadgen.plan import Endpoint, Plan, Segment
from loadgen.server_plan import ServerPlan
from loadgen.signs import Signs, WorkerSigns
from loadgen.slo import QUANTILES
from loadgen.snapshot import Snapshot
from loadgen.target.identity import identify
from loadgen.target.server import ManagedServer

CLOSED, OPEN = "closed", "open"

# An idle candidate that uses more of a CPU than this takes it from the one that is measured.
MOST_IDLE_CPU = 0.01

# As shares of GETs.
MOST_HITS_APART = 0.01

# Of requests in a slice.
MOST_FAILED = 0.001


class Interrupted(Exception):
    """The user asked to stop: the round in hand says nothing."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A candidate that takes part in rounds."""

    candidate: Candidate
    plan: Plan
    """The load on it. Of a server that is started for each round, the address is put in then."""
    server: ServerPlan | None
    """None: it runs already, and is neither restarted nor watched."""


@dataclass(slots=True)
class Side:
    """One contestant within a round: its server, its workers, and what its slices came to."""

    contestant: Contestant
    server: ManagedServer | None
    plan: Plan
    crew: Crew
    slices: dict[str, Snapshot] = field(default_factory=dict)
    """By loop, all slices merged."""
    cpu_ns: dict[str, int] = field(default_factory=dict)
    """By loop, what the server used from the begin of settling to the end of the drain; `sent` is for the same time."""
    sent: dict[str, int] = field(default_factory=dict)
    workers: dict[str, tuple[WorkerSigns, ...]] = field(default_factory=dict)
    """By loop, what the machine did to the generator over all slices."""
    rss_bytes: int = 0

    @property
    def name(self) -> str:
        return self.contestant.candidate.name

    def values(self, lengths_ns: Mapping[str, int]) -> dict[str, float]:
        """Its metrics of this round; `lengths_ns` has, by loop, how long it was measured."""
        values: dict[str, float] = {}
        if CLOSED in self.slices:
            # In a closed loop each reply brings on a request, so those of the window are as many as the replies in it.
            # The replies themselves cannot be told apart by where in a window of a quarter of a second they fell.
            values["throughput"] = per_s(self.slices[CLOSED].total.answered, lengths_ns[CLOSED])
        if OPEN in self.slices:
            latency = self.slices[OPEN].latency()
            values |= {name: float(latency.quantile(QUANTILES[name])) for name in ("p50", "p99", "p999")}
        # At an equal rate both do the same work; in a closed loop, the quicker one does more of it.
        loop = OPEN if OPEN in self.cpu_ns else CLOSED
        if self.cpu_ns.get(loop) and self.sent[loop]:
            values["server_cpu"] = self.cpu_ns[loop] / self.sent[loop]
        if self.rss_bytes:
            values["rss"] = float(self.rss_bytes)
        # What is 0 has no ratio to anything.
        return {name: value for name, value in values.items() if value > 0}


class Rounds:
    """Runs rounds of the contestants, one for each call of `next`. `emit` gets progress only.

    Raises TargetError or WorkerError when a candidate cannot be measured, Interrupted when the user asks to stop.
    """

    def __init__(
        self, contestants: Sequence[Contestant], settings: Settings, seed: int, emit: Callable[[Event], None]
    ) -> None:
        self.contestants = contestants
        self.settings = settings
        self.emit = emit
        self.random = random.Random(seed)
        self.number = 0
        self.slices_begun = 0
        """In the round in hand."""
        self.began_ns = 0
        """When the round in hand began."""
        self.longest_ns = 0
        """The longest round so far."""
        self.rate_per_s = settings.rate_per_s
        """Of the open-loop slices; found on the first contestant before the first round, where none is given."""
        self.identities: list[str] = [contestant.candidate.identity for contestant in contestants]
        self.notes: dict[str, None] = {}
        """What to know about all rounds so far, each once."""
        self.doubts: list[str] = []
        """Of the round in hand."""
        judged = [METRICS[name] for name in settings.thresholds]
        self.loops = [loop for loop in (CLOSED, OPEN) if any(metric.loop == loop for metric in judged)] or [CLOSED]

    def next(self) -> Round:
        """The next round."""
        if OPEN in self.loops and not self.rate_per_s:
            self.rate_per_s = self.capacity_per_s() * self.settings.load_share
        self.number += 1
        self.slices_begun = 0
        self.began_ns = time.monotonic_ns()
        self.doubts = []
        everybody = list(range(len(self.contestants)))
        order = []
        for _ in range(self.settings.slices // 2):
            there = self.random.sample(everybody, len(everybody))
            order += [*there, *reversed(there)]
        lengths_ns = dict.fromkeys(self.loops, self.settings.slices * self.settings.slice_ns)
        with self.sides(self.random.sample(everybody, len(everybody))) as sides:
            for loop in self.loops:
                for place in order:
                    self.slice(sides, place, loop)
            for side in sides:
                self.only(side, sides)
                self.look(side)
                self.doubt(side)
            self.compare_hits(sides)
            values = tuple(side.values(lengths_ns) for side in sides)
            if sides[0].crew.interrupts.count:
                raise Interrupted
        self.longest_ns = max(self.longest_ns, time.monotonic_ns() - self.began_ns)
        return Round(self.number, tuple(order), values, tuple(self.doubts))

    def capacity_per_s(self) -> float:
        """What the first contestant reaches in a closed loop, in requests per second."""
        with self.sides([0]) as sides:
            for _ in range(self.settings.slices):
                self.slice(sides, 0, CLOSED)
            values = sides[0].values({CLOSED: self.settings.slices * self.settings.slice_ns})
        if "throughput" not in values:
            raise TargetError(f"{sides[0].name} answered nothing within its slices: make them longer (--slice).")
        return values["throughput"]

    @contextlib.contextmanager
    def sides(self, places: Sequence[int]) -> Iterator[list[Side]]:
        """The contestants at these places, started in this order, connected and filled; yielded in their own order."""
        started: dict[int, Side] = {}
        with contextlib.ExitStack() as stack:
            interrupts = Interrupts()
            stack.callback(interrupts.close)
            for place in places:
                started[place] = self.start(place, interrupts, stack)
            stack.enter_context(interrupts.caught())
            sides = [started[place] for place in sorted(started)]
            try:
                for side in sides:
                    self.only(side, sides)
                    stack.enter_context(side.crew.at_work())
                    side.crew.connect()
                    if side.plan.prefill:
                        side.crew.prefill()
                yield sides
            except Stop:
                raise self.stopped(sides) from None
            finally:
                for side in sides:
                    if side.server is not None:
                        side.server.resume()

    def start(self, place: int, interrupts: Interrupts, stack: contextlib.ExitStack) -> Side:
        contestant = self.contestants[place]
        plan, server = contestant.plan, None
        if contestant.server is not None:
            server = stack.enter_context(ManagedServer(contestant.server))
            plan = replace(plan, endpoints=(Endpoint(server.host, server.port, server.host),))
        if not self.identities[place]:
            self.identities[place] = identify(plan)
        crew = Crew(plan, self.teller(contestant.candidate), server=server, interrupts=interrupts)
        return Side(contestant, server, plan, crew)

    def teller(self, candidate: Candidate) -> Callable[[Event], None]:
        def tell(event: Event) -> None:
            if isinstance(event, Progress):
                self.emit(replace(event, overall=self.overall(), target=candidate.name))

        return tell

    def overall(self) -> Overall:
        """How far the round in hand has come; before the first one, nothing is known of its length."""
        rounds = Part("round", max(1, self.number), self.settings.max_rounds)
        total = len(self.loops) * self.settings.slices * len(self.contestants)
        if not self.number:
            return Overall((rounds,))
        return Overall((rounds, Part("slice", max(1, self.slices_begun), total)), self.left_ns(total))

    def left_ns(self, slices: int) -> int:
        """The time that all rounds allowed still take, by those that have ended, or by what their slices add up to."""
        spent_ns = time.monotonic_ns() - self.began_ns
        round_ns = max(self.longest_ns, slices * (self.settings.settle_ns + self.settings.slice_ns + START_AHEAD_NS))
        return max(0, round_ns - spent_ns) + (self.settings.max_rounds - self.number) * round_ns

    def only(self, chosen: Side, sides: Sequence[Side]) -> None:
        """Stops the servers of all others, so that none of them uses a CPU in the meantime."""
        for side in sides:
            if side.server is not None:
                if side is chosen:
                    side.server.resume()
                else:
                    side.server.pause()

    def slice(self, sides: Sequence[Side], place: int, loop: str) -> None:
        """One stretch of load on one side, added to what it had."""
        side, length_ns = sides[place], self.settings.slice_ns
        self.slices_begun += 1
        others = [other.server for other in sides if other is not side and other.server is not None]
        crew = side.crew
        self.only(side, sides)
        if crew.load.start_ns:
            crew.open_connections()
        self.check_connected(side)
        profile = (Segment(length_ns, self.rate_per_s, self.rate_per_s),) if loop == OPEN else ()
        before = side.server.usage() if side.server is not None else None
        idle_before = [server.usage() for server in others]
        crew.begin("measure")
        crew.begin_load(profile, self.settings.settle_ns, length_ns)
        crew.follow("warmup")
        crew.follow("measure")
        crew.begin("drain")
        crew.drain()
        if crew.failure or crew.interrupts.count:
            raise Stop
        after = side.server.usage() if side.server is not None else None
        measured = crew.settled("measure")
        self.check_answers(side, measured)
        side.slices[loop] = side.slices.get(loop, Snapshot()) + measured
        if before is not None and after is not None:
            side.cpu_ns[loop] = side.cpu_ns.get(loop, 0) + (after - before).cpu_ns
            sent = sum(crew.settled(phase).sent for phase in ("warmup", "measure", "drain"))
            side.sent[loop] = side.sent.get(loop, 0) + sent
        for server, idle in zip(others, idle_before, strict=True):
            now = server.usage()
            if now is not None and idle is not None and (now - idle).cpu_share > MOST_IDLE_CPU:
                self.notes[f"{server.name} used a CPU while it was stopped and another was measured"] = None
        earlier, newest = side.workers.get(loop, ()), crew.signs()
        side.workers[loop] = tuple(a + b for a, b in zip(earlier, newest, strict=True)) if earlier else newest

    def compare_hits(self, sides: Sequence[Side]) -> None:
        """Notes when some find more of their keys than others: a miss is quicker than a hit."""
        merged = [sum(side.slices.values(), Snapshot()).hit_rate for side in sides]
        rates = [rate for rate in merged if rate is not None]
        if rates and max(rates) - min(rates) > MOST_HITS_APART:
            self.notes["hit rates differ by more than 1 %, and a miss is quicker than a hit: not the same work"] = None

    def look(self, side: Side) -> None:
        """What is seen of a server when its slices are over. Raises TargetError where it is not the one that began."""
        if side.server is None:
            return
        if side.server.restarted():
            raise TargetError(f"{side.name} was restarted while load was on it: another process answers now.")
        if (usage := side.server.usage()) is not None:
            side.rss_bytes = usage.rss_bytes

    def check_connected(self, side: Side) -> None:
        """Raises TargetError where a connection is missing: fewer of them are another load."""
        crew = side.crew
        if any(crew.down()):
            crew.reopen()
        for endpoint in crew.without_connection()[:1]:
            raise TargetError(f"{side.name}: {diagnosis.gone(endpoint, crew.failures('measure'), crew.examples)}")
        if missing := sum(crew.down()):
            why = f" ({'; '.join(crew.warnings)})" if crew.warnings else ""
            raise TargetError(f"{side.name}: {missing} of {side.plan.connections} connections were not there{why}.")

    def check_answers(self, side: Side, measured: Snapshot) -> None:
        """Raises TargetError where too many requests failed for the rest to be compared."""
        total = measured.total
        if total.not_ok <= MOST_FAILED * total.planned:
            return
        words = "; ".join(f"{kind}: {example}" for kind, example in side.crew.examples.items())
        raise TargetError(
            f"{side.name}: {total.not_ok / total.planned:.2%} of requests failed{f' ({words})' if words else ''}, and "
            "how fast a failure is says nothing; `loadgen smoke` tells what is wrong."
        )

    def doubt(self, side: Side) -> None:
        """Notes what speaks against a side's latency in this round."""
        if OPEN not in side.slices:
            return
        judged = verdict.judge(
            side.plan.verdict,
            side.slices[OPEN],
            Signs(side.workers[OPEN]),
            open_loop=True,
            spin=side.plan.spin,
            duration_ns=self.settings.slices * self.settings.slice_ns,
        )
        self.doubts += [f"{side.name}: {reason}" for reason in judged.reasons]

    def stopped(self, sides: Sequence[Side]) -> LoadgenError | Interrupted:
        """Why a round did not come to its end."""
        for side in sides:
            if side.crew.failure:
                return TargetError(f"{side.name}: {side.crew.failure}")
        return Interrupted()
