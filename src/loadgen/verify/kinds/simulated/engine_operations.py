"""The kinds of simulated cases of the load engine: on built-in servers, over a drawn network, under faults.

A case is safety, then liveness: faults begin and end while the load goes on, and after the last of them the load must
end within a bound. The engine's accounts hold after every event. At the end each request has one end, no server has
executed what was not sent, where nothing was cut the servers have executed exactly what was sent, and the history that
the engine kept is that of a register under cache semantics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from loadgen.engine._history import History
from loadgen.phase import Phase
from loadgen.plan import Weights
from loadgen.protocol import PROTOCOLS as SPOKEN
from loadgen.protocol import Wire
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.checkers import register
from loadgen.verify.checkers._register import Register
from loadgen.verify.history import file
from loadgen.verify.kinds.simulated.engine_faults import (
    CROWDED,
    FAULTS,
    NOTHING,
    PROXIES,
    Fault,
    Scene,
    drawn_faults,
)
from loadgen.verify.kinds.simulated.engine_faults import MOST as MOST_FAULTS
from loadgen.verify.kinds.simulated.engine_plan import PROTOCOLS, Shape, drawn_plan, in_words, transfer_ns
from loadgen.verify.kinds.simulated.planted import Planted
from loadgen.verify.kinds.simulated.weather import Weather
from loadgen.verify.kinds.simulated.world_case import WorldCase
from loadgen.verify.tape import MOST, OPERATIONS, Tape
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import Network
from loadgen.verify.world._proxy import DELAYED, LIMITED, WHOLE
from loadgen.verify.world._world import BrokenInvariant, World
from loadgen.verify.world.engine_load import EngineLoad, Ran, Unfinished
from loadgen.verify.world.policy import BY_PRIORITIES
from loadgen.verify.world.proxy import WorldProxy
from loadgen.verify.world.servers import BuiltinServer
from loadgen.verify.world.toxics import STRENGTHS

PORT = 6379
MOST_OPERATIONS = 1_000_000
HOPS = 6
"""The events of a round trip, each of which may wait for a window."""

ENDS = "every load ends after the faults"
ACCOUNTS = "the engine's accounts hold"
COUNTED = "every planned request has one end"
EXECUTED = "servers execute what was sent, once"
UNDERSTOOD = "every reply is understood"
REFUSED = "every error reply is counted as an error"
ANSWERED = "without faults every request is answered"
LEGAL = "the history is that of a register, from which keys may vanish"
CLEARED = "a proxy's connections end with those of its clients"

PROMISES = {WHOLE, DELAYED, LIMITED}
"""What the bytes of a proxy are held to."""

IN_ANY_WAY = {UNDERSTOOD, LEGAL}
"""What one defect breaks in several ways, by the requests that are under way: failures of these are one failure."""

MISUNDERSTOOD = {"protocol", "unasked reply", "wrong answer"}
"""The failures that a healthy server never causes."""

ERROR_REPLIES = {"ERR", "ERROR", "SERVER_ERROR"}
"""The classes of error replies that servers give by their faults."""

RUN = 1
"""The number of the run, by which values are marked."""


@dataclass(frozen=True, slots=True)
class EngineKind:
    """What the cases of one kind are drawn from."""

    name: str
    shape: Shape = field(default_factory=Shape)
    faults: tuple[str, ...] = tuple(FAULTS)
    """The faults that a seed may have."""
    means: tuple[float, ...] = (2.0, 0.0, 6.0)
    """The mean number of faults, of which a seed draws one."""
    planted: bool = True
    """True when a seed may plant faults in the servers' own code."""
    proxied: float = 0.0
    """The probability that there is a proxy before a server."""
    most_faults: int = MOST_FAULTS
    tick_ns: int = 0
    """Faults begin and end at multiples of it; 0: at any time."""


COMING_AND_GOING = (
    "server refuses connections",
    "server does not answer handshakes",
    CROWDED,
    "server closes its connections",
    "connection is reset",
    "connection vanishes at the server",
    "connection vanishes at the engine",
    "partition",
    "server is killed",
)

BESIDE_PROXIES = (
    "server pauses",
    "engine pauses",
    "connection is reset",
    "partition",
    "server closes its connections",
    "server is killed",
)
"""The faults of servers behind proxies: those of which each end of a connection is told."""

ENGINE_KINDS = (
    EngineKind("engine_concurrent_operations"),
    EngineKind(
        "engine_write_contention",
        Shape(
            servers=1,
            connections=(8, 16, 32),
            depths=(1, 4, 16),
            keys=(1, 2, 5),
            mixes=(Weights(get=1, set=1), Weights(get=1, set=4), Weights(set=1), Weights(get=2, set=2, delete=1)),
        ),
        means=(1.0, 0.0, 4.0),
    ),
    EngineKind(
        "engine_crash_recovery",
        Shape(servers=2, keys=(100, 10, 5)),
        ("server is killed", "server loses power"),
        means=(2.0, 1.0, 6.0),
    ),
    EngineKind(
        "engine_connection_storm",
        Shape(servers=2, connections=(16, 8, 32, 64), depths=(1, 2)),
        COMING_AND_GOING,
        means=(3.0, 8.0),
    ),
    EngineKind("engine_liveness", means=(6.0, 12.0)),
    EngineKind(
        "engine_toxics", Shape(depths=(1, 2, 8)), (*PROXIES, *BESIDE_PROXIES), means=(4.0, 8.0, 0.0), proxied=0.8
    ),
)
"""The kinds: what comes together in any load; many writers of few keys; servers that are killed and come back, empty or
with what they had; connections that cannot be made, and many of them; so many faults that little else happens, which
must be over soon after the last; servers behind proxies, whose toxics come, change and go under load."""


class EngineOperations(WorldCase):
    """Cases of one kind with so many operations, with faults or without."""

    def __init__(self, operations: int, kind: EngineKind = ENGINE_KINDS[0], *, faults: bool = True) -> None:
        super().__init__(kind.name, operations)
        self._kind = kind if faults else replace(kind, faults=())
        self._register = Register()

    def _outcome(self, tape: Tape, world: World) -> Outcome:
        return _Run(tape, world, self._operations, self._kind, self._register).outcome()


class _Run:
    """One run of a case."""

    def __init__(self, tape: Tape, world: World, operations: int, kind: EngineKind, register: Register) -> None:
        self.world = world
        self.began_ns = world.now_ns
        self.kind = kind
        self.register = register
        self.operations = 1 + tape.given(operations - 1, MOST_OPERATIONS, OPERATIONS)
        self.weather = Weather.drawn(tape)
        self.planted = Planted.drawn(tape) if kind.faults and kind.planted else NOTHING
        network = Network(world, self.weather.buffer_bytes)
        host = network.host()
        protocol = tape.choice(PROTOCOLS, "protocol")
        count = tape.between(1, kind.shape.servers, "servers")
        servers = [self.server(network, protocol, number) for number in range(count)]
        self.proxies = dict(self.drawn_proxies(tape, network, servers)) if kind.proxied else {}
        fronts = [self.proxies.get(number, server) for number, server in enumerate(servers)]
        for front in fronts:
            self.weather.over(network, host, front.host)
        # With a proxy on it, the way is twice as long.
        self.legs = 2 if self.proxies else 1
        # A round trip takes longer where events wait for those of a higher priority.
        way_ns = 2 * self.weather.longest_ns + HOPS * world.window_ns
        self.round_trip_ns = self.legs * way_ns + self.planted.slice_ns
        self.plan = drawn_plan(
            tape,
            kind.shape,
            protocol,
            [front.endpoint for front in fronts],
            self.operations,
            self.round_trip_ns,
            self.planted.narrowed(self.weather.stream_bytes_per_s),
        )
        self.scene = Scene(network, host, servers, kind.faults, self.proxies, self.planted)
        length_ns = self.least_ns()
        self.faults: list[Fault] = []
        if kind.faults:
            most_ns = max(length_ns, 10 * NS_PER_MS)
            self.faults = [
                *drawn_faults(
                    tape,
                    kind.faults,
                    kind.means,
                    len(servers),
                    world.now_ns,
                    most_ns,
                    most=kind.most_faults,
                    tick_ns=kind.tick_ns,
                )
            ]
        for fault in self.faults:
            self.scene.plan(fault)
        self.healed_ns = max((fault.until_ns for fault in self.faults), default=world.now_ns)
        self.until_ns = self.healed_ns + self.patience_ns(length_ns)
        self.history = History(0, RUN)
        self.load = EngineLoad(host, self.plan, self.history)

    def patience_ns(self, length_ns: int) -> int:
        """Return how long a load may take after the last fault.

        A connection is given up after a timeout, waits before it is opened again, and is greeted; its requests are then
        sent, and may be given up in their turn. What is left of the load takes its time.
        """
        wire = self.plan.wire
        given_up_ns = wire.connect_timeout_ns + 2 * wire.request_timeout_ns + wire.longest_backoff_ns
        return 2 * given_up_ns + 10 * NS_PER_S + 4 * length_ns + 4 * self.transfer_ns()

    def server(self, network: Network, protocol: str, number: int) -> BuiltinServer:
        return BuiltinServer(network.host(), PORT, Wire(SPOKEN[protocol].wire), faults=self.planted.faults(number))

    def drawn_proxies(
        self, tape: Tape, network: Network, servers: list[BuiltinServer]
    ) -> Iterator[tuple[int, WorldProxy]]:
        """Yield the proxies before servers, with the servers' numbers."""
        for number, server in enumerate(servers):
            if tape.chance(self.kind.proxied, "server is behind a proxy"):
                host = network.host()
                self.weather.over(network, host, server.host)
                seed = tape.below(MOST, "seed of the proxy")
                upstream = (server.host.address, server.port)
                yield number, WorldProxy(Ground(host), f"proxy {number}", PORT, upstream, seed)

    def least_ns(self) -> int:
        """About the time that the load takes when nothing delays it."""
        load, wire = self.plan.load, self.plan.wire
        per_round = wire.connections * (wire.pipeline_depth if wire.refill == "slot" else 1)
        workload = self.plan.workload
        rounds = -(-(self.operations + workload.prefill * workload.keyspace.count) // per_round)
        replies_ns = rounds * (self.round_trip_ns + self.legs * self.weather.lost_ns)
        requests = self.operations + workload.prefill * workload.keyspace.count
        replies_ns += self.planted.least_ns(requests, wire.connections, self.round_trip_ns)
        return max(replies_ns, round(self.operations * NS_PER_S / load.rate_per_s) if load.open_loop else 0)

    def transfer_ns(self) -> int:
        """About the time that the bytes of all requests and replies take."""
        workload = self.plan.workload
        values = 2 * self.operations + workload.prefill * workload.keyspace.count
        weather = self.weather
        # With what a buffer carries in each round trip; of that a third may be one segment, and each may be lost.
        by_buffer = weather.buffer_bytes * NS_PER_S // self.round_trip_ns
        narrowest = min(by_buffer, weather.bytes_per_s or by_buffer)
        segments = 3 * values * (workload.value_bytes + 100) // weather.buffer_bytes / (1 - weather.split)
        lost_ns = round(segments * weather.loss * NS_PER_S)
        return lost_ns + transfer_ns(values, workload.value_bytes, self.planted.narrowed(narrowest))

    def outcome(self) -> Outcome:
        load, invariant, message = self.load, "", ""
        ran: Ran | None = None
        try:
            load.connect(self.until_ns)
            if self.plan.workload.prefill:
                load.write_keys(self.until_ns)
            load.load(self.until_ns)
            ran = load.close()
            # What is under way is executed, and closed connections are told.
            self.world.run(max(self.until_ns, load.now_ns) + self.legs * 10 * NS_PER_S)
        except Unfinished as error:
            invariant, message = ENDS, str(error)
        except BrokenInvariant as error:
            law = re.sub(r":.*", "", str(error))
            invariant, message = law if law in PROMISES else f"{ACCOUNTS}: {law}", str(error)
        if ran is not None:
            calls = self.scene.all_calls()
            blocks = self.history.blocks()
            invariant, message = self.judged(ran, calls, blocks)
            self.world.note_text(repr((ran.tallies, ran.connections, ran.failures, sorted(calls.items()))).encode())
            self.world.note_text(blocks)
        return Outcome(
            Verdict.FAIL if invariant else Verdict.PASS,
            invariant,
            message,
            operations=(in_words(self.plan), self.surroundings()) if invariant else (),
            faults=(*filter(None, [str(self.planted)]), *(str(fault) for fault in self.faults)),
            trace=self.world.digest(),
            fingerprint=invariant if invariant in IN_ANY_WAY else "",
            virtual_ns=self.world.now_ns - self.began_ns,
            sometimes=self.reached(ran),
        )

    def judged(self, ran: Ran, calls: Mapping[str, int], blocks: bytes) -> tuple[str, str]:
        """Return the invariant that is broken, and how; empty when none is."""
        if ran.unaccounted:
            return COUNTED, f"{ran.unaccounted} of {ran.total('planned')} planned requests have no end"
        if ran.of(Phase.MEASURE, "planned") - self.backfills(ran) != self.operations:
            return COUNTED, f"{ran.of(Phase.MEASURE, 'planned')} requests were planned, and {self.operations} asked for"
        misunderstood = {reason: count for reason, count in ran.failures.items() if reason in MISUNDERSTOOD}
        refused = sum(faults.refused for faults in self.scene.all_faults())
        errors, turned_away = sum(ran.errors.values()), bool(self.scene.counts.get(CROWDED))
        # An error reply may be under way when its connection ends.
        asked_for = {**ran.errors}.keys() <= ERROR_REPLIES and (turned_away or errors <= refused)
        if misunderstood or not asked_for or ran.total("corrupt"):
            return UNDERSTOOD, f"failures {misunderstood}, error replies {dict(ran.errors)}: {dict(ran.examples)}"
        sent = executed_by(ran.sent(), self.plan.target.speaks.wire)
        whole = not (ran.failures or ran.total("lost") or ran.total("timeouts") or ran.total("unfinished"))
        for command in sorted({*sent, *calls}):
            at_servers, by_engine = calls.get(command, 0), sent.get(command, 0)
            if at_servers > by_engine or (whole and not refused and at_servers != by_engine):
                return EXECUTED, f"{by_engine} times {command} was sent, and {at_servers} times it was executed"
        if whole and not turned_away and (errors, ran.total("errors")) != (refused, refused):
            return REFUSED, f"servers answered {refused} requests with errors, and {ran.total('errors')} are counted"
        if whole and refused and sum(sent.values()) != sum(calls.values()) + refused:
            return EXECUTED, f"{sent} was sent, {dict(calls)} executed, and {refused} times an error was the reply"
        left = {number: proxy.open_connections for number, proxy in self.proxies.items() if proxy.open_connections}
        if left:
            return CLEARED, f"open connections of proxies, by server: {left}"
        good, measured = ran.of(Phase.MEASURE, "ok"), ran.of(Phase.MEASURE, "planned")
        if self.is_calm() and good != measured:
            return ANSWERED, f"{good} of {measured} requests were answered well: {dict(ran.failures)}"
        return self.judged_history(ran, blocks)

    def judged_history(self, ran: Ran, blocks: bytes) -> tuple[str, str]:
        """Return whether the history, in its blocks, is whole and legal, as `judged` does."""
        operations = file.gathered(blocks)
        # Greetings are not in it, nor are requests that were due and never made.
        kept = ran.total("planned") - ran.of(Phase.PRECHECK, "planned") - self.history.undrawn
        if len(operations) != kept:
            return COUNTED, f"the history has {len(operations)} requests, and {kept} were made"
        if self.register.judged(operations) == "legal":
            return "", ""
        answer = register.check(operations)
        if not answer.violations:
            return LEGAL, f"it cannot be judged: {[each.why for each in answer.unjudged]}"
        first = answer.violations[0]
        shown = "; ".join(f"{each.process}: {each.words}" for each in first.window)
        return LEGAL, f'{first.kind}, "{first.key}": "{first.why}" "{shown}"'

    def backfills(self, ran: Ran) -> int:
        return ran.tallies[Phase.MEASURE].get("backfill", {}).get("planned", 0)

    def is_calm(self) -> bool:
        """True when nothing may keep replies from coming in time: a full pipeline takes less than half a timeout."""
        weather, wire = self.weather, self.plan.wire
        # By priorities each of a pipeline's segments may wait for a window, one after the other.
        if (
            self.faults
            or not self.planted.is_none
            or self.world.window_ns
            or weather.loss
            or weather.bytes_per_s
            or self.plan.load.open_loop
        ):
            return False
        value_bytes = self.plan.workload.value_bytes
        full_ns = self.round_trip_ns + transfer_ns(wire.pipeline_depth, value_bytes, weather.stream_bytes_per_s)
        return 2 * full_ns < wire.request_timeout_ns

    def reached(self, ran: Ran | None) -> dict[str, int]:
        network, crowds = self.scene.network, CROWDED in self.scene.counts
        return {
            "a segment is split": network.splits,
            "a segment is lost": network.losses,
            "a segment waits for a partition to end": network.holds,
            "a write finds no room": network.starvations,
            "a handshake is sent again": network.handshakes,
            "a connection is refused": network.refusals,
            "a connection is reset": network.resets,
            "a connection is opened again": ran.connections["reconnects"] if ran else 0,
            "a request times out": ran.total("timeouts") if ran else 0,
            "a reply comes late": ran.total("late") if ran else 0,
            "a request is lost": ran.total("lost") if ran else 0,
            "a connection stalls": ran.failures.get("stalled", 0) if ran else 0,
            BY_PRIORITIES: int(self.world.window_ns > 0),
            "a server comes back with what it had": self.scene.kept,
            "a server comes back empty": self.scene.emptied,
            "the load ends after the last fault": int(bool(self.faults) and self.load.now_ns > self.healed_ns),
            **({"a connection is turned away": ran.failures.get("turned away", 0) if ran else 0} if crowds else {}),
            **(self.planted.reached(self.scene.all_faults()) if self.kind.faults and self.kind.planted else {}),
            **{f"fault: {word}": count for word, count in self.scene.counts.items()},
            **(self.reached_by_proxies() if self.kind.proxied else {}),
        }

    def surroundings(self) -> str:
        """Return the network as text."""
        behind = ", ".join(map(str, self.proxies))
        return f"{self.weather}{f'; proxies before servers {behind}' if behind else ''}"

    def reached_by_proxies(self) -> dict[str, int]:
        proxies = [*self.proxies.values()]
        effects = [proxy.effects() for proxy in proxies]
        return {
            "a connection goes through a proxy": sum(proxy.accepted for proxy in proxies),
            "a proxy cannot reach its server": sum(proxy.unreachable for proxy in proxies),
            "bytes are held to a toxic's latency": sum(proxy.witness.delayed for proxy in proxies),
            "bytes are held to a toxic's rate": sum(proxy.witness.limited for proxy in proxies),
            "a toxic is changed under load": self.scene.changed_under_load,
            "a toxic is removed under load": self.scene.removed_under_load,
            "a toxic is removed while chunks wait in it": self.scene.removed_full,
            **{f"a toxic takes effect: {kind}": sum(each.get(kind, 0) for each in effects) for kind in STRENGTHS},
        }


def executed_by(sent: Mapping[str, int], wire: str) -> dict[str, int]:
    """Return what servers must count of requests sent, by the servers' names for them."""
    # memcached counts no `version`, which stands in for PING.
    names = {"backfill": "set", "ping": ""} if wire == Wire.MEMCACHE else {"backfill": "set", "delete": "del"}
    found: dict[str, int] = {}
    for command, count in sent.items():
        if name := names.get(command, command):
            found[name] = found.get(name, 0) + count
    return found
