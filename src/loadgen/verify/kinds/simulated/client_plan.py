"""What a seed draws of a simulated case of the client: its options, its servers, its callers and their operations.

Every operation is drawn before the first begins, each as a part that can be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from loadgen.verify.scenario.settings import MOST_FAULTS, Settings
from loadgen.verify.tape import OPERATION, Tape

VERBS = (
    "get",
    "set",
    "delete",
    "get_many",
    "set_many",
    "delete_many",
    "gets",
    "add",
    "replace",
    "cas",
    "increment",
    "read_counter",
    "touch",
    "version",
    "append",
    "prepend",
)
"""Operations of the client, in the order of simplicity. `cas` is one of the others, `gets`, before it."""

PLAIN, CONDITIONAL, COUNTERS = range(3)
"""The classes of keys. Conditional ones have the operations whose histories are searched."""

CLASSES = (PLAIN,) * 6 + (CONDITIONAL,) * 4 + (COUNTERS,) * 2 + (PLAIN,) * 4
"""By verb, the class of its keys."""

EVEN = (30, 20, 5, 6, 4, 2, 2, 2, 1, 2, 5, 2, 1, 1, 2, 1)
"""The weights of the verbs, as they come."""

WITH_TTL = frozenset(VERBS.index(verb) for verb in ("set", "set_many", "add", "replace", "cas", "touch"))
"""The verbs that give a value a time to live."""

TTLS_S = ((0,), (0, 0, 0, 1), (0, 1, 2))
"""The times to live of a seed, of which each write draws one; 0 is without end."""

VALUE_BYTES = (0, 0, 0, 300, 300, 20_000)
SMALL_BYTES = 300
"""The largest values where links may be too narrow for larger ones: most calls would end at their deadlines."""
FAST = 20_000_000
"""The bytes/s of links from which values are large."""

NEVER, AT_A_TIME, WITH_AN_END = range(3)
"""When a caller cancels: not at all, after a drawn time, or at the moment when another operation ends."""

_CANCELLATIONS = (90, 5, 5)

OPTIONS: Mapping[str, Sequence[Any]] = {
    "timeout_s": (1.0, 0.05, 0.3),
    "connect_timeout_s": (None, 0.02),
    "max_size": (10, 1, 2, 4),
    "pipeline": (1, 4, 16),
    "pool": ("puddle", "channel"),
    "selector": ("jump", "ketama", "rendezvous"),
    "failover": (False, True),
    "protocol": ("text", "text", "meta"),
    "retries": (0, 2),
    "max_conn_lifetime_s": (0.0, 0.5),
    "max_conn_idle_time_s": (0.0, 0.1),
    "health_check_interval_s": (0.0, 0.2, 0.05),
    "breaker": (True, True, False),
    "breaker_timeout_s": (0.5, 2.0),
    "breaker_interval_s": (30.0, 0.0, 1.0),
    "breaker_min_requests": (10, 2),
    "breaker_consecutive_failures": (20, 3, 0),
    "breaker_max_requests": (3, 1),
}
"""The values of each option that are drawn, the simplest first."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the seeds of one kind are like."""

    name: str
    faults: tuple[str, ...]
    mean_faults: float = 3.0
    within_s: float = 3.0
    """The time in which faults begin."""
    nodes: tuple[int, ...] = (1, 2, 3)
    keys: tuple[int, ...] = (2, 1, 4, 16)
    callers: tuple[int, ...] = (4, 1, 8, 16)
    verbs: Sequence[int] = EVEN
    options: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Options that have other values than in OPTIONS."""
    pauses_s: tuple[float, ...] = (0.0, 0.0, 0.001, 0.05)
    garbled: bool = False
    """True when servers lose step: errors of the protocol are then no finding."""
    recovers: bool = False
    """True when the client must be as before some time after the last fault."""
    seldom: tuple[str, ...] = ()
    """States that a campaign of this kind alone need not reach."""
    most_faults: int = MOST_FAULTS
    tick_ns: int = 0
    """As of Settings."""

    @property
    def settings(self) -> Settings:
        return Settings(
            self.faults,
            self.mean_faults,
            self.within_s,
            until_s=7200,
            most_callbacks=100_000_000,
            most_faults=self.most_faults,
            tick_ns=self.tick_ns,
        )


class Op(NamedTuple):
    """One operation of one caller."""

    verb: int
    """A place in VERBS."""
    key: int
    """Among the keys of the verb's class."""
    cancels: int
    cancels_us: int
    pause_s: float
    """The time that the caller then does nothing."""
    ttl_s: int = 0
    """Of what is written; 0: without end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is drawn before a case begins, but for its network and its faults."""

    nodes: int
    keys: int
    """Of each class: plain, conditional, counters."""
    value_bytes: int
    options: Mapping[str, Any]
    callers: Sequence[Sequence[Op]]
    expires: bool
    """True when some writes have a time to live."""
    closes_at_s: float
    """The time at which the client is closed, whatever its callers do; 0: when they have ended."""

    @classmethod
    def drawn(cls, tape: Tape, profile: Profile, operations: int, bytes_per_s: int = 0) -> Plan:
        """Draw the plan of so many operations, on links of `bytes_per_s`; recorded values may end them earlier."""
        nodes = tape.choice(profile.nodes, "nodes")
        keys = tape.choice(profile.keys, "keys of each class")
        value_bytes = tape.choice(VALUE_BYTES, "bytes of a value")
        if profile.recovers or 0 < bytes_per_s < FAST:
            value_bytes = min(value_bytes, SMALL_BYTES)
        several = {**OPTIONS, **profile.options}
        options = {name: tape.choice(values, name) for name, values in several.items()}
        ttls_s = tape.choice(TTLS_S, "times to live, in s")
        expires = len(ttls_s) > 1
        callers: list[list[Op]] = [[] for _ in range(tape.choice(profile.callers, "callers"))]
        many, draw, pauses = len(callers), tape.draw_one, profile.pauses_s
        for _ in tape.several(OPERATION, operations):
            verb = draw("operation", len(EVEN), profile.verbs)
            caller = draw("caller", many, None)
            key = draw("key", keys, None)
            cancels = draw("a caller cancels", 3, _CANCELLATIONS)
            cancels_us = draw("time of cancelling, in µs", 60_000, None) if cancels == AT_A_TIME else 0
            pause_s = pauses[draw("pause of a caller", len(pauses), None)]
            ttl_s = ttls_s[draw("time to live", len(ttls_s), None)] if expires and verb in WITH_TTL else 0
            callers[caller].append(Op(verb, key, cancels, cancels_us, pause_s, ttl_s))
        closes_at_s = 0.0
        if not profile.recovers and tape.chance(0.1, "the client is closed early"):
            closes_at_s = tape.between(1, 1000, "time of closing, in ms") / 1000
        return cls(nodes, keys, value_bytes, options, callers, expires, closes_at_s)

    def __str__(self) -> str:
        usual = {name: values[0] for name, values in OPTIONS.items()}
        chosen = [f"{name}={value!r}" for name, value in self.options.items() if value != usual[name]]
        operations = sum(map(len, self.callers))
        return (
            f"{operations} operations of {len(self.callers)} callers on {self.keys} keys of each class, "
            f"{self.nodes} nodes; {', '.join(chosen) or 'default options'}"
        )
