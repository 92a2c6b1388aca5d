"""The plan of a run: frozen values that pickle small, with every number resolved and every seed drawn.

`loadgen.config` makes a Plan, everything else reads it, and every worker receives all of it. The objectives and limits
that judge a run are not in the Plan but in a `judge.judging.Judging`, which no worker receives. This module knows
nothing of TOML, files or outputs.
Times are int nanoseconds, sizes are bytes, rates are requests per second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from loadgen import greeting
from loadgen.command import COMMANDS, MIXED, Command
from loadgen.protocol import PROTOCOLS, Dialect, Protocol
from loadgen.split import split_connections, split_range, worker_seed
from loadgen.units import MAX_DURATION_NS, NS_PER_S

MAX_DATABASE = 2**31 - 1
"""The greatest number of a database: Redis counts them in an int."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server's address: a host, as the user wrote it, and a port; or the path of a Unix socket."""

    host: str
    """Empty for a Unix socket, whose port is 0."""
    port: int
    address: str
    """A numeric IPv4 or IPv6 address, the first that the host resolved to; empty for a Unix socket."""
    others: tuple[str, ...] = ()
    """The other addresses that the host resolved to. They are tried in turn where no server is reached at `address`."""
    path: str = ""
    """The path of the Unix socket; empty for a host."""

    @classmethod
    def at_path(cls, path: str) -> Endpoint:
        """Return the endpoint of a Unix socket."""
        return cls("", 0, "", path=path)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every numeric address of the host, in the order in which they are tried; of a Unix socket none."""
        return (self.address, *self.others) if not self.path else ()

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Reads(StrEnum):
    """The nodes of a shard that are read from."""

    PRIMARY = "primary"
    REPLICAS = "replicas"
    """All replicas alike; the primary where there is none."""
    ALL = "all"
    """The primary and all replicas alike."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """How the nodes under load are found: the endpoints of a plan are asked, as nodes of a cluster or as sentinels."""

    master: str = ""
    """The name of the master that the endpoints, which are sentinels, watch; empty: they are nodes of a cluster."""
    reads: Reads = Reads.PRIMARY
    username: str = ""
    password: str = ""
    """Of the sentinels; the nodes have the target's."""
    seeds: tuple[Endpoint, ...] = ()
    """Whom to ask, once nodes have been found and are the target's endpoints; empty before."""
    proxies: tuple[tuple[str, Endpoint], ...] = ()
    """The proxies before nodes, by the nodes' addresses."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What one lane is for: a shard, the node that serves it now, and which requests go there."""

    name: str
    """The first node's address; it stays when another node takes over."""
    shard: int
    endpoint: Endpoint | None
    """None: no node serves the lane now."""
    reads: float = 1.0
    """The part of the shard's reads that goes there: below 1 where replicas are read from."""
    writes: bool = True
    """False for a replica."""
    proxy: Endpoint | None = None
    """What connections are made to instead of the node."""

    @property
    def at(self) -> Endpoint | None:
        """What connections are made to: the node, or the proxy before it."""
        return self.proxy or self.endpoint


@dataclass(frozen=True, slots=True)
class Topology:
    """The lanes of a cluster at some time. A later topology has the same lanes in the same places, and maybe more."""

    placements: tuple[Placement, ...]
    slots: tuple[tuple[int, int, int], ...] = ()
    """(first slot, last slot, shard) of the slots that have an owner; empty for a master that sentinels watch."""
    members: tuple[tuple[str, ...], ...] = ()
    """The ids of all nodes that each shard has had, by its number."""

    @property
    def shards(self) -> int:
        """The number of shards, those without a slot too."""
        return 1 + max(placement.shard for placement in self.placements)

    @property
    def weights(self) -> tuple[int, ...]:
        """How the lanes share connections: by the slots of their shards; at least 1 for each."""
        of_shard = [0] * self.shards
        for first, last, shard in self.slots:
            of_shard[shard] += last - first + 1
        return tuple(max(1, of_shard[placement.shard]) for placement in self.placements)


@dataclass(frozen=True, slots=True)
class Keyspace:
    """Keys are the ids 0 … count-1, written in lower-case hex after a prefix, zero-padded to `length` characters."""

    count: int
    length: int
    """The length of a whole key, its prefix included."""
    distribution: str
    """`uniform` or `zipf`."""
    zipf_exponent: float
    prefix: str = ""
    """ASCII."""
    counters: int = 0
    """The number of counters: the ids modulo this number, in keys that begin with COUNTER_PREFIX; 0: one of each key,
    on its server."""


COUNTER_PREFIX = "counter:"
"""The beginning of a counter's key, before a key. In a cluster that key is in braces, as a hash tag."""


class Weights(Mapping[str, int]):
    """The command mix as whole-number weights by command, in the table's order; only their ratios matter.

    A command that is not named has the weight 0. Raises TypeError for a name that is no command of a mix.
    """

    __slots__ = ("_of",)

    def __init__(self, **weights: int) -> None:
        if unknown := weights.keys() - set(MIXED):
            raise TypeError(f"no commands of a mix: {', '.join(sorted(unknown))}")
        self._of = {name: weights.get(name, 0) for name in MIXED}

    def __getitem__(self, name: str) -> int:
        return self._of[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def __hash__(self) -> int:
        return hash(tuple(self._of.values()))

    def __repr__(self) -> str:
        return f"Weights({', '.join(f'{name}={weight}' for name, weight in self._of.items() if weight)})"

    @property
    def lowest_terms(self) -> Weights:
        """The same mix in its smallest whole numbers, so that 80:20 and 4:1 are the same plan; one weight is not 0."""
        shared = math.gcd(*self.values())
        return Weights(**{name: weight // shared for name, weight in self.items()})

    @property
    def shares(self) -> dict[str, float]:
        """The commands with a weight, and the share of the requests that each is of."""
        whole = sum(self.values())
        return {name: weight / whole for name, weight in self.items() if weight}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time over which the offered rate runs along a straight line, or swings.

    Without a period the rate goes straight from `from_per_s` to `to_per_s`. With a period the rate swings between the
    two like a cosine, beginning at `from_per_s`; the last swing may be cut off.
    """

    length_ns: int
    from_per_s: float
    to_per_s: float
    period_ns: int = 0

    @property
    def requests(self) -> float:
        """The number of requests that fall due in the segment: the integral of the rate."""
        middle, swing = (self.from_per_s + self.to_per_s) / 2, (self.to_per_s - self.from_per_s) / 2
        straight = middle * self.length_ns / NS_PER_S
        if not self.period_ns:
            return straight
        turn = 2 * math.pi * (self.length_ns % self.period_ns) / self.period_ns
        return straight - swing * self.period_ns / NS_PER_S / (2 * math.pi) * math.sin(turn)


@dataclass(frozen=True, slots=True)
class LoadPhase:
    """One `[[workload.phase]]` as configured: a stretch of the load with a row of its own in a result."""

    shape: str
    """constant, ramp, step, sine or burst."""
    length_ns: int
    from_per_s: float
    to_per_s: float
    """The rates that the phase goes between, over all workers."""
    requests: float
    """The number of requests that fall due in the phase."""

    @property
    def offered_per_s(self) -> float:
        """The mean rate of the phase."""
        return self.requests * NS_PER_S / self.length_ns if self.length_ns else 0.0


@dataclass(frozen=True, slots=True)
class TlsPlan:
    """How connections are encrypted, and what is verified. Paths are absolute; empty: not given."""

    verify: bool = True
    """The server's certificate must be signed by a trusted authority, be valid now, and carry the host's name."""
    hostname: str = ""
    """The name that is sent (SNI) and that the certificate must carry; empty: the endpoint's host, as written."""
    ca_file: str = ""
    """The trusted authorities, in PEM. The system's own, where neither a file nor a folder is given."""
    ca_dir: str = ""
    """A folder of trusted authorities, named by hash as `openssl rehash` does."""
    cert: str = ""
    """The client's certificate with its chain, in PEM; empty: none is shown."""
    key: str = ""
    """The key of `cert`, in PEM; empty: it is in the same file."""
    key_password: str = ""
    min_version: str = ""
    """`1`, `1.1`, `1.2` or `1.3`; empty: 1.2, or `max_version` where that is lower."""
    max_version: str = ""
    """Empty: the highest that OpenSSL has."""
    ciphers: str = ""
    """The ciphers up to TLS 1.2, in OpenSSL's notation."""
    ciphersuites: str = ""
    """The suites of TLS 1.3."""
    resume: bool = True
    """A reconnect offers the newest session of the same server."""


@dataclass(frozen=True, slots=True)
class MemcacheWire:
    """The forms of requests to memcache servers."""

    quiet: bool = False
    """The load's requests are answered only if there is something to say, and a barrier follows each batch."""
    opaque: bool = True
    """Meta requests have an opaque token. Binary ones always have."""
    base64_keys: bool = False
    """Meta requests have their keys in base64."""
    return_key: bool = False
    """The reply to a read has the key: meta's flag k, binary's GetK."""
    get_flags: str = "v"
    """The flags of meta's `mg`, without `k`, the opaque token and `q`."""


@dataclass(frozen=True, slots=True)
class Target:
    """The servers under load: their addresses, and how a connection to one begins."""

    protocol: str
    """The name of a row of `protocol.PROTOCOLS`."""
    endpoints: tuple[Endpoint, ...]
    username: str = ""
    password: str = ""
    """Empty: no connection logs in."""
    database: int = 0
    """The database that a connection selects, after its log-in; 0, which a new connection has, sends no SELECT."""
    sharding: str = "ketama"
    """The choice of one of several endpoints for a request: `ketama` or `jump` by its key, `roundrobin` by any key
    for each endpoint, or `mirrored`, the same requests to all."""
    discovery: Discovery | None = None
    """How the nodes are found, where `endpoints` only say who they are; None where `endpoints` are the servers."""
    topology: Topology | None = None
    """The nodes that were found; None without a discovery, and before it."""
    precheck: str = "ping"
    """The first request of a connection, after its log-in and before any load: `ping`, `hello` or `none`. RESP3 always
    sends HELLO, and memcache sends `version`, or the no-op of its dialect, for `ping`."""
    memcache: MemcacheWire = MemcacheWire()
    tls: TlsPlan | None = None
    """None: plain text."""
    tracking: str = "off"
    """`on` when the server is to say which keys that a connection has read were changed, `bcast` when it is to say so
    of all keys; RESP3 only."""
    tracking_noloop: bool = False
    """The server does not say so to the connection that changed the key."""

    @property
    def by_key(self) -> bool:
        """True when each key has a server of its own."""
        return self.topology is not None or self.sharding in ("ketama", "jump")

    @property
    def by_slot(self) -> bool:
        """True when keys are served by slots: in a Redis Cluster."""
        return self.discovery is not None and not self.discovery.master

    @property
    def placements(self) -> tuple[Placement, ...]:
        """One for each lane: the topology's, or those of the endpoints."""
        if self.topology is not None:
            return self.topology.placements
        return tuple(Placement(str(each), shard, each) for shard, each in enumerate(self.endpoints))

    @property
    def nodes(self) -> tuple[Endpoint, ...]:
        """The servers under load: those that were found, or the endpoints."""
        return tuple(each.endpoint for each in self.placements if each.endpoint is not None)

    @property
    def speaks(self) -> Protocol:
        """The row of the protocol; RESP's row for an unknown name, which a newer loadgen wrote in a record."""
        return PROTOCOLS.get(self.protocol, PROTOCOLS["resp"])

    @property
    def tracking_options(self) -> tuple[bytes, ...]:
        """The options of CLIENT TRACKING ON."""
        return (b"BCAST",) * (self.tracking == "bcast") + (b"NOLOOP",) * self.tracking_noloop

    def greetings(self, *, resets: bool = False) -> tuple[str, ...]:
        """Return the requests that each connection begins with, by their names in the table of commands."""
        return self.speaks.greetings(
            self.precheck,
            authenticated=bool(self.password),
            selects=self.database > 0,
            resets=resets,
            tracks=self.tracking != "off",
            reads_replicas=self.reads_replicas,
        )

    @property
    def reads_replicas(self) -> bool:
        """True when replicas of a cluster get reads; those that sentinels name serve them anyway."""
        discovery = self.discovery
        return discovery is not None and not discovery.master and discovery.reads is not Reads.PRIMARY

    @property
    def turned_away_by(self) -> tuple[str, ...]:
        """The beginnings of error replies after which no request on the same connection can succeed."""
        # A server that does not know `mn` knows no meta command.
        unknown = ("ERROR",) if self.speaks.dialect is Dialect.META else ()
        return (*greeting.TURNED_AWAY, *unknown)


@dataclass(frozen=True, slots=True)
class Life:
    """The opening, keeping and renewing of connections, and those that are only there."""

    connect_rate_per_s: float = 0.0
    """The pace at which the first connections are opened, over all workers; 0: as fast as can be."""
    keepalive_ns: int = 0
    """The time without traffic after which TCP probes the connection, and the time between its probes; 0: never."""
    nodelay: bool = True
    """TCP sends small requests at once (TCP_NODELAY)."""
    source_addresses: tuple[str, ...] = ()
    """The numeric addresses that connections come from, in turn; empty: the kernel's choice."""
    reconnect_requests: int = 0
    """The number of requests after which a connection is renewed; 0: any number."""
    reconnect_ns: int = 0
    """The age at which a connection is renewed; 0: any age."""
    reconnect_by: str = "close"
    """`close`: the connection is closed and opened again; `reset`: it is kept, and RESET is sent on it."""
    idle: int = 0
    """The number of connections beside those of the load that are opened, greeted and never used."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The connections of all workers, and how requests are sent on them."""

    connections: int
    pipeline_depth: int
    batch_size: int
    """At most this many requests are written by one send(2)."""
    connect_timeout_ns: int
    request_timeout_ns: int
    request_distribution: str
    """The choice of the connection for a due request, with a schedule: `roundrobin`, `greedy`, `random` or
    `least_inflight`."""
    refill: str = "slot"
    """The moment at which a closed loop sends again on a connection: `slot`, as soon as a reply has made room, or
    `drained`, when every request on the connection has ended, by its reply or its timeout."""
    longest_backoff_ns: int = 5 * NS_PER_S
    """The longest wait between two attempts to open a connection."""
    life: Life = Life()
    spin: bool = False
    """The workers poll for ready sockets and due requests instead of sleeping until the kernel wakes them."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The requests to send: keys, values, the mix of commands, and the keys that are written beside the mix."""

    keyspace: Keyspace
    weights: Weights
    value_bytes: int
    keys_per_request: int = 1
    """The keys of a request of several; 1 where no command has several."""
    prefill: bool = False
    """Every key is written once before the load."""
    prefill_timeout_ns: int = 0
    """0: no limit."""
    backfill_on_miss: bool = False
    """A GET that misses is followed by a SET of its key."""
    ttl_ns: int = 0
    """The time to live of each key that is written, a multiple of the protocol's unit; 0: for ever."""


@dataclass(frozen=True, slots=True)
class Load:
    """The length and the rate of a load: a warm-up and the measure window that follows it.

    A run puts on its plan's own load, a search puts on one load for each rate, a comparison one for each slice.
    """

    warmup_ns: int
    duration_ns: int
    """The length of the measure window; 0: no limit, as `requests` ends the window."""
    interval_ns: int
    """The time between a worker's reports; 0: one report, after the drain."""
    moment_ns: int = 0
    """The time between a worker's reports of what became of each server in the measure window; 0: none."""
    profile: tuple[Segment, ...] = ()
    """The offered rate over all workers, from the start of the measure window to its end. The warm-up has the rate that
    the profile begins with. Empty: a closed loop."""
    arrival: str = "constant"
    """The spacing of due times in the profile: `constant` (even) or `poisson`. `constant` in a closed loop, which has
    no due times."""
    requests: int = 0
    """The number of requests of the measure window, over all workers; 0: as many as its duration allows."""
    phases: tuple[LoadPhase, ...] = ()
    """The configured phases of the profile, where it has more than one rate; empty otherwise."""

    @property
    def window_ns(self) -> int:
        """The longest that the measure window may last."""
        return self.duration_ns or MAX_DURATION_NS

    @property
    def open_loop(self) -> bool:
        """True when a schedule, and not the replies, decides when requests are sent."""
        return bool(self.profile)

    @property
    def rate_per_s(self) -> float:
        """The mean offered rate over the profile; 0 without one."""
        length_ns = sum(segment.length_ns for segment in self.profile)
        return sum(segment.requests for segment in self.profile) * NS_PER_S / length_ns if length_ns else 0.0


@dataclass(frozen=True, slots=True)
class KeptHistory:
    """The history that is kept of a run: a file with a record of each request on some keys, or on all."""

    path: str
    """Absolute, as workers are processes of their own."""
    keys: float
    """The share of keys, above 0, whose requests are recorded."""
    run: int = field(compare=False)
    """The number that the run's values are marked with, so that they are told from those of other runs; not 0."""


class WorkerPlan(NamedTuple):
    """One worker process's own share of the load. A plan for many machines has thousands, each of which gets all."""

    seed: int
    cpu: int | None
    """The CPU that the process is pinned to; None: not pinned."""
    connections: tuple[int, ...]
    """The number of connections that the worker opens to each of the plan's endpoints, in their order."""
    share: float
    """The worker's share of the offered rate; the shares of all workers add up to 1."""
    prefill_first: int
    prefill_count: int
    """The worker prefills the ids prefill_first … prefill_first + prefill_count - 1."""
    idle: tuple[int, ...] = ()
    """The number of idle connections to each of the endpoints; empty: none."""


def worker_plans(
    count: int,
    *,
    seed: int,
    cpus: Sequence[int | None],
    connections: int,
    idle: int,
    servers: int,
    keys: int,
) -> tuple[WorkerPlan, ...]:
    """Return the shares of `count` workers, each on the next of `cpus`, in a load on `servers` that are alike."""
    split = split_connections(connections, [1] * servers, count)
    idle_split = split_connections(idle, [1] * servers, count)
    ranges = split_range(keys, count)
    return tuple(
        WorkerPlan(
            seed=worker_seed(seed, index),
            cpu=cpus[index % len(cpus)],
            connections=own,
            share=sum(own) / connections,
            prefill_first=first,
            prefill_count=written,
            idle=own_idle if idle else (),
        )
        for index, (own, own_idle, (first, written)) in enumerate(zip(split, idle_split, ranges, strict=True))
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. Every worker receives the Plan and its own index in `workers`."""

    target: Target
    wire: Wire
    workload: Workload
    load: Load
    seed: int
    workers: tuple[WorkerPlan, ...]
    test: str = ""
    """The name of this load in a series of loads, such as `GET`; else empty."""
    history: KeptHistory | None = None
    """None: no history is kept, and values are not marked."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """The table of the commands that this run can send, greetings included."""
        return COMMANDS

    @property
    def keys_to_write(self) -> int:
        """The number of writes of a prefill: each key once, or once on each server that is asked for any key."""
        return self.workload.keyspace.count * (1 if self.target.by_key else len(self.target.endpoints))

    @property
    def mix(self) -> tuple[tuple[str, int], ...]:
        """The commands that the load sends: their names, in the table's order, each with its weight."""
        if not self.target.speaks.has_keys:
            return (("ping", 1),)
        return tuple(self.workload.weights.items())

    def at(self, *endpoints: Endpoint) -> Plan:
        """Return the plan with the same load on other servers, of the same protocol and with the same credentials.

        Where nodes have been found, these are proxies before them, in their order, or the nodes themselves.
        """
        topology, discovery = self.target.topology, self.target.discovery
        if topology is None or discovery is None:
            return replace(self, target=replace(self.target, endpoints=endpoints))
        return self.behind({str(node): at for node, at in zip(self.target.endpoints, endpoints, strict=True)})

    def behind(self, proxies: Mapping[str, Endpoint]) -> Plan:
        """Return the plan, whose nodes have been found, with these proxies before them, by the nodes' addresses.

        What stands before a node may be the node itself.
        """
        topology, discovery = self.target.topology, self.target.discovery
        assert topology is not None
        assert discovery is not None
        before = {node: at for node, at in proxies.items() if node != str(at)}
        placements = tuple(replace(each, proxy=before.get(str(each.endpoint))) for each in topology.placements)
        target = replace(
            self.target,
            discovery=replace(discovery, proxies=tuple(before.items())),
            topology=replace(topology, placements=placements),
        )
        return replace(self, target=target)

    def spread(self, machines: int) -> Plan:
        """Return the plan with as many workers on each of some machines as it has on one.

        There are no more workers than can each have a connection to every endpoint, which can be fewer than machines.
        """
        servers, threads = len(self.target.endpoints), len(self.workers)
        return replace(
            self,
            workers=worker_plans(
                max(1, min(threads * machines, self.wire.connections // servers)),
                seed=self.seed,
                cpus=[worker.cpu for worker in self.workers],
                connections=self.wire.connections,
                idle=self.wire.life.idle,
                servers=servers,
                keys=self.workload.keyspace.count,
            ),
        )

    def on(self, topology: Topology) -> Plan:
        """Return the plan with its load on these nodes, and its connections divided among their lanes.

        A plan has at least as many connections as lanes, and no more workers than can each have one to every lane.
        """
        connections, placements, discovery = self.wire.connections, topology.placements, self.target.discovery
        assert discovery is not None
        workers = self.workers[: max(1, min(len(self.workers), connections // len(placements)))]
        split = split_connections(connections, topology.weights, len(workers))
        idle = split_connections(self.wire.life.idle, topology.weights, len(workers))
        ranges = split_range(self.workload.keyspace.count, len(workers))
        return replace(
            self,
            target=replace(
                self.target,
                endpoints=tuple(each.endpoint for each in placements if each.endpoint is not None),
                discovery=replace(discovery, seeds=self.target.endpoints),
                topology=topology,
            ),
            workers=tuple(
                worker._replace(
                    connections=own,
                    idle=own_idle if self.wire.life.idle else (),
                    share=sum(own) / connections,
                    prefill_first=first,
                    prefill_count=count,
                )
                for worker, own, own_idle, (first, count) in zip(workers, split, idle, ranges, strict=True)
            ),
        )
