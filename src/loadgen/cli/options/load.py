"""The flags of the verbs that put load on servers: one row each.

Letters mean what they mean in redis-benchmark and valkey-benchmark; loadgen's own flags are long. memtier's long flags
have a table of their own. A row with a key only sets that key of the configuration; `flags` acts on the other rows.
"""

from __future__ import annotations

from loadgen.cli.options import tells
from loadgen.cli.options.kind import (
    ALLOWANCE,
    COUNT,
    FILE_NAME,
    LITERAL,
    PORT,
    RATE,
    SHARE,
    SIZE,
    TEXT,
    TIME,
    ValueKind,
    choice,
    whole,
)
from loadgen.cli.options.option import Option, OptionGroup, Positional
from loadgen.cli.options.refused import MEMTIER as MEMTIER_REFUSED
from loadgen.cli.options.refused import MEMTIER_TOOL, REDIS_BENCHMARK, VALKEY_BENCHMARK
from loadgen.plan import MAX_DATABASE
from loadgen.units import shown

DATABASE = whole("N", 0, MAX_DATABASE)

FORMATS = ("clean", "verbose", "json", "quiet", "csv")
COLORS = ("auto", "always", "never")


def _protocol(word: str) -> str:
    return tells.PROTOCOLS.get(word, word)


def _kept(word: str) -> int:
    """Return the requests of a connection's life for redis-benchmark's `-k`."""
    if word not in ("0", "1"):
        raise ValueError(
            f"must be 0, a connection for each request, or 1, connections that are kept, not {shown(word)}"
        )
    return 1 - int(word)


def _listed(word: str) -> list[str]:
    return [part.strip() for part in word.split(",")]


def _pattern(word: str) -> str:
    match word.upper():
        case "R:R":
            return "uniform"
        case "Z:Z":
            return "zipf"
        case _:
            raise ValueError(f'"{word[:40]}" is not there yet; there are R:R (uniform) and Z:Z (zipf)')


CONFIG = Positional(
    "config", "CONFIG", "a TOML file, or the name of a preset: see `loadgen config --list` and `--example`"
)

TARGET = OptionGroup(
    "target",
    (
        Option(("-h", "--host"), "the server's host (default: 127.0.0.1)", TEXT, "HOST"),
        Option(("-p", "--port"), "the server's port (default: 6379, or 11211 for memcache)", PORT),
        Option(("-u", "--uri"), "address, user, password and database, as redis://[[USER:]PASSWORD@]HOST[:PORT][/DB], "
               "memcache://HOST[:PORT] or redis+unix:///PATH[?db=DB]", TEXT, "URI", betrays=tells.of_user),
        Option(("-s", "--socket"), "the server's Unix socket", FILE_NAME, "PATH", betrays=tells.of_address),
        Option(("--embedded",), "run against the built-in server, started for this run"),
        Option(("--server",), "the server to start for this run, watch and stop: a server file, or the name of a "
               "preset such as redis; as in memtier, an address names a running server", TEXT, "FILE"),
    ),
)  # fmt: skip

_READ_FROM = {"no": "primary", "yes": "replicas", "all": "all"}


def _read_from(text: str) -> str:
    if text not in _READ_FROM:
        raise ValueError("write no, yes or all")
    return _READ_FROM[text]


CONVERSATION = OptionGroup(
    "protocol and log-in",
    (
        Option(
            ("--protocol",),
            "resp, resp3, memcache, memcache-meta, memcache-binary or ping",
            ValueKind("NAME", _protocol),
            key="target.protocol",
        ),
        Option(("-3",), "the same as --protocol resp3", key="target.protocol", sets="resp3"),
        Option(("--user",), "user for the log-in", TEXT, "NAME", key="target.username", also=("--username",)),
        Option(("-a", "--password"), "password for the log-in", TEXT, "PASSWORD", key="target.password"),
        Option(("--dbnum",), "number of the database (default: 0)", DATABASE, key="target.database"),
        Option(
            ("--cluster",),
            "the server is a node of a Redis Cluster: find the others, and send each key to its node",
            key="target.cluster",
            also=("--cluster-mode",),
        ),
        Option(
            ("--sentinel-master",),
            "the server is a sentinel: put load on the master of that name, also after a fail-over",
            TEXT,
            "NAME",
            key="target.sentinel_master",
        ),
        Option(
            ("--rfr",),
            "reads of a cluster: no (primaries), yes (replicas) or all",
            ValueKind("WHICH", _read_from),
            key="target.read_from",
        ),
    ),
)

TLS = OptionGroup(
    "TLS",
    (
        Option(("--tls",), "connect by TLS, and verify the server's certificate and its name", key="target.tls"),
        Option(("--sni",), "the name that is asked for, and that the certificate must carry (default: the host)", TEXT,
               "NAME", key="target.tls_hostname"),
        Option(("--cacert",), "trusted authorities, in PEM (default: the system's)", FILE_NAME,
               key="target.tls_ca_file"),
        Option(("--cacertdir",), "folder of trusted authorities, named by openssl rehash", FILE_NAME, "FOLDER",
               key="target.tls_ca_dir"),
        Option(("--insecure",), "take any certificate", key="target.tls_verify", sets=False),
        Option(("--cert",), "the client's certificate, in PEM", FILE_NAME, key="target.tls_cert"),
        Option(("--key",), "the key of --cert, in PEM", FILE_NAME, key="target.tls_key"),
        Option(("--tls-ciphers",), "ciphers up to TLS 1.2, in OpenSSL's notation", TEXT, "CIPHERS",
               key="target.tls_ciphers"),
        Option(("--tls-ciphersuites",), "suites of TLS 1.3, in OpenSSL's notation; needs Python 3.15", TEXT, "SUITES",
               key="target.tls_ciphersuites"),
    ),
)  # fmt: skip

LOAD = OptionGroup(
    "load",
    (
        Option(("-n", "--requests"), "exact number of requests, over all connections; no warm-up and no duration "
               "unless given", COUNT, key="general.requests", betrays=tells.of_all_keys),
        Option(("--duration",), "time to measure, such as 10s", TIME, key="general.duration"),
        Option(("--warmup",), "time under load before the measurement", TIME, key="general.warmup"),
        Option(("-t", "--tests"), "tests to run one after another, in redis-benchmark's order (ping, set, get, "
               "incr, mset, mget), each with -n requests (100k without CONFIG)",
               TEXT, "NAMES", betrays=tells.of_threads),
        Option(("--mix",), "command weights, such as get=6,set=3,delete=1 (default: get=80,set=20)", TEXT, "WEIGHTS"),
        Option(("-c", "--connections"), "connections in all", COUNT, key="connection.connections"),
        Option(("-P", "--pipeline"), "maximum number of requests in flight on each connection", COUNT,
               key="connection.pipeline_depth", betrays=tells.of_protocol),
        Option(("--batch-size",), "maximum number of requests in one send", COUNT, key="connection.batch_size"),
        Option(("--refill",), "moment of the next send in a closed loop: slot (as soon as a reply has made room) or "
               "drained (when all replies have come)", TEXT, "NAME", key="connection.refill"),
        Option(("--rate",), "requests per second over all connections", RATE,
               key="workload.rate_limit", also=("--rps",)),
        Option(("--arrival",), "arrival times of requests at a rate: poisson or constant", TEXT, "NAME",
               key="workload.arrival"),
        Option(("--connect-timeout",), "maximum time to open a connection", TIME,
               key="connection.connect_timeout", also=("--connection-timeout",)),
        Option(("--request-timeout",), "maximum time until a reply", TIME, key="connection.request_timeout"),
        Option(("--reconnect-every",), "life of a connection: a number of requests, or a time such as 5s; then it is "
               "closed and opened again", TEXT, "N|TIME", key="connection.reconnect_every"),
        Option(("-k",), "1 keeps connections, 0 opens one for each request", ValueKind("{0,1}", _kept),
               key="connection.reconnect_every"),
        Option(("--connect-rate",), "connections opened per second before the load", RATE,
               key="connection.connect_rate"),
        Option(("--source-addresses",), "addresses of this machine that connections come from, in turn",
               ValueKind("IP,IP", _listed), key="connection.source_addresses"),
        Option(("--idle",), "connections beside these that are only there", COUNT, key="connection.idle"),
        Option(("--tracking",), "client tracking: on (pushes of changed keys that were read) or bcast (of all)",
               TEXT, "NAME", key="target.tracking"),
        Option(("--enable-tracking",), "the same as --tracking on", key="target.tracking", sets="on"),
        Option(("--max-failures",), "share of requests that may fail, and of connections that never open, such as 5%",
               ALLOWANCE, key="verdict.failures"),
    ),
)  # fmt: skip

KEYS = OptionGroup(
    "keys and values",
    (
        Option(("-r", "--keys"), "number of keys, drawn at random", COUNT, key="workload.keyspace.count"),
        Option(("--key-prefix",), "beginning of every key", TEXT, "TEXT", key="workload.keyspace.prefix"),
        Option(("--key-length",), "characters in a key, its prefix included", COUNT, key="workload.keyspace.length"),
        Option(("-d", "--value-length"), "bytes in a value, such as 64, 64kb (65,536) or 64KB (64,000)", SIZE,
               key="workload.values.length", betrays=tells.of_duration, also=("--value-size",)),
        Option(("--prefill",), "write each key once before the load", key="workload.prefill"),
        Option(("--backfill",), "send a SET for each key that a GET misses", key="workload.backfill_on_miss"),
    ),
)  # fmt: skip

GENERATOR = OptionGroup(
    "generator",
    (
        Option(("--threads",), "number of worker processes", COUNT, key="general.threads"),
        Option(("--cpu-list",), "CPUs to pin workers to, such as 0-3,8", TEXT, "CPUS", key="general.cpu_list"),
        Option(("--seed",), "seed of everything random", COUNT, key="general.seed"),
        Option(("--spin",), "poll instead of sleeping; each worker takes a whole core", key="workload.spin"),
    ),
)

HISTORY_KEYS = Option(
    ("--history-keys",),
    "share of keys whose requests are in the history, such as 1%",
    SHARE,
    key="workload.history_keys",
)

RESULTS = OptionGroup(
    "results",
    (
        Option(("--format",), "format of the results", choice(FORMATS), key="admin.format"),
        Option(("-q", "--quiet"), "the same as --format quiet", key="admin.format", sets="quiet"),
        Option(("--csv",), "the same as --format csv: redis-benchmark's columns", key="admin.format", sets="csv"),
        Option(("-o", "--output"), "write the results to FILE; standard output still shows them for people",
               FILE_NAME, also=("--out-file",)),
        Option(("--history",), "write to FILE each request's times, end and value, for loadgen check",
               FILE_NAME, key="workload.history"),
        HISTORY_KEYS,
        Option(("--json",), "also write the results to FILE, as --format json does", FILE_NAME,
               also=("--json-out-file",)),
        Option(("--color",), "use of colour; auto: on a terminal", choice(COLORS), key="admin.color"),
        Option(("--tui",), "show a dashboard while the load runs, and the results after it; q stops the load. It needs "
               "a terminal and the extra tui: pip install 'loadgen[tui]'"),
    ),
)  # fmt: skip

ANY_KEY = OptionGroup(
    "any key",
    (
        Option(("--set",), "set any key of the configuration to a TOML value; may be repeated; wins over flags, which "
               "win over files", TEXT, "TABLE.KEY=VALUE", many=True, default=[]),
    ),
)  # fmt: skip

MEMTIER = OptionGroup(
    "memtier's names",
    (
        Option(("--clients",), "connections; for each thread when another flag that only memtier has is given", COUNT,
               key="connection.connections", only=MEMTIER_TOOL),
        Option(("--test-time",), "as --duration", TIME, "SECONDS", key="general.duration", only=MEMTIER_TOOL),
        Option(("--data-size",), "as --value-length", SIZE, key="workload.values.length", only=MEMTIER_TOOL),
        Option(("--ratio",), "as --mix, but written SET:GET", TEXT, "SET:GET", only=MEMTIER_TOOL),
        Option(("--multi-key-get",), "keys of each read, an MGET, or on memcache a get of several keys; the GETs of "
               "--ratio (default: 1:10) are keys then", COUNT, only=MEMTIER_TOOL),
        Option(("--key-minimum",), "number of the first key: 0 or 1", COUNT, only=MEMTIER_TOOL),
        Option(("--key-maximum",), "number of the last key", COUNT, only=MEMTIER_TOOL),
        Option(("--key-pattern",), "popularity of keys: R:R (uniform) or Z:Z (zipf)", ValueKind("SET:GET", _pattern),
               key="workload.keyspace.distribution", only=MEMTIER_TOOL),
        Option(("--key-zipf-exp",), "exponent of zipf", LITERAL, "N", key="workload.keyspace.zipf_exponent",
               only=MEMTIER_TOOL),
        Option(("--rate-limiting",), "as --rate, but for each connection", RATE, only=MEMTIER_TOOL),
        Option(("--reconnect-interval",), "as --reconnect-every, in requests", COUNT, key="connection.reconnect_every",
               only=MEMTIER_TOOL),
        Option(("--authenticate",), "user and password for AUTH", TEXT, "[USER:]PASSWORD", only=MEMTIER_TOOL),
        Option(("-S", "--unix-socket"), "the server's Unix socket", FILE_NAME, "PATH", only=MEMTIER_TOOL),
        Option(("--select-db",), "as --dbnum", DATABASE, key="target.database", only=MEMTIER_TOOL),
        Option(("--tls-skip-verify",), "as --insecure", key="target.tls_verify", sets=False, only=MEMTIER_TOOL),
        Option(("--tls-protocols",), "versions of TLS, such as TLSv1.2,TLSv1.3", TEXT, "VERSIONS",
               only=MEMTIER_TOOL),
    ),
    "As in memtier, --clients counts for each thread, and --requests for each connection, when another flag that only "
    "memtier has is given.",
)  # fmt: skip

GROUPS = (TARGET, CONVERSATION, TLS, LOAD, KEYS, GENERATOR, RESULTS, ANY_KEY, MEMTIER)
REFUSED = (*REDIS_BENCHMARK, *VALKEY_BENCHMARK, *MEMTIER_REFUSED)


def refused(why: str, *spellings: str) -> tuple[Option, ...]:
    """Return rows of the tables above as refused, for a verb that has no use for them."""
    rows = [option for group in GROUPS for option in group.options if set(spellings) & set(option.spellings)]
    return tuple(Option(row.spellings, "", row.kind, also=row.also, refusal=why) for row in rows)
