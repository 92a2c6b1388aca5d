"""redis-benchmark's tests by name: the load of each, and the tests that loadgen does not have. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from loadgen.escape import printable
from loadgen.plan import Weights

REQUESTS = 100_000
"""The requests of each test when no number is given: redis-benchmark's own default."""


@dataclass(frozen=True, slots=True)
class NamedTest:
    """One test: a load of one command."""

    title: str
    """The test's name in results, as in redis-benchmark's: `GET`."""
    weights: Weights | None
    """The test's mix; None for PING, which has no keys."""

    def keys(self) -> dict[str, object]:
        """Return the configuration keys that make a load this test."""
        if self.weights is None:
            return {"target.protocol": "ping"}
        return {f"workload.commands.{name}": weight for name, weight in self.weights.items()}


PING = NamedTest("PING_MBULK", None)

# In the order in which redis-benchmark runs them, whatever the order on the command line.
TESTS = {
    "ping": PING,
    "ping_mbulk": PING,
    "set": NamedTest("SET", Weights(set=1)),
    "get": NamedTest("GET", Weights(get=1)),
    "incr": NamedTest("INCR", Weights(incr=1)),
    "mset": NamedTest("MSET (10 keys)", Weights(mset=1)),
    "mget": NamedTest("MGET (10 keys)", Weights(mget=1)),
}

LACKING = (
    *("ping_inline", "lpush", "rpush", "lpop", "rpop", "sadd", "hset", "spop", "zadd", "zpopmin", "lrange"),
    *("lrange_100", "lrange_300", "lrange_500", "lrange_600", "xadd", "function_load", "fcall"),
)
"""Tests of redis-benchmark and valkey-benchmark that loadgen does not have."""


def tests_of(names: str) -> tuple[NamedTest, ...]:
    """Return the tests that `-t` names, in redis-benchmark's order. Raises ValueError for unknown tests."""
    asked = [name.strip().lower() for name in names.split(",") if name.strip()]
    if not asked:
        raise ValueError(f"names no test; write some of {_listed(_own())}, such as get,set")
    lacking = [name for name in dict.fromkeys(asked) if name not in TESTS]
    if lacking:
        shown = _listed([printable(name, 40) for name in lacking])
        is_are = "is" if len(lacking) == 1 else "are"
        raise ValueError(f"{shown} {is_are} not there yet; there are {_listed(_own())}{_meant(lacking)}")
    return tuple(dict.fromkeys(test for name, test in TESTS.items() if name in asked))


def _own() -> list[str]:
    return [name for name in TESTS if name != "ping_mbulk"]


def _meant(lacking: list[str]) -> str:
    unknown = [name for name in lacking if name not in LACKING]
    near = dict.fromkeys(_near(unknown))
    return f"; did you mean {_listed([*near])}?" if near else ""


def _near(names: list[str]) -> Iterator[str]:
    for name in names:
        yield from get_close_matches(name[:40], TESTS, n=1)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
