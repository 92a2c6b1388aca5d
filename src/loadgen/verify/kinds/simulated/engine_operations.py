"""The kind `engine_concurrent_operations`: the load engine on built-in servers, over a drawn network, under faults.

A case is safety, then liveness: faults begin and end while the load goes on, and after the last of them the load must
end within a bound. The engine's accounts hold after every event. At the end each request has one end, no server has
executed what was not sent, and where nothing was cut the servers have executed exactly what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from loadgen.phase import Phase
from loadgen.protocol import PROTOCOLS as SPOKEN
from loadgen.protocol import Wire
from loadgen.units import NS_PER_S
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds.simulated.engine_faults import Fault, Scene, drawn_faults
from loadgen.verify.kinds.simulated.engine_plan import PROTOCOLS, drawn_plan, in_words
from loadgen.verify.kinds.simulated.weather import Weather
from loadgen.verify.tape import Tape
from loadgen.verify.world._network import Network
from loadgen.verify.world._order import Uniform
from loadgen.verify.world._world import BrokenInvariant, World
from loadgen.verify.world.engine_load import EngineLoad, Ran, Unfinished
from loadgen.verify.world.servers import BuiltinServer

PORT = 6379
MOST_OPERATIONS = 1_000_000
GRACE_NS = 60 * NS_PER_S
"""The time for a load to end after the last fault, beside the time that its bytes take: the longest backoff, handshakes
that are sent again, and twice the request timeout."""

ENDS = "every load ends after the faults"
ACCOUNTS = "the engine's accounts hold"
COUNTED = "every planned request has one end"
EXECUTED = "servers execute what was sent, once"
UNDERSTOOD = "every reply is understood"
ANSWERED = "without faults every request is answered"

MISUNDERSTOOD = {"protocol", "unasked reply", "wrong answer"}
"""The failures that a healthy server never causes."""


class EngineOperations:
    """Cases of so many operations, with faults or without."""

    name = "engine_concurrent_operations"

    def __init__(self, operations: int, *, faults: bool = True) -> None:
        self._operations = operations
        self._faults = faults

    def run(self, tape: Tape) -> Outcome:
        world = World(tape, Uniform(tape))
        try:
            return _Run(tape, world, self._operations, self._faults).outcome()
        finally:
            world.close()


class _Run:
    """One run of a case."""

    def __init__(self, tape: Tape, world: World, operations: int, faults: bool) -> None:
        self.world = world
        self.operations = 1 + tape.given(operations - 1, MOST_OPERATIONS, "operations")
        self.weather = Weather.drawn(tape)
        network = Network(world, self.weather.buffer_bytes)
        host = network.host()
        protocol = tape.choice(PROTOCOLS, "protocol")
        servers = [self.server(network, protocol) for _ in range(tape.between(1, 3, "servers"))]
        for server in servers:
            self.weather.over(network, host, server.host)
        endpoints = [server.endpoint for server in servers]
        self.plan = drawn_plan(
            tape, protocol, endpoints, self.operations, 2 * self.weather.longest_ns, self.weather.stream_bytes_per_s
        )
        self.scene = Scene(network, host, servers)
        length_ns = self.least_ns()
        self.faults: list[Fault] = []
        if faults:
            self.faults = [*drawn_faults(tape, len(servers), world.now_ns, max(length_ns, 10_000_000))]
        for fault in self.faults:
            self.scene.plan(fault)
        healed_ns = max((fault.until_ns for fault in self.faults), default=world.now_ns)
        self.until_ns = healed_ns + GRACE_NS + 4 * length_ns + 4 * self.transfer_ns()
        self.load = EngineLoad(host, self.plan)

    def server(self, network: Network, protocol: str) -> BuiltinServer:
        return BuiltinServer(network.host(), PORT, Wire(SPOKEN[protocol].wire))

    def least_ns(self) -> int:
        """About the time that the load takes when nothing delays it."""
        load, wire = self.plan.load, self.plan.wire
        per_round = wire.connections * (wire.pipeline_depth if wire.refill == "slot" else 1)
        workload = self.plan.workload
        rounds = -(-(self.operations + workload.prefill * workload.keyspace.count) // per_round)
        replies_ns = rounds * (2 * self.weather.longest_ns + self.weather.lost_ns)
        return max(replies_ns, round(self.operations * NS_PER_S / load.rate_per_s) if load.open_loop else 0)

    def transfer_ns(self) -> int:
        """About the time that the bytes of all requests and replies take."""
        if not self.weather.bytes_per_s:
            return 0
        workload = self.plan.workload
        values = 2 * self.operations + workload.prefill * workload.keyspace.count
        return values * (workload.value_bytes + 100) * NS_PER_S // self.weather.bytes_per_s

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
            self.world.run(max(self.until_ns, load.now_ns) + 10 * NS_PER_S)
        except Unfinished as error:
            invariant, message = ENDS, str(error)
        except BrokenInvariant as error:
            invariant, message = f"{ACCOUNTS}: {re.sub(r':.*', '', str(error))}", str(error)
        if ran is not None:
            calls = self.scene.all_calls()
            invariant, message = self.judged(ran, calls)
            self.world.note_text(repr((ran.tallies, ran.connections, ran.failures, sorted(calls.items()))).encode())
        return Outcome(
            Verdict.FAIL if invariant else Verdict.PASS,
            invariant,
            message,
            operations=(in_words(self.plan), str(self.weather)) if invariant else (),
            faults=tuple(str(fault) for fault in self.faults),
            trace=self.world.digest(),
            sometimes=self.reached(ran),
        )

    def judged(self, ran: Ran, calls: Mapping[str, int]) -> tuple[str, str]:
        """Return the invariant that is broken, and how; empty when none is."""
        if ran.unaccounted:
            return COUNTED, f"{ran.unaccounted} of {ran.total('planned')} planned requests have no end"
        if ran.of(Phase.MEASURE, "planned") - self.backfills(ran) != self.operations:
            return COUNTED, f"{ran.of(Phase.MEASURE, 'planned')} requests were planned, and {self.operations} asked for"
        misunderstood = {reason: count for reason, count in ran.failures.items() if reason in MISUNDERSTOOD}
        if misunderstood or ran.errors or ran.total("corrupt"):
            return UNDERSTOOD, f"failures {misunderstood}, error replies {dict(ran.errors)}: {dict(ran.examples)}"
        sent = executed_by(ran.sent(), self.plan.target.speaks.wire)
        whole = not (ran.failures or ran.total("lost") or ran.total("timeouts") or ran.total("unfinished"))
        for command in sorted({*sent, *calls}):
            at_servers, by_engine = calls.get(command, 0), sent.get(command, 0)
            if at_servers > by_engine or (whole and at_servers != by_engine):
                return EXECUTED, f"{by_engine} times {command} was sent, and {at_servers} times it was executed"
        good, measured = ran.of(Phase.MEASURE, "ok"), ran.of(Phase.MEASURE, "planned")
        if self.is_calm() and good != measured:
            return ANSWERED, f"{good} of {measured} requests were answered well: {dict(ran.failures)}"
        return "", ""

    def backfills(self, ran: Ran) -> int:
        return ran.tallies[Phase.MEASURE].get("backfill", {}).get("planned", 0)

    def is_calm(self) -> bool:
        """True when nothing may keep replies from coming in time: a full pipeline takes less than half a timeout."""
        weather, wire = self.weather, self.plan.wire
        if self.faults or weather.loss or weather.bytes_per_s or self.plan.load.open_loop:
            return False
        pipeline_bytes = wire.pipeline_depth * (self.plan.workload.value_bytes + 100)
        full_ns = 2 * weather.longest_ns + pipeline_bytes * NS_PER_S // weather.stream_bytes_per_s
        return 2 * full_ns < wire.request_timeout_ns

    def reached(self, ran: Ran | None) -> dict[str, int]:
        network = self.scene.network
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
            **{f"fault: {word}": count for word, count in self.scene.counts.items()},
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
