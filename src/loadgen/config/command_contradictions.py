"""The rules between the commands of the mix and the rest of a load: protocol, times to live, histories, owners of keys.

A command of several keys has a table of the keys of each owner where keys have owners, and counters have names of their
own. The rest: `contradictions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loadgen.command import COUNTING, OF_SEVERAL_KEYS
from loadgen.config.document.problem import Problem
from loadgen.config.memcache_contradictions import LONGEST_IN_BASE64
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.schema import Config
from loadgen.plan import COUNTER_PREFIX
from loadgen.protocol import PROTOCOLS

MOST_CHAINED = 2**28
"""The most keys of which each is noted with the next of the same owner: a table of 1 GiB in each worker."""

_COMMANDS = ("workload", "commands")
_PROTOCOL = ("target", "protocol")
_KEYS = ("workload", "keyspace", "count")
_COUNTERS = ("workload", "keyspace", "counters")
_KEY_LENGTH = ("workload", "keyspace", "length")
_TTL = ("workload", "values", "ttl")
_HISTORY = ("workload", "history")
_SHARDING = ("target", "sharding")


def _sent(config: Config, among: tuple[str, ...]) -> list[str]:
    """Return those of some commands that the load sends."""
    if not PROTOCOLS[config.target.protocol].has_keys:
        return []
    return [name for name, weight in config.workload.commands.weights.items() if weight and name in among]


def _owned(config: Config) -> bool:
    """True when each key is on a server of its own, of several."""
    target = config.target
    hashed = target.servers > 1 and target.sharding in ("ketama", "jump")
    return hashed or target.cluster


def _the_protocol_has_the_command(config: Config) -> Iterator[Problem]:
    spoken = PROTOCOLS[config.target.protocol]
    for name in _sent(config, spoken.lacks):
        yield Problem(
            ((*_COMMANDS, name), _PROTOCOL),
            ProblemCode.PROTOCOL_LIMIT,
            f'is not a command of "{spoken.name}"; {spoken.instead[name]}',
        )


def _several_values_live_for_ever(config: Config) -> Iterator[Problem]:
    if config.workload.values.ttl and "mset" in _sent(config, OF_SEVERAL_KEYS):
        yield Problem(
            ((*_COMMANDS, "mset"), _TTL),
            ProblemCode.EXPIRES,
            "stores values that live for ever: MSET has no time to live; leave out one of them, or send set instead",
        )


def _a_history_is_of_single_keys(config: Config) -> Iterator[Problem]:
    for name in _sent(config, (*OF_SEVERAL_KEYS, *COUNTING)) if config.workload.history is not None else ():
        yield Problem(
            ((*_COMMANDS, name), _HISTORY),
            ProblemCode.NEVER_JUDGED,
            "is not in a history, which is of reads, writes and removals of single keys; leave out one of them",
        )


def _a_table_of_owners_fits(config: Config) -> Iterator[Problem]:
    for name in _sent(config, OF_SEVERAL_KEYS) if _owned(config) else ():
        if config.workload.keyspace.count > MOST_CHAINED:
            yield Problem(
                (_KEYS, (*_COMMANDS, name)),
                ProblemCode.TOO_LARGE,
                f"must be at most {MOST_CHAINED} where keys have owners and {name} is sent, as each worker has a table "
                "of the keys of each owner",
            )
            return


def _counters_are_keys(config: Config) -> Iterator[Problem]:
    counters, keys = config.workload.keyspace.counters, config.workload.keyspace.count
    if not _sent(config, COUNTING):
        return
    if counters is not None and counters > keys:
        yield Problem(
            (_COUNTERS, _KEYS),
            ProblemCode.TOO_LARGE,
            f"must be at most workload.keyspace.count, {keys}, as a counter is of a key, not {counters}",
        )
    elif counters is not None and counters < keys and _owned(config):
        yield Problem(
            (_COUNTERS, _SHARDING),
            ProblemCode.NO_KEYS,
            "must be left out where keys have owners: each key has a counter then, on the server of the key",
        )


def _a_counter_has_a_name(config: Config) -> Iterator[Problem]:
    spoken, length = PROTOCOLS[config.target.protocol], config.workload.keyspace.length
    longest = LONGEST_IN_BASE64 if config.target.memcache.base64_keys else spoken.longest_key
    if _sent(config, COUNTING) and longest is not None and longest - len(COUNTER_PREFIX) < length <= longest:
        yield Problem(
            (_KEY_LENGTH, (*_COMMANDS, COUNTING[0])),
            ProblemCode.PROTOCOL_LIMIT,
            f'must be at most {longest - len(COUNTER_PREFIX)} with counters, whose keys have "{COUNTER_PREFIX}" in '
            f"front, not {length}",
        )


RULES: tuple[Callable[[Config], Iterator[Problem]], ...] = (
    _the_protocol_has_the_command,
    _several_values_live_for_ever,
    _a_history_is_of_single_keys,
    _a_table_of_owners_fits,
    _counters_are_keys,
    _a_counter_has_a_name,
)
