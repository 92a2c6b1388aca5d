"""What a run is told: plain frozen values that pickle small, with every number resolved and every seed drawn.

A `Plan` is made by `loadgen.config` and read by everything else. It knows nothing of TOML, files or outputs.
Times are int nanoseconds, sizes are bytes, rates are requests per second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from loadgen import greeting
from loadgen.judge.verdict import VerdictLimits as VerdictLimits
from loadgen.protocol import PROTOCOLS, Protocol
from loadgen.slo import Objective
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
class Load:
    """A stretch of load, as every worker is told of it: a run has one, a search one for each rate that it tries."""

    start_ns: int
    """Monotonic time at which the warm-up begins."""
    warmup_ns: int
    duration_ns: int
    """Of the measure window, which the warm-up is followed by, at most."""
    interval_ns: int
    """How often a worker reports; 0: once, when it has drained."""
    profile: tuple[Segment, ...]
    """As in a Plan: over all workers, of the measure window; empty for a closed loop."""
    requests: int = 0
    """How many requests of the measure window end it, over all workers; 0: only its duration does."""

    @property
    def measure_ns(self) -> int:
        """Monotonic time at which the measure window begins."""
        return self.start_ns + self.warmup_ns

    @property
    def end_ns(self) -> int:
        """And at which it ends, unless its requests end it before."""
        return self.measure_ns + self.duration_ns


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

    protocol: str
    """`resp`, `resp3`, `memcache` or `ping`."""
    endpoints: tuple[Endpoint, ...]
    username: str
    password: str
    """Empty: no AUTH is sent."""
    connections: int
    pipeline_depth: int
    batch_size: int
    """At most this many requests are written by one send(2)."""
    connect_timeout_ns: int
    request_timeout_ns: int
    request_distribution: str
    """Which connection a due request goes to when there is a schedule: `roundrobin`, `greedy`, `random` or
    `least_inflight`."""
    profile: tuple[Segment, ...]
    """The offered rate over all workers, from the start of the measure window to its end; the warm-up keeps up the rate
    that it begins with. Empty: a closed loop."""
    arrival: str
    """How due times lie in the profile: `constant` (evenly) or `poisson`. `constant` in a closed loop, where there are
    none."""
    spin: bool
    """The workers ask for what is ready and due again and again instead of sleeping until the kernel wakes them."""
    prefill: bool
    prefill_timeout_ns: int
    """0: no limit."""
    backfill_on_miss: bool
    keyspace: Keyspace
    weights: Weights
    value_bytes: int
    warmup_ns: int
    duration_ns: int
    """Of the measure window; 0: no limit, as `requests` ends it."""
    interval_ns: int
    seed: int
    workers: tuple[WorkerPlan, ...]
    slo: tuple[Objective, ...] = ()
    """What the result must meet."""
    phases: tuple[LoadPhase, ...] = ()
    """What the profile was configured by, where it is more than one rate; empty otherwise."""
    verdict: VerdictLimits = field(default_factory=VerdictLimits)
    """From where on the generator distrusts its own numbers."""
    requests: int = 0
    """How many requests the measure window has, over all workers; 0: as many as its duration allows."""
    refill: str = "slot"
    """When a closed loop sends again on a connection: `slot`, as soon as a reply has made room, or `drained`, when
    every request on it has ended, by its reply or its timeout."""
    precheck: str = "ping"
    """What a connection is asked before any load, after its AUTH: `ping`, `hello` or `none`. RESP3 says HELLO anyway,
    and memcache has `version` for `ping`."""
    test: str = ""
    """Of several loads that follow each other, which one it is, such as `GET`; else empty."""

    @property
    def window_ns(self) -> int:
        """How long the measure window is, at most."""
        return self.duration_ns or MAX_DURATION_NS

    @property
    def speaks(self) -> Protocol:
        """The protocol's row; RESP's for a name that a newer loadgen wrote in a record."""
        return PROTOCOLS.get(self.protocol, PROTOCOLS["resp"])

    @property
    def turned_away_by(self) -> tuple[str, ...]:
        """How error replies begin after which no request on the same connection can succeed."""
        return greeting.TURNED_AWAY

    @property
    def open_loop(self) -> bool:
        """Whether a schedule says when requests are sent, and not the replies."""
        return bool(self.profile)

    @property
    def rate_per_s(self) -> float:
        """The mean offered rate over the profile; 0 without one."""
        length_ns = sum(segment.length_ns for segment in self.profile)
        return sum(segment.requests for segment in self.profile) * NS_PER_S / length_ns if length_ns else 0.0
