"""Flags of redis-benchmark, valkey-benchmark and memtier that loadgen refuses, each with the sentence for the user.

A flag in these rows is refused by name. A value that asks for what is done anyway is accepted.
"""

from __future__ import annotations

from loadgen.cli.options.kind import FILE_NAME, TEXT, ValueKind
from loadgen.cli.options.option import Option

WORD = ValueKind("VALUE", lambda word: word)

_COMMANDS = "commands of your own are not there yet; there are GET, SET and DELETE by --mix, and PING by -t ping"
_SIZES = "values of several sizes are not there yet; write one size with --data-size"
_KEYS = "such a choice of keys is not there yet; there are uniform and zipf, by --key-pattern R:R or Z:Z"
_STORED = "stored data sets are not there yet; values are random bytes, and --prefill writes every key"
_FUNCTIONS = "tests of functions are not there yet; there are get, set and ping"
_FUZZ = "a load is not fuzzed; loadgen fuzz --target command_handler gives mutated commands to a server that it starts"
_OUTPUT = "this file is not there; --format json -o FILE has all figures, with HDR histograms"
_WAIT = "WAIT is not there yet; leave it out"


MEMTIER_TOOL = "memtier"


def _no(*spellings: str, why: str, kind: ValueKind | None = None, harmless: tuple[str, ...] = ()) -> Option:
    return Option(spellings, "refused", kind, refusal=why, harmless=harmless)


def _memtier(*spellings: str, why: str = "", kind: ValueKind | None = None, harmless: tuple[str, ...] = ()) -> Option:
    """Return a row for a flag that only memtier has; a flag without a reason asks for what is done anyway."""
    what = "refused" if why else ""
    return Option(spellings, what, kind, refusal=why, harmless=harmless if why else ("",), only=MEMTIER_TOOL)


REDIS_BENCHMARK = (
    _no("--precision", why="figures have three significant digits; leave it out", kind=WORD),
    _no("-l", why="endless loops are not there yet; write how long with --duration"),
    _no("-I", why="idle connections alone are not there; --idle N has so many beside a load, such as --rate 1"),
    _no("-x", why="an argument from standard input is not there yet; the size of values is -d", kind=None),
    _no("-e", why="error replies are always shown, by class and with the first of each; leave it out"),
    _no("-D", why="debug output is not there; --format verbose says most", kind=None),
)

VALKEY_BENCHMARK = (
    _no("--sequential", why="keys in order are not there yet, but for --prefill, which writes each once"),
    _no("--num-functions", why=_FUNCTIONS, kind=WORD),
    _no("--num-keys-in-fcall", why=_FUNCTIONS, kind=WORD),
    _no("--dataset", why=_STORED, kind=FILE_NAME),
    _no("--maxdocs", why=_STORED, kind=WORD),
    _no("--mptcp", why="MPTCP is not there yet; leave it out for TCP"),
    _no("--rdma", why="RDMA is not there yet; leave it out for TCP"),
    _no("--fuzz", why=_FUZZ),
    _no("--fuzz-mode", why=_FUZZ, kind=WORD),
    _no("--fuzz-loglevel", why=_FUZZ, kind=WORD),
)

MEMTIER = (
    _memtier("-6", "--ipv6", why="write an IPv6 address: -h ::1"),
    _memtier(
        "--run-count",
        why="several runs are not there yet; `loadgen compare` repeats runs in rounds",
        kind=WORD,
        harmless=("1",),
    ),
    _memtier("--client-stats", why=_OUTPUT, kind=FILE_NAME),
    _memtier("--hdr-file-prefix", why=_OUTPUT, kind=FILE_NAME),
    _memtier("--show-config", why="the header of a run says it, and `loadgen config` all of it; leave it out"),
    _memtier(
        "--print-percentiles",
        why="p50, p90, p99, p99.9, p99.99 and the maximum are always shown; leave it out",
        kind=WORD,
    ),
    _memtier("--print-all-runs", why="there is one run; leave it out"),
    _memtier("--cpu-split", why="write the CPUs with --cpu-list"),
    _memtier("--taskset", why="write the CPUs with --cpu-list", kind=WORD),
    _memtier("--command", why=_COMMANDS, kind=TEXT),
    _memtier("--command-ratio", why=_COMMANDS, kind=WORD),
    _memtier("--command-key-pattern", why=_COMMANDS, kind=WORD),
    _memtier("--monitor-input", why=_COMMANDS, kind=FILE_NAME),
    _memtier("--data-offset", why="parts of values are not there yet", kind=WORD, harmless=("0",)),
    _memtier("--data-size-range", why=_SIZES, kind=WORD),
    _memtier("--data-size-list", why=_SIZES, kind=WORD),
    _memtier("--data-size-pattern", why=_SIZES, kind=WORD),
    _memtier(
        "--expiry-range",
        why="times to live that differ are not there yet; --set workload.values.ttl=60s gives all keys one",
        kind=WORD,
    ),
    _memtier("--data-import", why=_STORED, kind=FILE_NAME),
    _memtier("--data-verify", why="values are not verified under load yet; `loadgen smoke` checks SET and GET"),
    _memtier("--verify-only", why="values are not verified under load yet; `loadgen smoke` checks SET and GET"),
    _memtier("--generate-keys", why=_STORED),
    _memtier("--key-stddev", why=_KEYS, kind=WORD),
    _memtier("--key-median", why=_KEYS, kind=WORD),
    _memtier("--wait-ratio", why=_WAIT, kind=WORD),
    _memtier("--num-slaves", why=_WAIT, kind=WORD),
    _memtier("--wait-timeout", why=_WAIT, kind=WORD),
    # Done anyway.
    _memtier("-4", "--ipv4"),
    _memtier("-R", "--random-data"),
    _memtier("--no-expiry"),
    _memtier("--hide-histogram"),
    _memtier("--distinct-client-seed"),
    _memtier("--randomize"),
)
