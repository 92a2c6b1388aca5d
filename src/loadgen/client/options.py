"""The options of a client, checked when they are made: a frozen value. No I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

from loadgen.client.breaker import BreakerSettings, Ratio
from loadgen.client.pool import KINDS, PoolSettings
from loadgen.client.selection import SELECTORS
from loadgen.units import NS_PER_S

PROTOCOLS = ("text", "meta")

HEALTH_TIMEOUT_S = 5.0
"""The longest that a health check waits for its reply: upstream's limit where there is no `timeout_s`."""


class Keywords(TypedDict, total=False):
    """The options as keywords of `Client`: the fields of `Options`."""

    timeout_s: float
    connect_timeout_s: float | None
    max_size: int
    max_conn_lifetime_s: float
    max_conn_idle_time_s: float
    health_check_interval_s: float
    pool: str
    selector: str
    failover: bool
    protocol: str
    retries: int
    pipeline: int
    breaker: bool
    breaker_max_requests: int
    breaker_interval_s: float
    breaker_bucket_period_s: float
    breaker_timeout_s: float
    breaker_min_requests: int
    breaker_failure_ratio: float
    breaker_consecutive_failures: int


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a client. Times are seconds. Raises ValueError for a value out of range, in a sentence."""

    timeout_s: float = 1.0
    """The deadline of each operation, from its call: the wait for a connection, the dial, retries and the reply."""
    connect_timeout_s: float | None = None
    """The limit of a dial; None: `timeout_s`."""
    max_size: int = 10
    """Connections per node."""
    max_conn_lifetime_s: float = 0.0
    """The age from which a connection is closed instead of used again; 0: none."""
    max_conn_idle_time_s: float = 0.0
    """The time without use after which a connection is closed; 0: none."""
    health_check_interval_s: float = 0.0
    """The time between health checks of idle connections; 0: none."""
    pool: str = "puddle"
    """`puddle` or `channel`: the order in which idle connections are used."""
    selector: str = "jump"
    """`jump`, `ketama` or `rendezvous`: the node that a key belongs to."""
    failover: bool = False
    """True: while a node's breaker refuses, or the node refuses a connection, its keys go to other nodes."""
    protocol: str = "text"
    """`text`, which every memcache server speaks, or `meta`, memcached's from version 1.6 on."""
    retries: int = 0
    """How often a read is sent again after its connection was lost, within its deadline."""
    pipeline: int = 1
    """Requests that may be under way on a connection at the same time, when all connections of a node are in use."""
    breaker: bool = True
    """False: no breaker."""
    breaker_max_requests: int = 3
    """Probes in the half-open state, and successes that close the breaker."""
    breaker_interval_s: float = 30.0
    """The window of the counts; 0: the counts are kept until the breaker opens."""
    breaker_bucket_period_s: float = 10.0
    """The step by which the window rolls; 0: the counts are cleared all at once."""
    breaker_timeout_s: float = 5.0
    """The time in the open state."""
    breaker_min_requests: int = 10
    """The fewest operations in the window with which the breaker opens."""
    breaker_failure_ratio: float = 0.3
    """The least share of failures with which the breaker opens."""
    breaker_consecutive_failures: int = 20
    """The failures in a row with which the breaker opens whatever their share; 0: only the share counts."""

    def __post_init__(self) -> None:
        for name in ("timeout_s", "connect_timeout_s", "breaker_timeout_s"):
            value = getattr(self, name)
            if value is not None and not (0 < value < math.inf):
                raise ValueError(f"{name} is {value!r}: it must be a number of seconds above 0")
        for name in ("max_conn_lifetime_s", "max_conn_idle_time_s", "health_check_interval_s"):
            _at_least(self, name, 0)
        for name in ("breaker_interval_s", "breaker_bucket_period_s", "breaker_consecutive_failures", "retries"):
            _at_least(self, name, 0)
        for name in ("max_size", "pipeline", "breaker_max_requests", "breaker_min_requests"):
            _at_least(self, name, 1)
        if not 0 < self.breaker_failure_ratio <= 1:
            raise ValueError(f"breaker_failure_ratio is {self.breaker_failure_ratio!r}: it must be above 0 and up to 1")
        for name, known in (("pool", KINDS), ("selector", SELECTORS), ("protocol", PROTOCOLS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be one of {', '.join(known)}")

    @property
    def timeout_ns(self) -> int:
        return round(self.timeout_s * NS_PER_S)

    @property
    def connect_timeout_ns(self) -> int:
        return self.timeout_ns if self.connect_timeout_s is None else round(self.connect_timeout_s * NS_PER_S)

    @property
    def health_interval_ns(self) -> int:
        return round(self.health_check_interval_s * NS_PER_S)

    @property
    def health_timeout_ns(self) -> int:
        return round(min(self.timeout_s, HEALTH_TIMEOUT_S) * NS_PER_S)

    @property
    def pool_settings(self) -> PoolSettings:
        return PoolSettings(
            self.max_size,
            round(self.max_conn_lifetime_s * NS_PER_S),
            round(self.max_conn_idle_time_s * NS_PER_S),
            self.pipeline,
        )

    @property
    def breaker_settings(self) -> BreakerSettings | None:
        """The settings of each node's breaker; None for no breaker.

        A probe is an operation, which ends by its deadline. The breaker's own limit of a probe is twice that.
        """
        if not self.breaker:
            return None
        return BreakerSettings(
            self.breaker_max_requests,
            round(self.breaker_interval_s * NS_PER_S),
            round(self.breaker_bucket_period_s * NS_PER_S),
            round(self.breaker_timeout_s * NS_PER_S),
            Ratio(self.breaker_min_requests, self.breaker_failure_ratio, self.breaker_consecutive_failures),
            2 * self.timeout_ns,
        )


def _at_least(options: Options, name: str, least: int) -> None:
    value = getattr(options, name)
    if not least <= value < math.inf:
        raise ValueError(f"{name} is {value!r}: it must be {least} or more")
