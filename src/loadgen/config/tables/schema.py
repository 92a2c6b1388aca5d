"""The configuration's tables and keys: the meaning, the kind, the bounds and the default of each key.

Bounds of a single key are here, rules between keys in `contradictions`. The vocabulary is that of crucible's benchmark
and of cachecannon, whose files load unchanged, plus keys of our own, which `foreign.OURS` lists.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, create_model, field_validator, model_validator

from loadgen.config.tables.band import BandTable
from loadgen.config.tables.check import CheckTable
from loadgen.config.tables.cpu_list import usable_cpus
from loadgen.config.tables.fault import FaultTable
from loadgen.config.tables.memcache import Memcache
from loadgen.config.tables.monitor import MonitorTable
from loadgen.config.tables.objectives import Percentiles, Slo
from loadgen.config.tables.phase import Phase
from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.rounds import Compare, Gate
from loadgen.config.tables.server import FilePath, Server
from loadgen.config.tables.smoke import Smoke
from loadgen.config.tables.table import Table, duration_key
from loadgen.config.tables.values import (
    COUNT_IN_TEXT,
    MAX_RATE_PER_S,
    Address,
    Alias,
    Count,
    CpuList,
    Duration,
    Inert,
    KeyPrefix,
    Lifetime,
    Number,
    PositiveDuration,
    Protocol,
    Rate,
    ReconnectEvery,
    Share,
    ShareOrFalse,
    Size,
    SourceAddress,
    TlsVersion,
)
from loadgen.judge.verdict import VerdictLimits
from loadgen.plan import MAX_DATABASE, Weights
from loadgen.protocol import PROTOCOLS
from loadgen.units import format_duration, parse_count

MAX_REQUESTS = 2**53 - 1
"""The greatest count that every reader of JSON takes exactly."""

MAX_SEED = 2**53 - 1
"""The greatest seed, for the same reason."""

_MIN_INTERVAL_NS = 1_000_000
"""The event loop's timers have millisecond resolution."""

ID_LENGTH = 16
"""Hex digits for every 64-bit id."""


class General(Table):
    """The run as a whole."""

    requests: Count = Field(
        default=0,
        ge=0,
        le=MAX_REQUESTS,
        description=(
            "Number of requests to measure, over all connections; the run ends when all of them have ended. "
            "0: as many as the duration allows."
        ),
        examples=[100_000],
    )
    duration: Duration = duration_key(
        "60s",
        "Time to measure, after the warm-up; with phases, the sum of their lengths. "
        "With requests there is no limit unless one is given; the run ends at the first of the two.",
    )
    warmup: Duration = duration_key(
        "10s",
        "Time under load before the measurement; 0 skips the warm-up. With requests there is none unless given.",
    )
    threads: Count = Field(
        default_factory=usable_cpus,
        ge=1,
        le=4096,
        description=(
            "Number of worker processes. Default: one for each CPU that this process may use, by its affinity mask and "
            "its CPU quota; never more than can each have a connection to every endpoint."
        ),
    )
    cpu_list: CpuList | None = Field(
        default=None,
        description="CPUs to pin the workers to, in turn, in the kernel's notation. Default: not pinned.",
        examples=["0-3,8"],
    )
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), COUNT_IN_TEXT] | None = Field(
        default=None,
        description=(
            "Seed of everything random: the same seed, configuration and workers give the same requests. "
            "Default: drawn anew, and reported."
        ),
        examples=[42],
    )
    interval: PositiveDuration = duration_key("1s", "Time between two progress samples; at least 1ms.")
    io_engine: Annotated[str | None, Inert("is not acted on: there is one I/O engine, chosen for the system")] = Field(
        default=None, description="The I/O engine.", examples=["auto"]
    )

    @model_validator(mode="before")
    @classmethod
    def _requests_take_their_time(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        requests = given.get("requests")
        with suppress(ValueError):
            requests = parse_count(requests) if isinstance(requests, str) else requests
        return {"duration": 0, "warmup": 0, **given} if isinstance(requests, int) and requests else given

    @field_validator("duration")
    @classmethod
    def _something_ends_it(cls, duration: int, info: ValidationInfo) -> int:
        if duration == 0 and info.data.get("requests") == 0:
            raise Refused(ProblemCode.TOO_SMALL, 'must be longer than 0; write a duration such as "10s"')
        return duration

    @field_validator("interval")
    @classmethod
    def _timers_can_keep_it(cls, interval: int) -> int:
        if interval < _MIN_INTERVAL_NS:
            raise Refused(ProblemCode.TOO_SMALL, 'must be at least "1ms"')
        return interval


class Target(Table):
    """The servers under load."""

    protocol: Protocol = Field(
        default="resp",
        description=(
            '"resp" (RESP2), "resp3" (RESP with HELLO 3), "memcache" (its text protocol), "memcache-meta" (its meta '
            'commands), "memcache-binary" or "ping" (PING over RESP, without keys).'
        ),
    )
    server: Server | None = Field(default=None)
    endpoints: tuple[Address, ...] = Field(
        default=(),
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        description=(
            "The servers, as host:port, [IPv6]:port, unix:/path, or a URL such as redis://user:password@host:6379/0, "
            "memcache://host:11211 or redis+unix:///path; sharding spreads requests over them. "
            "Default: 127.0.0.1, port 6379, or 11211 for memcache; none where a server is started ([target.server])."
        ),
        examples=[["127.0.0.1:6379"]],
    )
    sharding: Literal["ketama", "jump", "roundrobin", "mirrored"] = Field(
        default="ketama",
        description=(
            'The choice between several endpoints: by key, with "ketama" (libmemcached\'s circle) or "jump" (jump '
            "consistent hash, by an endpoint's place in the list); any key on any endpoint, an equal part of the load "
            'for each, with "roundrobin"; the same requests to all endpoints, each at the whole rate, with "mirrored".'
        ),
    )
    username: str = Field(default="", description="User for the log-in; needs a password.")
    password: str = Field(
        default="",
        description=(
            "Password for the log-in of every connection; empty: none logs in. RESP logs in by AUTH, memcache by the "
            'token of memcached\'s option -Y, "memcache-binary" by SASL PLAIN; the last two need a username.'
        ),
    )
    password_env: str | None = Field(
        default=None,
        min_length=1,
        description="The environment variable with the password, in place of password.",
        examples=["REDIS_PASSWORD"],
    )
    password_file: str | None = Field(
        default=None,
        min_length=1,
        description="The file with the password, in place of password; a line end after the password is left out.",
        examples=["/run/secrets/redis"],
    )
    database: int = Field(
        default=0,
        ge=0,
        le=MAX_DATABASE,
        description="The database that every connection selects; 0, that of a new connection, sends no SELECT. "
        "RESP only.",
    )
    precheck: Literal["ping", "hello", "none"] = Field(
        default="ping",
        description=(
            'The request on each connection before the load, after the log-in and SELECT: "ping" (memcache: version, '
            'mn or a no-op), "hello" (RESP only) or "none". An error reply is a warning, unless no request can succeed '
            "after it. "
            '"resp3" sends HELLO in any case.'
        ),
    )
    tracking: Literal["off", "on", "bcast"] = Field(
        default="off",
        description=(
            'Client tracking: the server pushes the names of keys that were changed, "on" (of those that the '
            'connection has read) or "bcast" (of all). RESP3 only.'
        ),
    )
    tracking_noloop: bool = Field(
        default=False,
        description="Leave out the keys that the connection itself has changed (NOLOOP). Needs tracking.",
    )
    memcache: Memcache = Field(default_factory=Memcache)
    tls: bool = Field(default=False, description="Connect by TLS.")
    tls_verify: bool = Field(
        default=True,
        description="Verify the server's certificate: its authority, its time and its name. false takes any.",
    )
    tls_hostname: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description=(
            "The name that is asked for (SNI), and that the server's certificate must carry. Default: each endpoint's "
            "host, as written."
        ),
        examples=["cache.example.com"],
    )
    tls_ca_file: str | None = Field(
        default=None,
        min_length=1,
        description="The trusted authorities, in PEM. Default: the system's, where tls_ca_dir is not given either.",
        examples=["ca.pem"],
    )
    tls_ca_dir: str | None = Field(
        default=None,
        min_length=1,
        description="A folder of trusted authorities, which `openssl rehash` has named.",
        examples=["/etc/ssl/certs"],
    )
    tls_cert: str | None = Field(
        default=None,
        min_length=1,
        description="The client's certificate, for servers that want one, with its chain, in PEM.",
        examples=["client.pem"],
    )
    tls_key: str | None = Field(
        default=None,
        min_length=1,
        description="The key of tls_cert, in PEM. Default: it is in the same file.",
        examples=["client.key"],
    )
    tls_key_password_env: str | None = Field(
        default=None,
        min_length=1,
        description="The environment variable with the password of an encrypted tls_key.",
        examples=["CLIENT_KEY_PASSWORD"],
    )
    tls_min_version: TlsVersion | None = Field(
        default=None,
        description="The lowest version of TLS. Default: 1.2, or tls_max_version where that is lower.",
        examples=["1.3"],
    )
    tls_max_version: TlsVersion | None = Field(
        default=None, description="The highest version of TLS. Default: OpenSSL's own.", examples=["1.2"]
    )
    tls_ciphers: str | None = Field(
        default=None,
        min_length=1,
        description="The ciphers up to TLS 1.2, in OpenSSL's notation.",
        examples=["ECDHE+AESGCM"],
    )
    tls_ciphersuites: str | None = Field(
        default=None,
        min_length=1,
        description="The suites of TLS 1.3, in OpenSSL's notation. It needs Python 3.15.",
        examples=["TLS_AES_128_GCM_SHA256"],
    )
    tls_resume: bool = Field(
        default=True, description="A reconnect offers the server its newest session, which makes the handshake short."
    )
    cluster: bool = Field(
        default=False,
        description=(
            "The endpoints are nodes of a Redis Cluster: its other nodes are found, and each key goes to the node of "
            "its slot, also after slots have moved or another node has taken over."
        ),
    )
    sentinel_master: str = Field(
        default="",
        description=(
            "The name of a master that sentinels watch: the endpoints are the sentinels, and load goes to the master "
            "that they name, also after a fail-over."
        ),
        examples=["mymaster"],
    )
    sentinel_username: str = Field(
        default="", description="User for AUTH at the sentinels; needs sentinel_password_env."
    )
    sentinel_password_env: str | None = Field(
        default=None,
        min_length=1,
        description="The environment variable with the password for AUTH at the sentinels. Default: none is sent.",
        examples=["SENTINEL_PASSWORD"],
    )
    read_from: Literal["primary", "replicas", "all"] = Field(
        default="primary",
        description=(
            'The nodes of a shard that are read from, in a cluster and with sentinels: "primary", "replicas" (all '
            'alike; the primary where there is none) or "all" (the primary and all replicas alike).'
        ),
    )

    @field_validator("endpoints", mode="before")
    @classmethod
    def _default_by_protocol(cls, endpoints: object, info: ValidationInfo) -> object:
        if endpoints == () and info.data.get("server") is None:
            return (f"127.0.0.1:{PROTOCOLS[info.data.get('protocol', 'resp')].port}",)
        return endpoints

    @field_validator("endpoints")
    @classmethod
    def _some_and_distinct(cls, endpoints: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not endpoints and info.data.get("server") is None:
            raise Refused(ProblemCode.NO_SERVER, 'names no server; write at least one, such as ["127.0.0.1:6379"]')
        for index, endpoint in enumerate(endpoints):
            if endpoint in endpoints[:index]:
                raise Refused(ProblemCode.TWICE, f'names "{endpoint}" twice; name each server once')
        return endpoints

    @property
    def has_password(self) -> bool:
        """True when a password is given, in any of the three ways."""
        return bool(self.password or self.password_env or self.password_file)

    @property
    def servers(self) -> int:
        """The number of servers: those of `endpoints`, or the one that is started; 1 where they are found later."""
        return 1 if self.finds_nodes else len(self.endpoints) or 1

    @property
    def finds_nodes(self) -> bool:
        """True when the endpoints only say who the nodes are."""
        return self.cluster or bool(self.sentinel_master)


class Connection(Table):
    """Connections and their use."""

    connections: Annotated[Count, Alias("pool_size", wins=True)] = Field(
        default=1,
        ge=1,
        le=1_000_000,
        description=("Number of connections in all, spread evenly over endpoints and workers."),
    )
    pipeline_depth: Count = Field(
        default=1, ge=1, le=65536, description="Maximum number of requests in flight on one connection."
    )
    batch_size: Annotated[int, Field(ge=0), COUNT_IN_TEXT] | None = Field(
        default=None,
        description="Maximum number of requests in one send, clamped to 1 … pipeline_depth. Default: pipeline_depth.",
        examples=[1],
    )
    connect_timeout: PositiveDuration = duration_key("5s", "Maximum time to open a connection.")
    request_timeout: PositiveDuration = duration_key(
        "1s", "Maximum time until a reply; then the request counts as a timeout."
    )
    request_distribution: Literal["roundrobin", "greedy", "random", "least_inflight"] = Field(
        default="roundrobin",
        description=(
            'The connection for a due request when there is a schedule: "roundrobin" (the next in turn for each send: '
            "requests that are due together are sent together), "
            '"greedy" (the first with room in its pipeline), "random" or "least_inflight" (the one with the fewest '
            "requests in flight)."
        ),
    )

    connect_rate: Rate = Field(
        default=0.0,
        ge=0,
        le=MAX_RATE_PER_S,
        description=(
            "Connections that are opened per second before the load, over all workers, evenly spaced; 0: all at once."
        ),
    )
    nodelay: bool = Field(
        default=True, description="Send small requests at once (TCP_NODELAY); false lets TCP gather them."
    )
    keepalive: Duration = duration_key(
        "0s",
        "Time without traffic after which TCP probes a connection (SO_KEEPALIVE), and the time between probes; "
        "fractions of a second are rounded up. 0: no probes.",
    )
    source_addresses: tuple[SourceAddress, ...] = Field(
        default=(),
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        description=(
            "IP addresses of this machine that connections come from, in turn. Each has some 28,000 ports for "
            "connections to one server. Default: the kernel chooses."
        ),
        examples=[["127.0.0.1", "127.0.0.2"]],
    )
    reconnect_every: ReconnectEvery = Field(
        default=0,
        description=(
            'Life of a connection under load: a number of requests (1000, or "1000req"), or a time ("5s"). After it, '
            "the connection is closed when its last reply is there, and opened again. 0: no end."
        ),
    )
    reconnect_by: Literal["close", "reset"] = Field(
        default="close",
        description=(
            'End of such a life: "close" (a new connection) or "reset" (the connection is kept, and RESET and the '
            "greeting are sent on it, as pools of clients do; RESP only)."
        ),
    )
    idle: Count = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Number of connections beside these that are opened and greeted, and never used.",
    )

    refill: Literal["slot", "drained"] = Field(
        default="slot",
        description=(
            'Moment of the next send on a connection in a closed loop: "slot" (as soon as a reply has made room) or '
            '"drained" (when all replies have come or are overdue: the whole pipeline at once, as in cachecannon).'
        ),
    )

    @field_validator("batch_size")
    @classmethod
    def _within_depth(cls, batch_size: int | None, info: ValidationInfo) -> int | None:
        depth: int | None = info.data.get("pipeline_depth")
        if depth is None:
            return batch_size
        return min(max(batch_size, 1), depth) if batch_size is not None else depth


class Keyspace(Table):
    """The keys: ids from 0, written in lower-case hex after a prefix, and zero-padded."""

    prefix: KeyPrefix = Field(
        default="", description="Beginning of every key: visible ASCII, at most 40 characters.", examples=["user:"]
    )
    length: Count = Field(
        default=ID_LENGTH,
        ge=1,
        le=65536,
        description=(
            "Number of characters in a key, its prefix included; at most 250 on memcache. Default: 16 after the prefix."
        ),
    )
    count: Count = Field(
        default=1_000_000,
        ge=1,
        le=2**53 - 1,
        description="Number of keys; at most 16 to the power of length, without the prefix.",
    )
    counters: Annotated[int, Field(ge=1, le=2**53 - 1), COUNT_IN_TEXT] | None = Field(
        default=None,
        description=(
            "Number of counters that INCR adds to, which have keys of their own: counter: and a key. "
            "Default: one of each key, as always where keys have owners."
        ),
        examples=[1000],
    )
    distribution: Literal["uniform", "zipf"] = Field(
        default="uniform",
        description='Popularity of the keys: "uniform" (all alike) or "zipf" (few keys far more than the rest).',
    )
    zipf_exponent: Number = Field(
        default=1.0,
        gt=0,
        le=100,
        description="Skew of zipf: key k is requested in proportion to 1/k to this power.",
    )

    @model_validator(mode="before")
    @classmethod
    def _ids_come_after_the_prefix(cls, given: object) -> object:
        if isinstance(given, dict) and isinstance(prefix := given.get("prefix"), str):
            return {"length": ID_LENGTH + len(prefix), **given}
        return given

    @property
    def id_length(self) -> int:
        """The number of characters of a key after its prefix."""
        return self.length - len(self.prefix)


class _Mix(Table):
    """The command mix, as weights: only their ratios matter."""

    @property
    def weights(self) -> Weights:
        """The weight of each command."""
        return Weights(**self.model_dump())


_DEFAULT_MIX = Weights(get=80, set=20)

if TYPE_CHECKING:
    Commands = _Mix
else:
    Commands = create_model(
        "Commands",
        __base__=_Mix,
        __doc__=_Mix.__doc__,
        **{
            name: (Count, Field(default=weight, ge=0, le=2**32, description=f"The weight of {name.upper()}."))
            for name, weight in _DEFAULT_MIX.items()
        },
    )


class Values(Table):
    """The values that SET writes."""

    length: Size = Field(
        default=64,
        ge=1,
        le=2**30,
        description=(
            'Size of a value in bytes, as a number or as "64KB" or "64KiB". '
            "At most 512 MiB on RESP; a server's own limit may be lower."
        ),
    )
    ttl: Lifetime = duration_key(
        "0s",
        "Time to live that each write gives to its key, by PSETEX on RESP, in whole milliseconds, or whole seconds on "
        "memcache; at most 30 days; 0: for ever.",
    )


class SaturationSearch(Table):
    """The search for the highest rate that meets its slo, or else the percentiles of [slo]; without both, the knee."""

    slo: Percentiles | None = Field(default=None)
    start_rate: Rate = Field(
        default=1000,
        gt=0,
        le=MAX_RATE_PER_S,
        description=(
            "The first rate tried, in requests per second, when there is no closed-loop burst; "
            "also the rate to which the search goes down while no rate passes."
        ),
    )
    step_multiplier: Number = Field(
        default=1.05,
        gt=1,
        le=1000,
        description="Minimum factor of the first step up; each further step squares the factor, up to 4.",
    )
    sample_window: PositiveDuration = duration_key(
        "5s",
        "Unit of all lengths: a rate is measured for 0.4 windows, and for up to 8 while the answer is open; "
        "a rate to be confirmed is measured for 1.6.",
    )
    drain_window: Duration = duration_key("500ms", "Time for which a changed rate is offered before it is measured.")
    stop_after_failures: Count = Field(
        default=3,
        ge=1,
        description=("Number of rates that may fail in a row, with none passed, before the search gives up."),
    )
    max_rate: Rate = Field(
        default=100_000_000,
        gt=0,
        le=MAX_RATE_PER_S,
        description="Maximum rate tried. A maximum also skips the closed-loop burst, which keeps to no rate.",
    )
    min_throughput_ratio: Number = Field(
        default=0.9,
        ge=0,
        le=1,
        description=(
            "Minimum share of the offered rate that must be achieved for a rate to pass; at least 0.99 for the knee."
        ),
    )
    bisect_tolerance: Number = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Width of the interval of the answer at which the search ends, as a share of the lower end.",
    )
    max_bisect_steps: Count = Field(
        default=8, ge=0, description=("Maximum number of rates tried to narrow the interval.")
    )


class Workload(Table):
    """The requests: what they are, and when they are sent."""

    rate_limit: Rate = Field(
        default=0,
        ge=0,
        le=MAX_RATE_PER_S,
        description=(
            "Offered rate, in requests per second over all workers; "
            "0 is a closed loop, in which a reply triggers the next request, unless phases or a search set the rate."
        ),
    )
    phase: tuple[Phase, ...] = Field(
        default=(),
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        examples=[
            [
                {"for": "30s", "shape": "step", "rate": [1000, 5000], "steps": 5},
                {"for": "30s", "shape": "burst", "rate": [5000, 20_000], "period": "1s", "width": "100ms"},
            ]
        ],
    )
    saturation_search: SaturationSearch | None = Field(default=None)
    arrival: Literal["constant", "poisson"] | None = Field(
        default=None,
        description=(
            'Arrival times of requests when there is a schedule: "poisson" (at random, as those of many independent '
            'users) or "constant" (evenly spaced). Default: poisson, if there is a schedule.'
        ),
        examples=["poisson"],
    )
    spin: bool = Field(
        default=False,
        description=(
            "Poll instead of sleeping until something is ready or due: requests are sent more punctually, and each "
            "worker takes a whole core."
        ),
    )
    prefill: bool = Field(default=False, description="Write each key once before the warm-up.")
    prefill_timeout: Duration = duration_key("300s", "Maximum time of the prefill; 0 is without limit.")
    backfill_on_miss: Annotated[bool, Alias("set_on_miss")] = Field(
        default=False,
        description="Send a SET for each key that a GET misses, as a cache-aside client does.",
    )
    history: FilePath | None = Field(
        default=None,
        description=(
            "The file to which each request is written, with its times, its end and which value it wrote or read, for "
            "loadgen check. Values then begin with 16 bytes that name their write. Of a comparison, the folder of a "
            "file for each candidate and round. Default: none."
        ),
        examples=["run.history"],
    )
    history_keys: Share = Field(
        default=1.0,
        gt=0,
        description="The share of keys whose requests are written to the history, each key's all or none.",
    )
    keys_per_request: Count = Field(
        default=10,
        ge=1,
        le=64,
        description=(
            "Number of keys of each MGET and MSET: a key and those behind it. Where keys have owners, all of a request "
            "have the same, in a cluster the same slot; a slot with fewer keys has requests of fewer."
        ),
    )
    keyspace: Keyspace = Field(default_factory=Keyspace)
    commands: Commands = Field(default_factory=Commands)
    values: Values = Field(default_factory=Values)

    @field_validator("arrival")
    @classmethod
    def _poisson_where_there_is_a_schedule(cls, arrival: str | None, info: ValidationInfo) -> str | None:
        scheduled = any(info.data.get(name) for name in ("rate_limit", "phase", "saturation_search"))
        return "poisson" if arrival is None and scheduled else arrival

    @property
    def scheduled(self) -> bool:
        """True when a rate, phases or a search set when requests are due; False for a closed loop."""
        return bool(self.rate_limit or self.phase or self.saturation_search)


_LIMITS = VerdictLimits()


class Verdict(Table):
    """The limits beyond which a run has failed, is invalid, or has a warning.

    A share is a number from 0 to 1, or a "10%" in quotes.
    """

    failures: ShareOrFalse = Field(
        default=_LIMITS.failures,
        description=(
            "A run has failed when more than this share of its requests ended in an error reply, a timeout, lost or "
            "corrupt; false: no limit."
        ),
    )
    connections: ShareOrFalse = Field(
        default=_LIMITS.connections,
        description=(
            "A run has failed when more than this share of its connections never opened; one may always be missing; "
            "false: no limit."
        ),
    )
    lag: Duration = duration_key(
        format_duration(_LIMITS.lag_ns),
        "With a schedule, a run is invalid when the p99 of the generator's own send lag exceeds both this and "
        "lag_share.",
    )
    lag_share: Share = Field(
        default=_LIMITS.lag_share, description=("The limit of the same p99 as a share of the p99 of response time.")
    )
    shortfall: Share = Field(
        default=_LIMITS.shortfall,
        description=(
            "With a schedule, a run is invalid when more than this share of its requests was not sent in time because "
            "of the generator."
        ),
    )
    cpu_share: Share = Field(
        default=_LIMITS.cpu_share,
        description="Warn when a worker uses more than this share of one CPU (not with spin, which uses all of it).",
    )
    queue_share: Share = Field(
        default=_LIMITS.queue_share,
        description="Warn when a worker is ready to run but has no CPU for more than this share of the time.",
    )
    steal_share: Share = Field(
        default=_LIMITS.steal_share,
        description="Warn when CPU steal is more than this share of the CPUs' time.",
    )
    pause: Duration = duration_key(
        format_duration(_LIMITS.pause_ns), "Warn when a whole process stands still for longer than this."
    )
    ceiling_share: Share = Field(
        default=_LIMITS.ceiling_share,
        description="Warn when a run reaches more than this share of the rate that this host's self-test reached.",
    )
    drift_p: Share = Field(
        default=_LIMITS.drift_p,
        description="Warn when the p99 of the intervals rises or falls, by the Mann-Kendall test at this level.",
    )


class Timestamps(Table):
    """The time stamps of latency."""

    enabled: Annotated[bool, Inert("is not acted on: latency is always recorded", unless=True)] = Field(
        default=True, description="Record latency."
    )
    mode: Annotated[
        Literal["userspace", "software"], Inert("is not acted on: latency is taken in user space", unless="userspace")
    ] = Field(default="userspace", description='"userspace", or "software" for the kernel\'s own time stamps.')


class Admin(Table):
    """The output of results."""

    format: Literal["clean", "json", "verbose", "quiet", "csv"] = Field(
        default="clean",
        description=(
            '"clean" (a table for people), "json" (one record per line), "verbose" (log lines), "quiet" (one line) or '
            '"csv" (redis-benchmark\'s columns).'
        ),
    )
    color: Literal["auto", "always", "never"] = Field(
        default="auto", description='Use of colour: "auto" (on a terminal), "always" or "never".'
    )
    listen: Annotated[Address | None, Inert("is not acted on yet: no metrics are served")] = Field(
        default=None, description="The address to serve metrics on.", examples=["127.0.0.1:9090"]
    )
    parquet: Annotated[str | None, Inert("is not acted on yet: no Parquet file is written")] = Field(
        default=None, description="The file to write metrics to.", examples=["metrics.parquet"]
    )
    parquet_interval: Annotated[PositiveDuration, Inert("is not acted on yet: no Parquet file is written")] = (
        duration_key("1s", "Time between two rows of the Parquet file.")
    )


class Momento(Table):
    """Momento's hosted cache."""

    cache_name: str = Field(default="default-cache", description="The cache's name.")
    endpoint: str | None = Field(default=None, description="The host of the cache.", examples=["cell-1.example.com"])
    ttl_seconds: int = Field(default=3600, ge=0, description="Lifetime of an item, in seconds.")
    wire_format: Literal["grpc", "protosocket"] = Field(default="grpc", description='"grpc" or "protosocket".')
    use_private_endpoints: bool = Field(default=False, description="Use private endpoints.")
    availability_zone: str | None = Field(
        default=None, description=("The availability zone of the connections."), examples=["use1-az1"]
    )


class Config(Table):
    """The whole configuration of a run: frozen, checked, and with every default filled in.

    In Python, durations are nanoseconds, sizes are bytes, and rates are requests per second.
    Two configurations are equal when all their keys are equal; the origins of the keys do not count.
    """

    general: General = Field(default_factory=General)
    target: Target = Field(default_factory=Target)
    connection: Connection = Field(default_factory=Connection)
    workload: Workload = Field(default_factory=Workload)
    fault: tuple[FaultTable, ...] = Field(
        default=(),
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        examples=[
            [
                {"kind": "kill", "layer": "process", "on": 1, "at": "20s", "for": "5s", "data": "kept"},
                {
                    "kind": "latency",
                    "on": "all",
                    "at": "10s",
                    "for": "2s",
                    "every": "10s",
                    "times": 3,
                    "stagger": "1s",
                    "seed": 42,
                    "delay": "100ms",
                    "jitter": "10ms",
                    "stream": "downstream",
                    "toxicity": 1.0,
                },
                {"kind": "bandwidth", "rate": "64KB"},
                {"kind": "timeout", "timeout": "100ms"},
                {"kind": "slicer", "average_size": 64, "size_variation": 16},
                {"kind": "limit_data", "bytes": "1KB"},
                {"kind": "loss", "probability": 0.05, "nth": 0, "direction": "both"},
                {"kind": "burst_loss", "enter": 0.01, "leave": 0.25, "drop": 1.0},
                {"kind": "throttle", "burst": "16KiB"},
                {"kind": "cpu_quota", "share": 0.1},
                {"kind": "fd_limit", "spare": 0},
                {"kind": "clock_jump", "jump": "1h", "towards": "ahead"},
                {"kind": "disk_full", "spare": "4KiB"},
            ]
        ],
    )
    monitor: tuple[MonitorTable, ...] = Field(
        default=(),
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        examples=[
            [
                {"kind": "proc", "name": "proxy", "every": "1s", "timeout": "5s", "process": "haproxy"},
                {"kind": "proc", "name": "batch", "pid": 4711, "evidence": ["py-spy dump --pid {pid}"]},
                {"kind": "redis", "server": "127.0.0.1:6379"},
                {
                    "kind": "prometheus",
                    "url": "http://127.0.0.1:9121/metrics",
                    "metrics": {"goroutines": "go_goroutines", "refused": 'http_requests_total{code="503"}'},
                },
                {"kind": "http", "url": "http://127.0.0.1:8080/health", "path": "status"},
                {"kind": "command", "command": ["redis-cli", "dbsize"]},
                {"kind": "docker", "container": "cache-1"},
            ]
        ],
    )
    check: tuple[CheckTable, ...] = Field(
        default=(),
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        examples=[[{"expr": "errors / requests < 0.1 %", "level": "must"}, {"expr": "cv(throughput) < 10 %"}]],
    )
    band: tuple[BandTable, ...] = Field(
        default=(),
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        examples=[
            [
                {
                    "series": "fds",
                    "monitor": "proc",
                    "bonus": "2/min",
                    "target": "5/min",
                    "warn": "15/min",
                    "red": "30/min",
                    "best": "exceptional",
                }
            ]
        ],
    )
    slo: Slo | None = Field(default=None)
    verdict: Verdict = Field(default_factory=Verdict)
    smoke: Smoke = Field(default_factory=Smoke)
    compare: Compare = Field(default_factory=Compare)
    gate: Gate = Field(default_factory=Gate)
    timestamps: Timestamps = Field(default_factory=Timestamps)
    admin: Admin = Field(default_factory=Admin)
    momento: Annotated[Momento | None, Inert('is not acted on: the protocol "momento" is not supported')] = Field(
        default=None
    )

    @model_validator(mode="after")
    def _lasts_as_long_as_its_phases(self) -> Config:
        lasts = sum(phase.lasts for phase in self.workload.phase)
        if not lasts or self.general.duration == lasts:
            return self
        return self.model_copy(update={"general": self.general.model_copy(update={"duration": lasts})})

    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each given key that is not acted on as it stands, with the place of the key."""
        return self._warnings

    def warned(self, warnings: tuple[str, ...]) -> Config:
        """Return the same configuration with `warnings`."""
        copy = self.model_copy()
        copy._warnings = warnings
        return copy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash(self.model_dump_json())
