"""A modelled Redis Cluster as a whole: what its nodes are told of each other, step by step. No clock and no network.

The steps of a change are separate calls, as they are separate in a real cluster: between two of them nodes disagree.
`changes` puts them in time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from loadgen.verify.world.cluster.node import Ledger, Node, Place
from loadgen.verify.world.cluster.slots import NOBODY, shared_out, slot_of


class Cluster:
    """The nodes, in the order in which they came: masters first, then replicas, each of a master, counted round."""

    def __init__(self, places: Sequence[Place], masters: int) -> None:
        self.ledger = Ledger()
        self.places = [*places]
        self.nodes = [Node(number, self.places, self.ledger) for number in range(len(places))]
        self.members = {*range(len(places))}
        """The numbers of the nodes that belong to it, dead ones too."""
        owners = shared_out(range(masters))
        follows = {number: number % masters for number in range(masters, len(places))}
        for node in self.nodes:
            node.owners = [*owners]
            node.masters = {**follows}
        for replica, master in follows.items():
            self.nodes[master].replicas.append(self.nodes[replica])
        self.owners = owners
        """Who serves each slot, as it will be when all know."""
        self.follows = follows
        """Whom each replica follows, likewise."""

    # ── What there is ───────────────────────────────────────────────────────────────────────────────────────────────

    def masters(self) -> list[int]:
        """Return the numbers of the nodes that serve slots."""
        return sorted({*self.owners} - {NOBODY})

    def replicas(self, master: int) -> list[int]:
        return sorted(replica for replica, followed in self.follows.items() if followed == master)

    def slots(self, owner: int) -> list[int]:
        return [slot for slot, number in enumerate(self.owners) if number == owner]

    def owner_of(self, key: bytes) -> Node | None:
        """Return the node that serves a key; None when its slot has no owner."""
        owner = self.owners[slot_of(key)]
        return None if owner == NOBODY else self.nodes[owner]

    # ── Slots on the way ────────────────────────────────────────────────────────────────────────────────────────────

    def open_target(self, slots: Iterable[int], source: int, target: int) -> None:
        """Have the target take what comes with ASKING: CLUSTER SETSLOT IMPORTING."""
        self.nodes[target].importing.update(dict.fromkeys(slots, source))

    def open_source(self, slots: Iterable[int], source: int, target: int) -> None:
        """Have the source ask for keys that it has no more: CLUSTER SETSLOT MIGRATING."""
        self.nodes[source].migrating.update(dict.fromkeys(slots, target))

    def move_keys(self, slots: Collection[int], source: int, target: int, most: int) -> int:
        """Move up to `most` keys of the slots, each of which is at one node at any time: MIGRATE."""
        here, there = self.nodes[source], self.nodes[target]
        keys = [key for key in here.items if slot_of(key) in slots][:most]
        for key in keys:
            there.put(key, here.items[key])
            here.drop(key)
        return len(keys)

    def keys_in(self, number: int, slots: Collection[int]) -> int:
        """Return how many keys of slots a node has."""
        return sum(slot_of(key) in slots for key in self.nodes[number].items)

    def settle(self, slots: Collection[int], source: int, target: int) -> None:
        """Have the target serve the slots: CLUSTER SETSLOT NODE. What the source has of them by then moves, too."""
        self.move_keys(slots, source, target, len(self.nodes[source].items))
        for slot in slots:
            self.owners[slot] = target
        self.tell_owner(target, slots, target)

    def tell_owner(self, number: int, slots: Iterable[int], owner: int) -> None:
        """Have a node know who serves slots."""
        node = self.nodes[number]
        for slot in slots:
            node.owners[slot] = owner
            node.importing.pop(slot, None)
            if owner != number:
                node.migrating.pop(slot, None)

    # ── Nodes that go and come ──────────────────────────────────────────────────────────────────────────────────────

    def lose(self, number: int) -> None:
        """Have a node be dead: it is in step with nobody."""
        node = self.nodes[number]
        for other in self.nodes:
            if node in other.replicas:
                other.replicas.remove(node)
        node.replicas.clear()

    def promote(self, replica: int) -> list[int]:
        """Have a replica serve the slots of its master, and return them. Nobody else knows yet."""
        self.catch_up(replica)
        before = self.follows.pop(replica)
        slots = self.slots(before)
        self.nodes[before].replicas.clear()
        for slot in slots:
            self.owners[slot] = replica
        self.follows.update(dict.fromkeys([*self.replicas(before), before], replica))
        self.tell_promoted(replica, replica)
        for number in self.replicas(replica):
            if number != before:
                self.put_in_step(number)
        return slots

    def tell_promoted(self, number: int, promoted: int) -> None:
        """Have a node know that a replica has become the master of what its master served."""
        node = self.nodes[number]
        node.owners = [promoted if self.owners[slot] == promoted else owner for slot, owner in enumerate(node.owners)]
        node.masters.pop(promoted, None)
        node.masters.update({each: master for each, master in self.follows.items() if master == promoted})
        node.failed = False

    def put_in_step(self, number: int) -> None:
        """Have a replica have what its master has, from now on."""
        node, master = self.nodes[number], self.nodes[self.follows[number]]
        node.items = dict(master.items)
        if node not in master.replicas:
            master.replicas.append(node)

    def fall_behind(self, number: int) -> None:
        """Have reads of a replica show what it has now, whatever it gets from now on."""
        self.nodes[number].view = dict(self.nodes[number].items)

    def catch_up(self, number: int) -> None:
        """Have reads of a replica show all that it has got."""
        self.nodes[number].view = None

    def start_again(self, number: int, *, keeps: bool) -> None:
        """Have a dead node start with what it knew, and with its items or without. It refuses commands until told."""
        before = self.nodes[number]
        node = self.nodes[number] = Node(number, self.places, self.ledger)
        node.owners, node.masters = before.owners, before.masters
        node.items = before.items if keeps else {}
        node.failed = node.loading = True

    def add(self, place: Place) -> int:
        """Add a node without slots, which knows the others; return its number."""
        number = len(self.places)
        self.places.append(place)
        node = Node(number, self.places, self.ledger)
        node.owners, node.masters = [*self.owners], {**self.follows}
        self.nodes.append(node)
        self.members.add(number)
        return number

    def follow(self, replica: int, master: int) -> None:
        """Have a replica follow another master, and all know it."""
        self.lose(replica)
        self.follows[replica] = master
        for number in self.members:
            self.nodes[number].masters[replica] = master
        self.put_in_step(replica)

    def forget(self, number: int) -> None:
        """Have all nodes know no more of a node that serves no slot."""
        self.members.discard(number)
        self.follows.pop(number, None)
        self.lose(number)
        for node in self.nodes:
            node.masters.pop(number, None)
