"""The plan of a run: frozen values that pickle small, with every number resolved and every seed drawn.

A `Plan` is made by `loadgen.config` and read by everything else. Every worker gets the whole of it. By what a run's
numbers are judged is not in it but in a `judge.judging.Judging`, which no worker gets. It knows nothing of TOML, files
or outputs.
Times are int nanoseconds, sizes are bytes, rates are requests per second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from loadgen import greeting
from loadgen.command import COMMANDS, Command
from loadgen.protocol import PROTOCOLS, Protocol
from loadgen.units import MAX_DURATION_NS, NS_PER_S


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server address. `host` is as the user wrote it, `address` is what it resolved to."""

    host: str
    port: int
    address: str
    """A numeric IPv4 or IPv6 address."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Keyspace:
    """Keys are the ids 0 … count-1, written in lower-case hex after a prefix, zero-padded to `length` characters."""

    count: int
    length: int
    """Of a whole key, its prefix included."""
    distribution: str
    """`uniform` or `zipf`."""
    zipf_exponent: float
    prefix: str = ""
    """ASCII."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The command mix as whole-number weights; only their ratios matter."""

    get: int
    set: int
    delete: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time over which the offered rate runs along a straight line, or swings.

    Without a period the rate goes straight from `from_per_s` to `to_per_s`. With one it swings between the two, like a
    cosine, beginning at `from_per_s`; the last swing may be cut off.
    """

    length_ns: int
    from_per_s: float
    to_per_s: float
    period_ns: int = 0

    @property
    def requests(self) -> float:
        """How many requests fall due in it: the integral of the rate."""
        middle, swing = (self.from_per_s + self.to_per_s) / 2, (self.to_per_s - self.from_per_s) / 2
        straight = middle * self.length_ns / NS_PER_S
        if not self.period_ns:
            return straight
        turn = 2 * math.pi * (self.length_ns % self.period_ns) / self.period_ns
        return straight - swing * self.period_ns / NS_PER_S / (2 * math.pi) * math.sin(turn)


@dataclass(frozen=True, slots=True)
class LoadPhase:
    """One `[[workload.phase]]` as it was configured: a stretch with a row of its own in a result."""

    shape: str
    """constant, ramp, step, sine or burst."""
    length_ns: int
    from_per_s: float
    to_per_s: float
    """The rates that it goes between, over all workers."""
    requests: float
    """How many fall due in it."""

    @property
    def offered_per_s(self) -> float:
        """Its mean rate."""
        return self.requests * NS_PER_S / self.length_ns if self.length_ns else 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """The servers that get the load: where they are, and how a connection to one begins."""

    protocol: str
    """`resp`, `resp3`, `memcache` or `ping`."""
    endpoints: tuple[Endpoint, ...]
    username: str = ""
    password: str = ""
    """Empty: no AUTH is sent."""
    precheck: str = "ping"
    """What a connection is asked before any load, after its AUTH: `ping`, `hello` or `none`. RESP3 says HELLO anyway,
    and memcache has `version` for `ping`."""

    @property
    def speaks(self) -> Protocol:
        """The protocol's row; RESP's for a name that a newer loadgen wrote in a record."""
        return PROTOCOLS.get(self.protocol, PROTOCOLS["resp"])

    @property
    def turned_away_by(self) -> tuple[str, ...]:
        """How error replies begin after which no request on the same connection can succeed."""
        return greeting.TURNED_AWAY


@dataclass(frozen=True, slots=True)
class Wire:
    """How requests travel: the connections of all workers, and what is on its way on each."""

    connections: int
    pipeline_depth: int
    batch_size: int
    """At most this many requests are written by one send(2)."""
    connect_timeout_ns: int
    request_timeout_ns: int
    request_distribution: str
    """Which connection a due request goes to when there is a schedule: `roundrobin`, `greedy`, `random` or
    `least_inflight`."""
    refill: str = "slot"
    """When a closed loop sends again on a connection: `slot`, as soon as a reply has made room, or `drained`, when
    every request on it has ended, by its reply or its timeout."""
    spin: bool = False
    """The workers ask for what is ready and due again and again instead of sleeping until the kernel wakes them."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is sent: keys, values, the mix of commands, and which keys are written beside it."""

    keyspace: Keyspace
    weights: Weights
    value_bytes: int
    prefill: bool = False
    """Every key is written once before the load."""
    prefill_timeout_ns: int = 0
    """0: no limit."""
    backfill_on_miss: bool = False
    """A GET that misses is followed by a SET of its key."""


@dataclass(frozen=True, slots=True)
class Load:
    """How long, and how fast: a warm-up and the measure window that follows it.

    A run puts on its plan's own load, a search one for each rate that it tries, a comparison one for each slice.
    """

    warmup_ns: int
    duration_ns: int
    """Of the measure window; 0: no limit, as `requests` ends it."""
    interval_ns: int
    """How often a worker reports; 0: once, when it has drained."""
    profile: tuple[Segment, ...] = ()
    """The offered rate over all workers, from the start of the measure window to its end; the warm-up keeps up the rate
    that it begins with. Empty: a closed loop."""
    arrival: str = "constant"
    """How due times lie in the profile: `constant` (evenly) or `poisson`. `constant` in a closed loop, where there are
    none."""
    requests: int = 0
    """How many requests the measure window has, over all workers; 0: as many as its duration allows."""
    phases: tuple[LoadPhase, ...] = ()
    """What the profile was configured by, where it is more than one rate; empty otherwise."""

    @property
    def window_ns(self) -> int:
        """How long the measure window is, at most."""
        return self.duration_ns or MAX_DURATION_NS

    @property
    def open_loop(self) -> bool:
        """Whether a schedule says when requests are sent, and not the replies."""
        return bool(self.profile)

    @property
    def rate_per_s(self) -> float:
        """The mean offered rate over the profile; 0 without one."""
        length_ns = sum(segment.length_ns for segment in self.profile)
        return sum(segment.requests for segment in self.profile) * NS_PER_S / length_ns if length_ns else 0.0


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """One worker process's own share of the load."""

    seed: int
    cpu: int | None
    """The CPU that the process is pinned to."""
    connections: tuple[int, ...]
    """How many connections it opens to each of the plan's endpoints, in their order."""
    share: float
    """Which part of the offered rate is its own; those of all workers add up to 1."""
    prefill_first: int
    prefill_count: int
    """It prefills the ids prefill_first … prefill_first + prefill_count - 1."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. Every worker gets the Plan and its index in `workers`."""

    target: Target
    wire: Wire
    workload: Workload
    load: Load
    seed: int
    workers: tuple[WorkerPlan, ...]
    test: str = ""
    """Of several loads that follow each other, which one it is, such as `GET`; else empty."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """The table of what this run can send, its greetings too."""
        return COMMANDS

    @property
    def mix(self) -> tuple[tuple[str, int], ...]:
        """What its load sends: commands by name, in the table's order, and how often each in proportion."""
        if not self.target.speaks.has_keys:
            return (("ping", 1),)
        weights = self.workload.weights
        return (("get", weights.get), ("set", weights.set), ("delete", weights.delete))

    def at(self, *endpoints: Endpoint) -> Plan:
        """The same load on other servers, of the same protocol and with the same credentials."""
        return replace(self, target=replace(self.target, endpoints=endpoints))
