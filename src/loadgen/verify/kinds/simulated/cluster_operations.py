"""Simulated cases of the load engine on a Redis Cluster that changes under load.

Masters die and are replaced, slots migrate, nodes come and go, while the engine learns of all that as it does in
production: by redirects, and by asking nodes for the topology. A case is safety, then liveness, as those of
`engine_operations` are. At the end each request has one end and was executed at most once, each redirect is counted,
and the history of the load, with what the owner of each key has at the end, is that of a register that loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from loadgen.engine._history import History, identity
from loadgen.phase import Phase
from loadgen.plan import Discovery, Endpoint, Plan, Reads, Weights
from loadgen.topology.follow import Follower
from loadgen.topology.found import FoundNode
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.checkers import register
from loadgen.verify.checkers._register import Register
from loadgen.verify.history import file
from loadgen.verify.history._operations import (
    DELETE,
    MISS,
    NO_END,
    NOT_DONE,
    OK,
    READ,
    UNKNOWN,
    WRITE,
    Operations,
)
from loadgen.verify.kinds.simulated.cluster_changes import (
    BEHIND,
    CHANGES,
    DIES,
    MOST,
    OF_REPLICAS,
    PAUSES,
    PORT,
    RESTARTS,
    Change,
    ClusterScene,
    drawn_changes,
)
from loadgen.verify.kinds.simulated.engine_operations import (
    ACCOUNTS,
    COUNTED,
    ENDS,
    EXECUTED,
    HOPS,
    IN_ANY_WAY,
    MISUNDERSTOOD,
    RUN,
    UNDERSTOOD,
)
from loadgen.verify.kinds.simulated.engine_plan import Shape, drawn_plan, in_words, transfer_ns
from loadgen.verify.kinds.simulated.weather import Weather
from loadgen.verify.kinds.simulated.world_case import WorldCase
from loadgen.verify.tape import OPERATIONS, Tape
from loadgen.verify.world._network import Host, Network
from loadgen.verify.world._world import BrokenInvariant, World
from loadgen.verify.world.cluster.node import REDIRECTS, Session
from loadgen.verify.world.engine_load import EngineLoad, Ran, Unfinished
from loadgen.verify.world.lookout import Lookout, found_at_once

REASONED = "every connection that is lost has a reason"
ONCE = "every write is executed at most once"
REDIRECTED = "every redirect is counted"
LEGAL = "the history, with what owners have at the end, is that of a register"
SPREAD = "replicas answer all reads where they are to"
KEPT = "no key whose write was acknowledged is lost"
RECOVERS = "after the changes every request is answered well within a bound"

ERROR_CLASSES = {word.decode() for word in REDIRECTS}
"""The classes of error replies that a request may end with: the cluster has refused it too often, or too many wait."""


@dataclass(frozen=True, slots=True)
class ClusterKind:
    """What the cases of one kind are drawn from."""

    name: str
    changes: tuple[str, ...] = tuple(CHANGES)
    """The changes that a seed may have."""
    means: tuple[float, ...] = (2.0, 0.0, 4.0)
    """The mean number of changes, of which a seed draws one."""
    connections: tuple[int, ...] = (2, 1, 4)
    """To each master."""
    most_changes: int = MOST
    tick_ns: int = 0
    """Changes begin at multiples of it; 0: at any time."""
    reads: tuple[Reads, ...] = (Reads.PRIMARY,)
    """Which nodes are read from, of which a seed draws one. Where replicas are, each master has one or two."""

    @property
    def reads_replicas(self) -> bool:
        return self.reads != (Reads.PRIMARY,)


CLUSTER_KINDS = (
    ClusterKind("engine_cluster_changes"),
    ClusterKind(
        "engine_cluster_replicas",
        # A replica does not know which keys of a slot on its way are gone, and answers that they are not there.
        changes=(*OF_REPLICAS, DIES, "a replica takes over", RESTARTS, PAUSES),
        reads=(Reads.REPLICAS, Reads.ALL),
    ),
)

MOST_OF_CLUSTER = 2_000
"""Operations of a case: the nodes are a model, in Python."""

SHAPE = Shape(
    depths=(1, 2, 8, 64),
    keys=(100, 1000),
    mixes=(
        Weights(get=1, set=1),
        Weights(get=1),
        Weights(get=9, set=1),
        Weights(get=3, set=2, delete=1),
        Weights(set=1),
    ),
    value_bytes=(64, 16),
)


class ClusterOperations(WorldCase):
    """Cases of one kind with so many operations."""

    def __init__(self, operations: int, kind: ClusterKind = CLUSTER_KINDS[0]) -> None:
        super().__init__(kind.name, operations)
        self._kind = kind
        self._register = Register()

    def _outcome(self, tape: Tape, world: World) -> Outcome:
        return _Run(tape, world, self._operations, self._kind, self._register).outcome()


class _Run:
    """One run of a case."""

    def __init__(self, tape: Tape, world: World, operations: int, kind: ClusterKind, register: Register) -> None:
        self.world = world
        self.began_ns = world.now_ns
        self.kind = kind
        self.register = register
        self.operations = 1 + tape.given(min(operations, MOST_OF_CLUSTER) - 1, MOST_OF_CLUSTER, OPERATIONS)
        self.weather = Weather.drawn(tape)
        network = Network(world, self.weather.buffer_bytes)
        self.host = network.host()
        protocol = tape.choice(("resp", "resp3"), "protocol")
        masters = tape.choice((3, 2, 1), "masters")
        replicas = masters * tape.choice((1, 2) if kind.reads_replicas else (1, 0), "replicas of each master")
        # A kind of one way to read draws nothing.
        self.reads = tape.choice(kind.reads, "nodes that are read from") if kind.reads_replicas else kind.reads[0]
        self.discovery = Discovery(reads=self.reads)
        self.scene = ClusterScene(network, self.host, self.weather, masters, replicas, kind.changes)
        self.round_trip_ns = 2 * self.weather.longest_ns + HOPS * world.window_ns
        self.plan = self.drawn_plan(tape, protocol, masters)
        length_ns = self.least_ns()
        self.changes: list[Change] = [
            *drawn_changes(
                tape,
                kind.changes,
                kind.means,
                world.now_ns,
                max(length_ns, 10 * NS_PER_MS),
                most=kind.most_changes,
                tick_ns=kind.tick_ns,
            )
        ]
        for change in self.changes:
            self.scene.plan(change)
        self.healed_ns = max((change.until_ns for change in self.changes), default=world.now_ns)
        self.until_ns = self.healed_ns + self.patience_ns(length_ns)
        self.history = History(0, RUN)
        self.load = EngineLoad(self.host, self.plan, self.history, lambda: self.lookout.want())
        self.lookout = Lookout(
            self.host,
            self.plan.target,
            Follower(self.discovery, _located, self.plan.target.topology),
            self.host_of,
            self.load.engine.reroute,
            self.plan.wire.connect_timeout_ns,
        )

    def drawn_plan(self, tape: Tape, protocol: str, masters: int) -> Plan:
        """Return a plan on the nodes that are there, which are found as in production."""
        seeds = [Endpoint(host.address, PORT, host.address) for host in self.scene.hosts]
        plan = drawn_plan(
            tape,
            replace(SHAPE, connections=self.kind.connections),
            protocol,
            seeds if self.kind.reads_replicas else seeds[:masters],
            self.operations,
            self.round_trip_ns,
            self.weather.stream_bytes_per_s,
        )
        plan = replace(plan, target=replace(plan.target, endpoints=tuple(seeds), discovery=self.discovery))
        nodes = self.scene.cluster.nodes
        found = found_at_once(
            plan.target, lambda endpoint, words: nodes[seeds.index(endpoint)].answer(Session(), words)
        )
        return plan.on(Follower(self.discovery, _located).follow(found))

    def host_of(self, address: str) -> Host:
        return next(host for host in self.scene.hosts if host.address == address)

    def patience_ns(self, length_ns: int) -> int:
        """Return how long a load may take after the last change: see `engine_operations`.

        Besides, a topology is asked for, of nodes that may not answer.
        """
        wire = self.plan.wire
        given_up_ns = wire.connect_timeout_ns + 2 * wire.request_timeout_ns + wire.longest_backoff_ns
        asked_ns = len(self.scene.hosts) * wire.connect_timeout_ns
        values = 2 * self.operations + self.plan.workload.prefill * self.plan.workload.keyspace.count
        sent_ns = transfer_ns(values, self.plan.workload.value_bytes, self.weather.stream_bytes_per_s)
        return 2 * given_up_ns + asked_ns + 10 * NS_PER_S + 4 * length_ns + 4 * sent_ns + values * self.weather.lost_ns

    def least_ns(self) -> int:
        """About the time that the load takes when nothing delays it."""
        load, wire, workload = self.plan.load, self.plan.wire, self.plan.workload
        per_round = wire.connections * (wire.pipeline_depth if wire.refill == "slot" else 1)
        rounds = -(-(self.operations + workload.prefill * workload.keyspace.count) // per_round)
        replies_ns = rounds * (self.round_trip_ns + self.weather.lost_ns)
        return max(replies_ns, round(self.operations * NS_PER_S / load.rate_per_s) if load.open_loop else 0)

    # ── The run ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def outcome(self) -> Outcome:
        load, invariant, message = self.load, "", ""
        ran: Ran | None = None
        try:
            load.connect(self.until_ns)
            if self.plan.workload.prefill:
                load.write_keys(self.until_ns)
            load.load(self.until_ns)
            ran = load.close()
            self.lookout.stop()
            # What is under way is executed, and the changes that are left take place.
            self.world.run(max(self.until_ns, load.now_ns) + 10 * NS_PER_S)
        except Unfinished as error:
            invariant, message = ENDS, str(error)
        except BrokenInvariant as error:
            invariant, message = f"{ACCOUNTS}: {re.sub(r':.*', '', str(error))}", str(error)
        ledger = self.scene.cluster.ledger
        if ran is not None:
            blocks = self.history.blocks()
            invariant, message = self.judged(ran, blocks)
            counted = sorted(ledger.executed.items()), sorted(ledger.refused.items())
            self.world.note_text(repr((ran.tallies, ran.connections, ran.failures, ran.redirects, counted)).encode())
            self.world.note_text(blocks)
        return Outcome(
            Verdict.FAIL if invariant else Verdict.PASS,
            invariant,
            message,
            operations=(in_words(self.plan), str(self.weather)) if invariant else (),
            faults=tuple(map(str, self.changes)),
            trace=self.world.digest(),
            fingerprint=invariant if invariant in IN_ANY_WAY or invariant == LEGAL else "",
            virtual_ns=self.world.now_ns - self.began_ns,
            sometimes=self.reached(ran),
        )

    def judged(self, ran: Ran, blocks: bytes) -> tuple[str, str]:
        """Return the invariant that is broken, and how; empty when none is."""
        ledger = self.scene.cluster.ledger
        if ran.unaccounted:
            return COUNTED, f"{ran.unaccounted} of {ran.total('planned')} planned requests have no end"
        backfills = ran.tallies[Phase.MEASURE].get("backfill", {}).get("planned", 0)
        if ran.of(Phase.MEASURE, "planned") - backfills != self.operations:
            return COUNTED, f"{ran.of(Phase.MEASURE, 'planned')} requests were planned, and {self.operations} asked for"
        misunderstood = {reason: count for reason, count in ran.failures.items() if reason in MISUNDERSTOOD}
        if misunderstood or not {*ran.errors} <= ERROR_CLASSES or ran.total("corrupt"):
            return UNDERSTOOD, f"failures {misunderstood}, error replies {dict(ran.errors)}: {dict(ran.examples)}"
        ended, explained = ran.connections["closed"] + ran.connections["failed"], sum(ran.failures.values())
        if ended != explained:
            return REASONED, f"{ended} connections were lost or could not be opened, and {explained} have a reason"
        twice = [count for count in ledger.written.values() if count > 1]
        if twice:
            return ONCE, f"{len(twice)} values were written more than once, one of them {max(twice)} times"
        whole = not (ran.failures or ran.total("lost") or ran.total("timeouts") or ran.total("unfinished"))
        good = _good(ran)
        for command in sorted({*good, *ledger.executed}):
            executed, answered = ledger.executed[command], good.get(command, 0)
            if executed < answered or (whole and executed != answered):
                return EXECUTED, f"{answered} times {command} was answered well, and {executed} times it was executed"
        for word in (each.decode() for each in REDIRECTS):
            refused, kind = ledger.refused[word.lower()], word.lower()
            counted = ran.redirects.get(kind, 0) + ran.errors.get(word, 0)
            if refused < counted or (whole and refused != counted):
                return REDIRECTED, f"{refused} times {word} was the answer, and {counted} are counted"
        if self.reads is Reads.REPLICAS and whole and not self.changes and ledger.read_at_masters:
            return (
                SPREAD,
                f"{ledger.read_at_masters} reads were answered by masters, {ledger.read_at_replicas} by replicas",
            )
        return self.judged_history(ran, blocks)

    def judged_history(self, ran: Ran, blocks: bytes) -> tuple[str, str]:
        """Return whether the history is whole, and with final reads at the owners legal, as `judged` does."""
        operations = file.gathered(blocks)
        kept = ran.total("planned") - ran.of(Phase.PRECHECK, "planned") - self.history.undrawn
        if len(operations) != kept:
            return COUNTED, f"the history has {len(operations)} requests, and {kept} were made"
        late = self.healed_ns + self.patience_ns(0)
        for number in range(len(operations)):
            _, _, _, call_ns, _, _, outcome, _ = operations[number]
            if call_ns > late and outcome not in (OK, MISS):
                return (
                    RECOVERS,
                    f"a request of {(call_ns - self.healed_ns) / NS_PER_MS:g} ms after the last change failed",
                )
        lost = self.lost(operations)
        if lost:
            return KEPT, f"{len(lost)} keys have no value at their owners, the first of them {lost[0]}"
        operations = self.as_of_behind(operations)
        self.read_all(operations)
        if self.register.judged(operations) == "legal":
            return "", ""
        answer = register.check(operations)
        if not answer.violations:
            return LEGAL, f"it cannot be judged: {[each.why for each in answer.unjudged]}"
        first = answer.violations[0]
        shown = "; ".join(f"{each.process}: {each.words}" for each in first.window)
        return LEGAL, f'{first.kind}, "{first.key}": "{first.why}" "{shown}"'

    def value_of(self, number: int) -> bytes | None:
        """Return what the owner of a key has of it at the end."""
        keyspace = self.plan.workload.keyspace
        key = b"%0*x" % (keyspace.length, number)
        owner = self.scene.cluster.owner_of(key)
        return None if owner is None else owner.items.get(key)

    def lost(self, operations: Operations) -> list[int]:
        """Return the keys without a value that have an acknowledged write and no delete that may have come after it."""
        written: dict[int, int] = {}
        deleted: dict[int, int] = {}
        for number in range(len(operations)):
            op, key, _, call_ns, return_ns, _, outcome, _ = operations[number]
            if op == WRITE and outcome == OK:
                written[key] = max(written.get(key, 0), call_ns)
            elif op == DELETE and outcome != NOT_DONE:
                deleted[key] = max(deleted.get(key, 0), return_ns if outcome != UNKNOWN else NO_END)
        return [
            key for key, call_ns in sorted(written.items()) if deleted.get(key, 0) < call_ns and not self.value_of(key)
        ]

    def as_of_behind(self, operations: Operations) -> Operations:
        """Return the history with each read that a replica may have answered while it was behind from then on.

        Such a read may show what there was when the replica fell behind, and nothing older.
        """
        spans = [(each.from_ns, each.from_ns + each.length_ns) for each in self.changes if each.word == BEHIND]
        if not spans:
            return operations
        changed = []
        for number in range(len(operations)):
            op, key, value, call_ns, return_ns, process, outcome, _ = operations[number]
            if op == READ:
                for from_ns, until_ns in spans:
                    if return_ns >= from_ns and call_ns <= until_ns:
                        call_ns = min(call_ns, from_ns)
            changed.append((op, key, value, call_ns, return_ns, process, outcome))
        found = Operations()
        for each in sorted(changed, key=lambda each: each[3]):
            found.append(*each)
        return found

    def read_all(self, operations: Operations) -> None:
        """Add a read of each key, with what its owner has, at the end of everything."""
        now_ns = self.world.now_ns
        for number in range(self.plan.workload.keyspace.count):
            value = self.value_of(number)
            if value is not None:
                operations.append(READ, number, identity(RUN, number, value[:16]), now_ns, now_ns + 1, 1 << 20, OK)

    def reached(self, ran: Ran | None) -> dict[str, int]:
        redirects: Mapping[str, int] = ran.redirects if ran else {}
        return {
            **{
                # TRYAGAIN is the answer to commands of several keys, which no load of these has; slots do not migrate
                # where replicas are read from.
                f"a request is answered {word.decode()}": redirects.get(word.decode().lower(), 0)
                for word in REDIRECTS
                if word != b"TRYAGAIN" and not (word == b"ASK" and self.kind.reads_replicas)
            },
            "a topology is wanted": self.lookout.wanted,
            "a topology is found": self.lookout.found,
            "a node does not say what the topology is": self.lookout.unanswered,
            **self.reads_reached(),
            "a connection is opened again": ran.connections["reconnects"] if ran else 0,
            "a request times out": ran.total("timeouts") if ran else 0,
            "a request is lost": ran.total("lost") if ran else 0,
            "a request is refused to the end": sum(ran.errors.values()) if ran else 0,
            "the load ends after the last change": int(bool(self.changes) and self.load.now_ns > self.healed_ns),
            **{f"change: {word}": count for word, count in self.scene.counts.items()},
        }

    def reads_reached(self) -> dict[str, int]:
        ledger = self.scene.cluster.ledger
        if not self.kind.reads_replicas:
            return {}
        return {"a replica answers a read": ledger.read_at_replicas, "a reply is stale": ledger.stale}


def _located(node: FoundNode) -> Endpoint:
    return Endpoint(node.host, node.port, node.host)


def _good(ran: Ran) -> dict[str, int]:
    """Return how many requests for keys were answered well, by the nodes' names of commands."""
    names = {"get": "get", "set": "set", "backfill": "set", "delete": "del"}
    found: dict[str, int] = {}
    for commands in ran.tallies.values():
        for command, tally in commands.items():
            if name := names.get(command):
                found[name] = found.get(name, 0) + tally["ok"]
    return found
