"""A real Redis Cluster for tests: masters and replicas of redis-server on loopback, formed by commands.

    with RealCluster(3, 3) as cluster:
        master = cluster.nodes[0]
        cluster.kill(master)
        cluster.wait_for_promotion(master)

A new cluster takes 2 s to be ready: so long does every master of Redis refuse requests after its start. Knows nothing
of `loadgen`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import hiredis
from real_nodes import HOST, Nodes, RealNode, Tls, quiet_port, wait_until

SLOTS = 16_384
KEYS_AT_ONCE = 500
"""How many keys one MIGRATE moves: both nodes do nothing else meanwhile."""


@dataclass(frozen=True)
class View:
    """A line of CLUSTER NODES: what one node says of another."""

    name: str
    flags: frozenset[str]
    master: str
    """The master's id; "-" of a master."""
    connected: bool
    slots: int


class RealCluster(Nodes):
    """A cluster that serves all slots. `args` are more options of every redis-server.

    The first `masters` of `nodes` are the masters and divide the slots evenly, in this order; the i-th replica follows
    master i, counted round. `node_timeout_ms` is the silence after which a node counts as failed; its replica is
    promoted about 1.5 s later.
    """

    def __init__(
        self,
        masters: int = 3,
        replicas: int = 0,
        *args: str,
        node_timeout_ms: int = 1000,
        password: str = "",
        tls: Tls | None = None,
    ) -> None:
        super().__init__()
        self._masters, self._replicas = masters, replicas
        self._options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout_ms), *args]
        self._password, self._tls = password, tls
        self._buses: dict[RealNode, int] = {}
        self.nodes: list[RealNode] = []
        """The nodes of the cluster, dead ones too."""

    @property
    def endpoints(self) -> list[str]:
        return [node.endpoint for node in self.nodes]

    @property
    def alive(self) -> list[RealNode]:
        return [node for node in self.nodes if node.alive]

    # ── Forming ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _form(self) -> None:
        self.nodes = [self._begun() for _ in range(self._masters + self._replicas)]
        for node in self.nodes:
            self._answering(node)
        masters, replicas = self.nodes[: self._masters], self.nodes[self._masters :]
        for index, master in enumerate(masters):
            first, last = SLOTS * index // len(masters), SLOTS * (index + 1) // len(masters) - 1
            master.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            master.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in self.nodes:
            self._introduce(node)
        wait_until(lambda: all(self._knows_all(node) for node in self.nodes), "each node knows each other")
        for index, replica in enumerate(replicas):
            replica.ask("CLUSTER", "REPLICATE", masters[index % len(masters)].name)
        self.wait_until_ok()

    def _begun(self) -> RealNode:
        bus = quiet_port()
        node = self._place(*self._options, "--cluster-port", str(bus), password=self._password, tls=self._tls)
        self._buses[node] = bus
        node.begin()
        return node

    def _answering(self, node: RealNode) -> None:
        node.wait_to_answer()
        node.name = node.text("CLUSTER", "MYID")

    def _introduce(self, node: RealNode) -> None:
        others = [other for other in self.alive if other is not node]
        node.ask_all([("CLUSTER", "MEET", HOST, other.port, self._buses[other]) for other in others])

    def _knows_all(self, node: RealNode) -> bool:
        known = {view.name for view in self.views(node) if view.connected}
        return known >= {other.name for other in self.nodes}

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def views(self, node: RealNode) -> list[View]:
        """The cluster as `node` sees it."""
        return [_view(line.split()) for line in node.text("CLUSTER", "NODES").splitlines()]

    def masters(self) -> list[RealNode]:
        """The live nodes that serve slots, as they themselves say."""
        return [node for node in self.alive if self._own_view(node).slots]

    def master_of(self, replica: RealNode) -> RealNode | None:
        return next((node for node in self.nodes if node.name == self._own_view(replica).master), None)

    def replicas_of(self, master: RealNode) -> list[RealNode]:
        return [node for node in self.alive if self._own_view(node).master == master.name]

    def owner_of(self, slot: int) -> RealNode:
        """The node that serves a slot, as the first live node says."""
        for first, last, node in self._slots(self.alive[0]):
            if first <= slot <= last:
                return node
        raise LookupError(f"nobody serves slot {slot}")

    def slots_of(self, node: RealNode) -> list[range]:
        """The slots that a node serves, as it says itself."""
        return [range(first, last + 1) for first, last, owner in self._slots(node) if owner is node]

    def commandstats(self, field: str = "calls") -> dict[str, dict[str, int]]:
        """`RealNode.commandstats` of each live node, by endpoint."""
        return {node.endpoint: node.commandstats(field) for node in self.alive}

    def is_ok(self) -> bool:
        """True when the live nodes serve, agree on who serves which slots and on who follows whom, and are in step."""
        return len({self._opinion(node) for node in self.alive}) == 1 and all(self._serves(node) for node in self.alive)

    def _opinion(self, node: RealNode) -> tuple[object, ...]:
        alive = {each.name for each in self.alive}
        slots = tuple((first, last, owner.name) for first, last, owner in self._slots(node))
        followed = sorted((view.name, view.master, view.connected) for view in self.views(node) if view.name in alive)
        return slots, tuple(followed)

    def wait_until_ok(self) -> None:
        wait_until(self.is_ok, "the cluster serves every slot")

    def _serves(self, node: RealNode) -> bool:
        if b"cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
            return False
        replication = node.info("replication")
        return replication["role"] == "master" or replication["master_link_status"] == "up"

    def _own_view(self, node: RealNode) -> View:
        return next(view for view in self.views(node) if "myself" in view.flags)

    def _slots(self, node: RealNode) -> list[tuple[int, int, RealNode]]:
        by_name = {each.name: each for each in self.nodes}
        rows = node.ask("CLUSTER", "SLOTS")
        return sorted((row[0], row[1], by_name[row[2][2].decode()]) for row in rows)

    # ── Failures ────────────────────────────────────────────────────────────────────────────────────────────────────

    def kill(self, node: RealNode) -> None:
        """SIGKILL. `node.start()` brings it back, as a replica of who was promoted meanwhile."""
        node.kill()

    def wait_for_promotion(self, lost: RealNode) -> RealNode:
        """Waits until a replica of a master that is dead or paused serves its slots, and returns that replica."""
        promoted: list[RealNode] = []

        def taken_over() -> bool:
            for node in self.alive:
                if node is lost:
                    continue
                views = self.views(node)
                if any(view.name == lost.name and view.slots for view in views):
                    return False
                promoted[:] = [each for each in self.alive if each is not lost and self._took_over(each, before)]
            return bool(promoted)

        before = {node for node in self.alive if node is not lost and self._own_view(node).slots}
        wait_until(taken_over, f"a replica of {lost.endpoint} is promoted")
        return promoted[0]

    def _took_over(self, node: RealNode, before: set[RealNode]) -> bool:
        return node not in before and self._own_view(node).slots > 0

    def fail_over(self, replica: RealNode, how: str = "") -> None:
        """CLUSTER FAILOVER on a replica: agreed with its master, or by FORCE or TAKEOVER; waits until it is master."""
        replica.ask(*("CLUSTER", "FAILOVER", how)[: 3 if how else 2])
        wait_until(lambda: self._own_view(replica).slots, f"{replica.endpoint} is the master")
        self.wait_until_ok()

    # ── Slots ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def migrating(self, slots: Iterable[int], target: RealNode) -> Iterator[Migration]:
        """Inside, slots are on their way to `target`: no key has moved yet. At the end all keys and slots have."""
        migration = Migration(self, list(slots), target)
        migration.begin()
        yield migration
        migration.finish()

    def migrate(self, slots: Iterable[int], target: RealNode) -> int:
        """Moves slots with their keys to another master, under whatever load there is. Returns the number of keys."""
        with self.migrating(slots, target) as migration:
            pass
        return migration.keys

    def add(self, replica_of: RealNode | None = None) -> RealNode:
        """Adds a node that serves no slot yet, which takes 2 s to be ready, or one that follows a master."""
        node = self._begun()
        self._answering(node)
        self.nodes.append(node)
        self._introduce(node)
        wait_until(lambda: all(self._knows_all(each) for each in self.alive), "all know the new node")
        if replica_of is not None:
            node.ask("CLUSTER", "REPLICATE", replica_of.name)
        wait_until(lambda: self._serves(node), "the new node is ready")
        return node

    def remove(self, node: RealNode) -> None:
        """Gives the slots of a node to the other masters, makes them forget the node, and ends its process."""
        slots = [slot for part in self.slots_of(node) for slot in part]
        others = [master for master in self.masters() if master is not node]
        for index, other in enumerate(others):
            self.migrate(slots[len(slots) * index // len(others) : len(slots) * (index + 1) // len(others)], other)
        wait_until(lambda: not self.replicas_of(node), "its replicas follow others")
        self.nodes.remove(node)
        node.stop()
        for each in self.alive:
            # A replica cannot forget its master, nor anybody a node twice.
            with contextlib.suppress(hiredis.ReplyError):
                each.ask("CLUSTER", "FORGET", node.name)


class Migration:
    """Slots on their way from the masters that serve them to another, in the windows where a client sees ASK."""

    def __init__(self, cluster: RealCluster, slots: list[int], target: RealNode) -> None:
        self._cluster, self._target = cluster, target
        self._sources: dict[RealNode, list[int]] = {}
        owners = {slot: node for node in cluster.masters() for part in cluster.slots_of(node) for slot in part}
        for slot in slots:
            if owners[slot] is not target:
                self._sources.setdefault(owners[slot], []).append(slot)
        self.keys = 0
        """How many keys have moved."""

    def begin(self) -> None:
        """Opens the windows: importing at the target first, then migrating at the sources."""
        for source, slots in self._sources.items():
            self._target.ask_all([("CLUSTER", "SETSLOT", slot, "IMPORTING", source.name) for slot in slots])
            source.ask_all([("CLUSTER", "SETSLOT", slot, "MIGRATING", self._target.name) for slot in slots])

    def move(self, most: int | None = None) -> int:
        """Moves the keys of the slots, `most` at most; the windows stay open. Returns how many it moved."""
        moved = 0
        for source, slots in self._sources.items():
            for slot in slots:
                while most is None or moved < most:
                    room = KEYS_AT_ONCE if most is None else min(KEYS_AT_ONCE, most - moved)
                    keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, room)
                    if not keys:
                        break
                    source.ask("MIGRATE", HOST, self._target.port, "", 0, 10_000, *self._login(), "KEYS", *keys)
                    moved += len(keys)
        self.keys += moved
        return moved

    def finish(self) -> None:
        """Moves what is left and says to all masters who serves the slots now."""
        self.move()
        for source, slots in self._sources.items():
            words: list[tuple[str | bytes | int, ...]]
            words = [("CLUSTER", "SETSLOT", slot, "NODE", self._target.name) for slot in slots]
            masters = [node for node in self._cluster.masters() if node not in (self._target, source)]
            for node in (self._target, source, *masters):
                try:
                    node.ask_all(words)
                except hiredis.ReplyError as error:
                    # A master that has given away its last slot becomes a replica at once.
                    if "only with masters" not in str(error):
                        raise

    def _login(self) -> list[str]:
        return ["AUTH", self._cluster._password] if self._cluster._password else []


def _view(words: list[str]) -> View:
    slots = 0
    for part in words[8:]:
        if not part.startswith("["):
            first, _, last = part.partition("-")
            slots += int(last or first) - int(first) + 1
    return View(words[0], frozenset(words[2].split(",")), words[3], words[7] == "connected", slots)
