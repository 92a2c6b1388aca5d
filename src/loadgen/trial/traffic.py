"""The traffic of callers, drawn from a seed: which operation is next, on which keys. Sans-IO; no clock.

Each key has one writer, a caller process whose ledger knows every write of the key (`trial.ledger`). The callers of a
process share the writing of its shared keys, the hot ones among them, and of its counters. Every process reads the
shared keys of all.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from loadgen.trial.plan import OPERATIONS, CallerPlan, Traffic
from loadgen.units import NS_PER_S

COUNTERS = 64
"""The counters of a caller process, at most. They are no other operation's keys, and are never deleted."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a client."""

    kind: str
    """One of `plan.OPERATIONS`."""
    keys: tuple[str, ...]
    """One key, but for a get_many."""
    value_bytes: int = 0
    """The length of the value of a set; 0: the value is the beginning of a counter, 0."""
    ttl_s: int = 0
    delta: int = 1
    loads_first: bool = False
    """True for a set of a value that the backend must compute first, because the cache missed."""
    win_ttl_s: int = 0
    """For a get whose miss one caller is to act on, where the client tells callers which: the time to live of the
    value that this caller then sets. 0: not such a get."""

    @property
    def key(self) -> str:
        return self.keys[0]


class Names:
    """The names of the keys that one caller process writes and reads."""

    def __init__(self, plan: CallerPlan) -> None:
        self.writers = plan.writers
        self.prefix = _prefix(plan.writer)
        self.shared = max(plan.traffic.shared_keys // plan.writers, plan.traffic.hot_keys, 1)
        self.counters = min(self.shared, COUNTERS)

    def is_own(self, key: str) -> bool:
        """True for a key that this process writes."""
        return self.writers == 1 or key.startswith(self.prefix)

    def read_keys(self) -> tuple[str, ...]:
        """Return the shared keys of all processes."""
        return tuple(map(self.read_key, range(self.shared * self.writers)))

    def shared_key(self, number: int) -> str:
        """Return a shared key that this process writes."""
        return f"{self.prefix}s{number}"

    def read_key(self, number: int) -> str:
        """Return a shared key of any process: the first one of each writer, then the second one of each …"""
        of_writer, writer = divmod(number, self.writers)
        return f"{_prefix(writer + 1)}s{of_writer}"

    def own_key(self, caller: int, number: int) -> str:
        return f"{self.prefix}o{caller}-{number}"

    def counter(self, number: int) -> str:
        return f"{self.prefix}c{number}"

    @staticmethod
    def number(key: str) -> int | None:
        """Return the number of a key among those of all processes; None for a counter and for what is none of them.

        It is legible: shared key 7 of writer 2 is 2000000000007, and key 7 of its caller 4 is 2000005000007.
        """
        if (found := _KEY.fullmatch(key)) is None:
            return None
        writer, shared, caller, own = found.groups()
        of_writer = int(writer) * 10**12
        return of_writer + (int(shared) if shared is not None else (int(caller) + 1) * 10**6 + int(own))

    def prepared(self, traffic: Traffic) -> tuple[str, ...]:
        """Return the keys that are written before the first operation, but for the counters."""
        return () if traffic.shape == "stampede" else tuple(map(self.shared_key, range(self.shared)))

    def prepared_counters(self, traffic: Traffic) -> tuple[str, ...]:
        """Return the counters that are written before the first operation."""
        return tuple(map(self.counter, range(self.counters))) if traffic.weights.get("increment") else ()


_KEY = re.compile(r"lg:(\d{1,6}):(?:s(\d{1,6})|o(\d{1,5})-(\d{1,6}))")


def _prefix(writer: int) -> str:
    return f"lg:{writer}:"


class Draws:
    """The operations of one caller, one after the other, which follow from the plan's seed alone."""

    def __init__(self, plan: CallerPlan, caller: int) -> None:
        self.traffic = plan.traffic
        self.names = Names(plan)
        self.caller = caller
        self._random = Random(f"{plan.seed}/{plan.writer}/{caller}")
        self._kinds = [kind for kind in OPERATIONS if plan.traffic.weights.get(kind)]
        self._sums = list(accumulate(plan.traffic.weights[kind] for kind in self._kinds))

    def next(self) -> Operation:
        """Draw the next operation."""
        if self.traffic.shape == "stampede":
            return Operation("get", (self.names.shared_key(0),), win_ttl_s=self.stampede_ttl_s())
        is_slow = self._random.random() < self.traffic.slow_share
        kind = self._kinds[bisect(self._sums, self._random.random() * self._sums[-1])]
        match kind:
            case "increment":
                return Operation(kind, (self.names.counter(self._below(self.names.counters)),))
            case "get_many":
                return Operation(kind, self._batch(is_slow))
            case "set":
                return self._set(self._key(self.names.shared_key), is_slow)
            case "get":
                return Operation(kind, (self._key(self.names.read_key, self.names.writers),))
        return Operation(kind, (self._key(self.names.shared_key),))

    def after(self, operation: Operation, answer: object) -> Operation | None:
        """Return the operation that an answer calls for, if any.

        A counter that is missing begins at 0 again. A value that a stampede's get did not find is loaded and set.
        """
        if answer is not None:
            return None
        if operation.kind == "increment":
            return Operation("set", operation.keys)
        if operation.kind == "get" and self.traffic.shape == "stampede":
            least = self.traffic.value_bytes[0]
            return Operation("set", operation.keys, least, self.stampede_ttl_s(), loads_first=True)
        return None

    def stampede_ttl_s(self) -> int:
        """Return the time to live of the stampede's key: its period in whole seconds, 1 at least."""
        return max(1, self.traffic.period_ns // NS_PER_S)

    def first(self, key: str) -> Operation:
        """Return the operation that writes a shared key before the load."""
        return self._set(key, is_slow=False)

    def _set(self, key: str, is_slow: bool) -> Operation:
        length = self._between(self.traffic.value_bytes, is_slow)
        return Operation("set", (key,), length, self._within(self.traffic.ttl_s))

    def _batch(self, is_slow: bool) -> tuple[str, ...]:
        count = min(self._between(self.traffic.batch, is_slow), self.names.shared)
        readable = range(self.names.shared * self.names.writers)
        return tuple(map(self.names.read_key, self._random.sample(readable, count)))

    def _between(self, bounds: tuple[int, int], is_slow: bool) -> int:
        """Draw a size: of a long tail the most for a slow operation and the least for any other, else uniformly."""
        if self.traffic.slow_share:
            return bounds[is_slow]
        return self._within(bounds)

    def _within(self, bounds: tuple[int, int]) -> int:
        least, most = bounds
        return least if least == most else self._random.randint(least, most)

    def _below(self, count: int) -> int:
        """Draw a number from 0 to `count` - 1. A `randrange` takes three times as long."""
        return int(self._random.random() * count)

    def _key(self, shared_key: Callable[[int], str], writers: int = 1) -> str:
        """Draw a key: one of the caller's own, or a shared key, named by `shared_key`, of this many writers."""
        traffic = self.traffic
        if traffic.hot_share and self._random.random() < traffic.hot_share:
            return shared_key(self._below(traffic.hot_keys * writers))
        if traffic.own_keys:
            return self.names.own_key(self.caller, self._below(traffic.own_keys))
        return shared_key(self._below(self.names.shared * writers))
