"""One node of a modelled Redis Cluster: what it has, what it knows, and each reply, as redis-server 7.0 has it. No I/O.

A node acts on what it knows, which may be older than what others do: two nodes may each say that the other serves a
slot. `cluster` changes what nodes know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loadgen.verify.reply import OK, Error, Map, Null, Reply, Status
from loadgen.verify.world.cluster.slots import NOBODY, SLOTS, ranges, slot_of

VERSION = b"7.0.15"

INFO = b"# Server\r\nredis_version:%b\r\nredis_mode:cluster\r\n# Cluster\r\ncluster_enabled:1\r\n" % VERSION

DOWN = Error(b"CLUSTERDOWN The cluster is down")
UNSERVED = Error(b"CLUSTERDOWN Hash slot not served")
LOADING = Error(b"LOADING Redis is loading the dataset in memory")
UNSTABLE = Error(b"TRYAGAIN Multiple keys request during rehashing of slot")
CROSS_SLOT = Error(b"CROSSSLOT Keys in request don't hash to the same slot")

REDIRECTS = (b"MOVED", b"ASK", b"TRYAGAIN", b"CLUSTERDOWN", b"LOADING")
"""The first words of replies to commands that were not executed, and may be at another node or time."""

_READS = {b"GET", b"MGET", b"EXISTS"}
_WHILE_LOADING = {b"HELLO", b"AUTH", b"INFO", b"READONLY", b"READWRITE", b"CLIENT", b"SELECT", b"RESET"}

Words = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is, and by what id it is known."""

    name: bytes
    host: bytes
    port: int


@dataclass(slots=True)
class Ledger:
    """What all nodes of a cluster have executed and refused, dead ones too."""

    executed: Counter[str] = field(default_factory=Counter)
    """By command in lower case."""
    refused: Counter[str] = field(default_factory=Counter)
    """Commands with keys that were not executed, by the first word of the reply in lower case."""
    written: Counter[bytes] = field(default_factory=Counter)
    """How often each value was written by a client."""
    read_at_masters: int = 0
    read_at_replicas: int = 0
    """Commands that read, by who executed them."""
    stale: int = 0
    """GETs of a replica that is behind whose reply differs from what its master has."""


@dataclass(slots=True)
class Session:
    """What a node keeps of one connection."""

    version: int = 2
    asking: bool = False
    """The next command may be about a slot that is being imported."""
    readonly: bool = False
    """Reads of what the node's master serves are answered."""


class Node:
    """One node. `number` is its own in `places`, which all nodes of a cluster share and which only grows."""

    def __init__(self, number: int, places: Sequence[Place], ledger: Ledger) -> None:
        self.number = number
        self.ledger = ledger
        self.items: dict[bytes, bytes] = {}
        self.owners: list[int] = [NOBODY] * SLOTS
        """Who serves each slot, as this node knows."""
        self.masters: dict[int, int] = {}
        """Whom each replica follows, as this node knows; itself, too."""
        self.migrating: dict[int, int] = {}
        """The node to which each of its slots is on the way."""
        self.importing: dict[int, int] = {}
        """The node from which each slot comes that it is about to serve."""
        self.failed = False
        """It knows of a slot that nobody can serve, or has just started."""
        self.loading = False
        self.failing: set[int] = set()
        """The nodes of which it knows that they are dead; it names them no more to clients that ask for replicas."""
        self.view: dict[bytes, bytes] | None = None
        """What reads of a replica show while it is behind; None when it is in step."""
        self.replicas: list[Node] = []
        """Those in step with it: each write is theirs at once."""
        self._places = places
        self._commands: dict[bytes, Callable[[Words], Reply]] = {
            b"GET": self._get,
            b"SET": self._set,
            b"DEL": self._delete,
            b"MGET": self._get_several,
            b"MSET": self._set_several,
            b"EXISTS": self._exist,
        }

    @property
    def place(self) -> Place:
        return self._places[self.number]

    @property
    def master(self) -> int:
        """The number of the node that it follows; NOBODY for a master."""
        return self.masters.get(self.number, NOBODY)

    # ── Replies ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, session: Session, words: Words) -> Reply:
        """Return the reply to a command."""
        name = words[0].upper()
        keys = _keys(name, words)
        asking, session.asking = session.asking, False
        if keys:
            refusal = self._refusal(session, name, keys, asking=asking)
            if refusal is not None:
                self.ledger.refused[refusal.code.decode().lower()] += 1
                return refusal
            self.ledger.executed[name.decode().lower()] += 1
            if name in _READS:
                at_replica = self.master != NOBODY
                self.ledger.read_at_replicas += at_replica
                self.ledger.read_at_masters += not at_replica
            return self.execute(name, words[1:])
        if self.loading and name not in _WHILE_LOADING:
            # A greeting, or a question for the topology, which is no request of a load.
            self.ledger.refused["loading"] += name == b"PING"
            return LOADING
        return self._about_connection(session, name, words)

    def _refusal(self, session: Session, name: bytes, keys: Words, *, asking: bool) -> Error | None:
        """Return why a command on keys is not executed here; None when it is. The order of reasons is Redis' own."""
        slot = slot_of(keys[0])
        owner = self.owners[slot]
        if owner == NOBODY:
            return UNSERVED
        if any(slot_of(key) != slot for key in keys):
            return CROSS_SLOT
        if self.failed:
            return DOWN
        missing = sum(key not in self.items for key in keys)
        if owner == self.number:
            if slot in self.migrating and missing:
                return UNSTABLE if missing < len(keys) else self._redirect(b"ASK", slot, self.migrating[slot])
        elif slot in self.importing and asking:
            if missing and len({*keys}) > 1:
                return UNSTABLE
        elif not (session.readonly and name in _READS and self.master == owner):
            return self._redirect(b"MOVED", slot, owner)
        return LOADING if self.loading else None

    def _redirect(self, how: bytes, slot: int, to: int) -> Error:
        there = self._places[to]
        return Error(b"%b %d %b:%d" % (how, slot, there.host, there.port))

    # ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def execute(self, name: bytes, words: Words) -> Reply:
        """Carry out a command on keys, whoever serves them."""
        return self._commands[name](words)

    def put(self, key: bytes, value: bytes) -> None:
        """Write a key here and at the replicas in step."""
        for each in (self, *self.replicas):
            each.items[key] = value

    def drop(self, key: bytes) -> bool:
        """Remove a key here and at the replicas in step; return whether there was one."""
        found = key in self.items
        for each in (self, *self.replicas):
            each.items.pop(key, None)
        return found

    @property
    def seen(self) -> dict[bytes, bytes]:
        """What reads show."""
        return self.items if self.view is None else self.view

    def _get(self, words: Words) -> Reply:
        found = self.seen.get(words[0])
        self.ledger.stale += found != self.items.get(words[0])
        return Null.BULK if found is None else found

    def _set(self, words: Words) -> Reply:
        self.ledger.written[words[1]] += 1
        self.put(words[0], words[1])
        return OK

    def _delete(self, words: Words) -> Reply:
        return sum([self.drop(key) for key in words])

    def _exist(self, words: Words) -> Reply:
        return sum(key in self.seen for key in words)

    def _get_several(self, words: Words) -> Reply:
        return tuple(self.seen.get(key, Null.BULK) for key in words)

    def _set_several(self, words: Words) -> Reply:
        for key, value in zip(words[::2], words[1::2], strict=True):
            self.ledger.written[value] += 1
            self.put(key, value)
        return OK

    # ── The connection, and what the node knows ─────────────────────────────────────────────────────────────────────

    def _about_connection(self, session: Session, name: bytes, words: Words) -> Reply:
        match [name, *(word.upper() for word in words[1:])]:
            case [b"PING"]:
                return Status(b"PONG")
            case [b"HELLO", *version]:
                return self._hello(session, version)
            case [b"ASKING"]:
                session.asking = True
                return OK
            case [b"READONLY"]:
                session.readonly = True
                return OK
            case [b"READWRITE"]:
                session.readonly = False
                return OK
            case [b"SELECT", b"0"] | [b"CLIENT", b"SETNAME" | b"SETINFO" | b"NO-EVICT", *_]:
                return OK
            case [b"SELECT", _]:
                return Error(b"ERR SELECT is not allowed in cluster mode")
            case [b"AUTH", *_]:
                return Error(b"ERR AUTH <password> called without any password configured for the default user.")
            case [b"INFO", *_]:
                return INFO
            case [b"CLUSTER", about, *_]:
                return self._about_cluster(about, words[2:], session.version)
        return Error(b"ERR unknown command '%b', with args beginning with: " % words[0])

    def _hello(self, session: Session, words: Words) -> Reply:
        if words and words[0] not in (b"2", b"3"):
            return Error(b"NOPROTO unsupported protocol version")
        if words:
            session.version = int(words[0])
        pairs: tuple[tuple[Reply, Reply], ...] = (
            (b"server", b"redis"),
            (b"version", VERSION),
            (b"proto", session.version),
            (b"id", 1),
            (b"mode", b"cluster"),
            (b"role", b"master" if self.master == NOBODY else b"replica"),
            (b"modules", ()),
        )
        return _mapped(pairs, session.version)

    def _about_cluster(self, about: bytes, words: Words, version: int) -> Reply:
        match about:
            case b"SLOTS":
                return self.slots(version)
            case b"SHARDS":
                return self.shards(version)
            case b"NODES":
                return self.nodes()
            case b"MYID":
                return self.place.name
            case b"KEYSLOT" if words:
                return slot_of(words[0])
            case b"INFO":
                return b"cluster_state:%b\r\ncluster_known_nodes:%d\r\n" % (
                    b"fail" if self.failed else b"ok",
                    len(self.known()),
                )
        return Error(b"ERR unknown subcommand '%b'. Try CLUSTER HELP." % about)

    def known(self) -> list[int]:
        """Return the numbers of the nodes that it knows: those that serve slots, their replicas, and itself."""
        return sorted({*self.owners, *self.masters, self.number} - {NOBODY})

    def followers(self, master: int) -> list[int]:
        """Return the replicas of a master, as this node knows."""
        return sorted(replica for replica, followed in self.masters.items() if followed == master)

    def slots(self, version: int) -> Reply:
        """Return the reply to CLUSTER SLOTS: each range with its master and its replicas."""
        nothing: Reply = Map(()) if version == 3 else ()

        def shown(number: int) -> Reply:
            there = self._places[number]
            return (there.host, there.port, there.name, nothing)

        return tuple(
            (first, last, shown(owner), *(shown(each) for each in self.followers(owner) if each not in self.failing))
            for first, last, owner in ranges(self.owners)
        )

    def shards(self, version: int) -> Reply:
        """Return the reply to CLUSTER SHARDS: each master with its ranges and its replicas; one without slots, too."""
        served: dict[int, list[int]] = {number: [] for number in self.known() if number not in self.masters}
        for first, last, owner in ranges(self.owners):
            served[owner] += (first, last)
        return tuple(
            _mapped(
                (
                    (b"slots", tuple(bounds)),
                    (b"nodes", tuple(self._shown(each, version) for each in (master, *self.followers(master)))),
                ),
                version,
            )
            for master, bounds in served.items()
        )

    def _shown(self, number: int, version: int) -> Reply:
        there = self._places[number]
        pairs: tuple[tuple[Reply, Reply], ...] = (
            (b"id", there.name),
            (b"port", there.port),
            (b"ip", there.host),
            (b"endpoint", there.host),
            (b"role", b"replica" if number in self.masters else b"master"),
            (b"replication-offset", 0),
            (b"health", b"fail" if number in self.failing else b"online"),
        )
        return _mapped(pairs, version)

    def nodes(self) -> bytes:
        """Return the reply to CLUSTER NODES."""
        served: dict[int, list[bytes]] = {}
        for first, last, owner in ranges(self.owners):
            served.setdefault(owner, []).append(b"%d-%d" % (first, last) if last > first else b"%d" % first)
        lines = []
        for number in self.known():
            there, master = self._places[number], self.masters.get(number, NOBODY)
            flags = b"myself," * (number == self.number) + (b"master" if master == NOBODY else b"slave")
            followed = b"-" if master == NOBODY else self._places[master].name
            where = b"%b:%d@%d" % (there.host, there.port, there.port + 10_000)
            words = [there.name, where, flags, followed, b"0", b"0", b"%d" % number, b"connected"]
            lines.append(b" ".join([*words, *served.get(number, [])]) + b"\n")
        return b"".join(lines)


def _keys(name: bytes, words: Words) -> Words:
    """Return the keys of a command; empty for one that has none, or that the model does not know."""
    match name:
        case b"GET" if len(words) == 2:
            return words[1:]
        case b"SET" if len(words) >= 3:
            return words[1:2]
        case b"DEL" | b"MGET" | b"EXISTS":
            return words[1:]
        case b"MSET" if len(words) % 2:
            return words[1::2]
    return ()


def _mapped(pairs: tuple[tuple[Reply, Reply], ...], version: int) -> Reply:
    """Return pairs as the map that RESP3 has, or as the array of RESP2."""
    return Map(pairs) if version == 3 else tuple(part for pair in pairs for part in pair)
