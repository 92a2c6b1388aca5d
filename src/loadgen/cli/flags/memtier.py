"""memtier's arithmetic: its numbers for each thread or connection, as totals over all of them."""

from __future__ import annotations

from loadgen.cli.options import Given, Word
from loadgen.cli.options.refused import MEMTIER_TOOL
from loadgen.config import Flag
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.plan import Weights

THREADS = 4
CLIENTS = 50
LAST_KEY = 10_000_000
"""memtier's defaults of --threads, --clients and --key-maximum."""

TLS_VERSIONS = ("1", "1.1", "1.2", "1.3")

_CONNECTIONS = "connection.connections"
_REQUESTS = "general.requests"
_THREADS = "general.threads"
_KEYS = "workload.keyspace.count"


def signs(given: Given) -> bool:
    """True when a flag is given that only memtier has, other than `--clients`, whose meaning depends on the others."""
    return any(word.option.only == MEMTIER_TOOL and word.spelling != "--clients" for word in given.words)


def totals(given: Given, keys: dict[str, Flag]) -> dict[str, Flag]:
    """Return the keys of `--clients`, `--requests` and `--rate-limiting`, as totals over all threads and connections.

    `keys` has the keys of all flags. Raises UsageError when the number of connections is left to a CONFIG.
    """
    found: dict[str, Flag] = {}
    connections, requests, rate = keys.get(_CONNECTIONS), keys.get(_REQUESTS), given.word("rate_limiting")
    for_each = [Flag(rate.spelling, rate.value)] if rate is not None else []
    if requests is not None and requests.option == "--requests":
        for_each.append(requests)
    if connections is None and for_each and given.get("config") is not None:
        raise UsageError(
            f"{for_each[0].option} counts for each connection, as in memtier; say with --clients how many there are."
        )
    if connections is None and for_each:
        connections = Flag("--clients", CLIENTS)
    if connections is not None and connections.option == "--clients":
        threads = keys.get(_THREADS) or Flag("--clients", THREADS)
        connections = Flag("--clients", _times(connections.value, threads.value))
        found |= {_THREADS: threads, _CONNECTIONS: connections}
    for flag in for_each:
        assert connections is not None, "what counts for each connection has a number of them"
        key = _REQUESTS if flag is requests else "workload.rate_limit"
        found[key] = Flag(flag.option, _times(flag.value, connections.value))
    return found


def key_count(given: Given) -> tuple[str, Flag] | None:
    """Return the key of the keyspace's size, from `--key-minimum` and `--key-maximum`. Raises UsageError."""
    least, most = given.word("key_minimum"), given.word("key_maximum")
    if least is None and most is None:
        return None
    first = int(least.value) if least is not None else 0
    last = int(most.value) if most is not None else LAST_KEY
    if first > 1:
        raise UsageError(
            f"--key-minimum: keys begin at 0 or 1, not at {first}; --key-prefix keeps the keys of several runs apart."
        )
    if last < first:
        raise UsageError(f"--key-maximum: {last} is below --key-minimum, {first}; swap them.")
    return _KEYS, Flag("--key-maximum" if most is not None else "--key-minimum", last - first + 1)


def of_several_keys(ratio: Weights, keys: int) -> tuple[Weights, int]:
    """Return the mix of `--ratio` with `--multi-key-get`, and the keys of each MGET.

    The GETs of a ratio are keys then: 1:10 with 5 keys is two MGETs of 5 keys for each SET.
    """
    each = min(keys, ratio["get"])
    return Weights(set=ratio["set"], mget=-(-ratio["get"] // each)), each


def tls_versions(word: Word) -> dict[str, Flag]:
    """Return the keys of `--tls-protocols`, versions with commas between them. Raises UsageError."""
    named = [part.strip().lower().removeprefix("tlsv") for part in str(word.value).split(",")]
    if unknown := next((part for part in named if part not in TLS_VERSIONS), None):
        raise UsageError(
            f"{word.spelling}: {printable(unknown, 20)} is no version of TLS; there are "
            f"{', '.join(f'TLSv{version}' for version in TLS_VERSIONS)}."
        )
    places = sorted({TLS_VERSIONS.index(part) for part in named})
    if places != list(range(places[0], places[-1] + 1)):
        raise UsageError(
            f"{word.spelling}: the versions leave one out in their middle; name those that follow another."
        )
    return {
        "target.tls_min_version": Flag(word.spelling, TLS_VERSIONS[places[0]]),
        "target.tls_max_version": Flag(word.spelling, TLS_VERSIONS[places[-1]]),
    }


def _times(each: object, number: object) -> object:
    """Return the product of two counts; anything else is returned as it is, for the configuration to refuse."""
    return each * number if isinstance(each, int | float) and isinstance(number, int) else each
