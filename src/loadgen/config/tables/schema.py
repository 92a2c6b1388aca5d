"""The configuration's tables and keys: the meaning, the kind, the bounds and the default of each key.

Bounds of a single key are here, rules between keys in `contradictions`. The vocabulary is that of crucible's benchmark
and of cachecannon, whose files load unchanged, plus keys of our own: `general.seed`, `general.interval`,
`general.requests`, `target.username`, `target.password`, `target.password_env`, `target.password_file`,
`target.precheck`, `target.server`, `connection.refill`, `workload.arrival`, `workload.phase`, `workload.spin`,
`workload.keyspace.prefix`, `workload.keyspace.zipf_exponent`, `slo`, `verdict`, `smoke`, `compare` and `gate`.
`foreign.OURS` lists them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from loadgen.config.tables.cpu_list import usable_cpus
from loadgen.config.tables.objectives import Percentiles, Slo
from loadgen.config.tables.phase import Phase
from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.rounds import Compare, Gate
from loadgen.config.tables.server import Server
from loadgen.config.tables.smoke import Smoke
from loadgen.config.tables.table import Table, duration_key
from loadgen.config.tables.values import (
    COUNT_IN_TEXT,
    MAX_RATE_PER_S,
    Address,
    Alias,
    Cluster,
    Count,
    CpuList,
    Duration,
    Inert,
    KeyPrefix,
    Number,
    PositiveDuration,
    Protocol,
    Rate,
    Share,
    ShareOrFalse,
    Size,
    Tls,
)
from loadgen.judge.verdict import VerdictLimits
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
            "How many requests to measure, over all connections; the run ends when all of them have ended. "
            "0: as many as the duration allows."
        ),
        examples=[100_000],
    )
    duration: Duration = duration_key(
        "60s",
        "How long to measure, after the warm-up; with phases, as long as they last. "
        "With requests there is no limit unless one is given, and the run ends with whichever comes first.",
    )
    warmup: Duration = duration_key(
        "10s",
        "How long to put load on the server before measuring; 0 skips it. With requests there is none unless given.",
    )
    threads: Count = Field(
        default_factory=usable_cpus,
        ge=1,
        le=4096,
        description=(
            "Worker processes. Default: the CPUs that this process may use, by its affinity mask and its CPU quota; "
            "never more than can each have a connection to every endpoint."
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
            "What everything random is drawn from: same seed, config and workers, same requests. "
            "Default: drawn anew, and reported."
        ),
        examples=[42],
    )
    interval: PositiveDuration = duration_key("1s", "The time between two progress samples; at least 1ms.")
    io_engine: Annotated[str | None, Inert("is not acted on: there is one I/O engine, chosen for the system")] = Field(
        default=None, description="Which I/O engine to use.", examples=["auto"]
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
            '"resp" (RESP2), "resp3" (RESP with HELLO 3), "memcache" (its text protocol) or '
            '"ping" (PING over RESP, without keys).'
        ),
    )
    server: Server | None = Field(default=None)
    endpoints: tuple[Address, ...] = Field(
        default=(),
        # Lax for the container alone, as TOML has lists and no tuples.
        strict=False,
        description=(
            "The servers, as host:port or [IPv6]:port; keys are spread over them by ketama. "
            "Default: 127.0.0.1, port 6379, or 11211 for memcache; none where [target.server] describes the server."
        ),
        examples=[["127.0.0.1:6379"]],
    )
    username: str = Field(default="", description="Whom to authenticate as; needs a password. RESP only.")
    password: str = Field(default="", description="Sent by AUTH on every connection; empty sends none. RESP only.")
    password_env: str | None = Field(
        default=None,
        min_length=1,
        description="The environment variable that has the password, in place of password.",
        examples=["REDIS_PASSWORD"],
    )
    password_file: str | None = Field(
        default=None,
        min_length=1,
        description="The file that has the password, in place of password; a line end behind it is left out.",
        examples=["/run/secrets/redis"],
    )
    precheck: Literal["ping", "hello", "none"] = Field(
        default="ping",
        description=(
            'What each connection is asked before the load, after AUTH: "ping" (memcache: its version), "hello" (RESP '
            'only) or "none". An error reply is a warning, unless no request can succeed after it. '
            '"resp3" says HELLO in any case.'
        ),
    )
    tls: Tls = Field(default=False, description="Whether to speak TLS. Not supported yet: true is an error.")
    tls_hostname: Annotated[str | None, Inert("is not acted on, as tls is false")] = Field(
        default=None, description="The name that the server's certificate must carry.", examples=["cache.example.com"]
    )
    tls_verify: Annotated[bool, Inert("is not acted on, as tls is false")] = Field(
        default=True, description="Whether to verify the server's certificate."
    )
    cluster: Cluster = Field(
        default=False,
        description="Whether to discover a cluster's nodes and slots. Not supported yet: true is an error.",
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
        """The number of servers: those of `endpoints`, or the one that is started."""
        return len(self.endpoints) or 1


class Connection(Table):
    """Connections, and how they are used."""

    connections: Annotated[Count, Alias("pool_size", wins=True)] = Field(
        default=1, ge=1, le=1_000_000, description="Connections in all, spread evenly over endpoints and workers."
    )
    pipeline_depth: Count = Field(
        default=1, ge=1, le=65536, description="Maximum number of requests in flight on one connection."
    )
    batch_size: Annotated[int, Field(ge=0), COUNT_IN_TEXT] | None = Field(
        default=None,
        description="Maximum number of requests in one send, clamped to 1 … pipeline_depth. Default: pipeline_depth.",
        examples=[1],
    )
    connect_timeout: PositiveDuration = duration_key("5s", "How long a connection may take to be made.")
    request_timeout: PositiveDuration = duration_key("1s", "How long a reply may take before it counts as a timeout.")
    request_distribution: Literal["roundrobin", "greedy", "random", "least_inflight"] = Field(
        default="roundrobin",
        description=(
            'Which connection a due request goes to when there is a schedule: "roundrobin" (the next in turn for '
            "each send: what falls due together goes together), "
            '"greedy" (the first with room in its pipeline), "random" or "least_inflight" (the one with the fewest '
            "requests in flight)."
        ),
    )

    refill: Literal["slot", "drained"] = Field(
        default="slot",
        description=(
            'When a closed loop sends again on a connection: "slot" (as soon as a reply has made room) or "drained" '
            "(when all of its replies have come or are overdue: the whole pipeline at once, as cachecannon does)."
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
        default="", description="What every key begins with: visible ASCII, at most 40 characters.", examples=["user:"]
    )
    length: Count = Field(
        default=ID_LENGTH,
        ge=1,
        le=65536,
        description=(
            "Characters in a key, its prefix included; at most 250 on memcache. Default: 16 after the prefix."
        ),
    )
    count: Count = Field(
        default=1_000_000,
        ge=1,
        le=2**53 - 1,
        description="How many keys there are; at most 16 to the power of length, without the prefix.",
    )
    distribution: Literal["uniform", "zipf"] = Field(
        default="uniform", description="How popular the keys are: all alike, or the few far more than the many."
    )
    zipf_exponent: Number = Field(
        default=1.0,
        gt=0,
        le=100,
        description="How skewed zipf is: key k is asked for in proportion to 1/k to this power.",
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


class Commands(Table):
    """The command mix, as weights: only their ratios matter."""

    get: Count = Field(default=80, ge=0, le=2**32, description="The weight of GET.")
    set: Count = Field(default=20, ge=0, le=2**32, description="The weight of SET.")
    delete: Count = Field(default=0, ge=0, le=2**32, description="The weight of DELETE.")


class Values(Table):
    """The values that SET writes."""

    length: Size = Field(
        default=64,
        ge=1,
        le=2**30,
        description=(
            'Bytes in a value, as a number or as "64KB" or "64KiB". '
            "At most 512 MiB on RESP; a server's own limit may be lower."
        ),
    )


class SaturationSearch(Table):
    """The search for the highest rate that meets its slo, or else the percentiles of [slo], or else for the knee."""

    slo: Percentiles | None = Field(default=None)
    start_rate: Rate = Field(
        default=1000,
        gt=0,
        le=MAX_RATE_PER_S,
        description=(
            "The first rate tried, in requests per second, when no closed-loop burst has said better; "
            "and, while none passes, how far down the search goes."
        ),
    )
    step_multiplier: Number = Field(
        default=1.05,
        gt=1,
        le=1000,
        description="The least factor of the first step up; each further one is squared, up to 4.",
    )
    sample_window: PositiveDuration = duration_key(
        "5s",
        "The scale of all lengths: a rate is measured for 0.4 of it, up to 8 times it while the answer is open; "
        "the last rates to be confirmed for 1.6 times it.",
    )
    drain_window: Duration = duration_key("500ms", "How long a changed rate is offered before it is measured.")
    stop_after_failures: Count = Field(
        default=3, ge=1, description="How many rates may fail in a row, with none passed, before the search gives up."
    )
    max_rate: Rate = Field(
        default=100_000_000,
        gt=0,
        le=MAX_RATE_PER_S,
        description="No rate above it is tried. Setting it also skips the closed-loop burst, which keeps to no rate.",
    )
    min_throughput_ratio: Number = Field(
        default=0.9,
        ge=0,
        le=1,
        description=(
            "The least share of the offered rate that must be achieved for a rate to pass; at least 0.99 for the knee."
        ),
    )
    bisect_tolerance: Number = Field(
        default=0.05,
        ge=0,
        le=1,
        description="How narrow the interval round the answer must be to end the search, as a share of its lower end.",
    )
    max_bisect_steps: Count = Field(default=8, ge=0, description="Maximum number of rates tried to narrow it.")


class Workload(Table):
    """What is sent, and when."""

    rate_limit: Rate = Field(
        default=0,
        ge=0,
        le=MAX_RATE_PER_S,
        description=(
            "The rate offered, in requests per second over all workers; "
            "0 is a closed loop, where a reply triggers the next request, unless phases or a search set the rate."
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
            'How requests lie in time when there is a schedule: "poisson" (at random, as those of many independent '
            'users do) or "constant" (evenly). Default: poisson, if there is a schedule.'
        ),
        examples=["poisson"],
    )
    spin: bool = Field(
        default=False,
        description=(
            "Whether workers poll instead of sleeping until something is ready or due: requests are sent more "
            "punctually, and each worker takes a whole core."
        ),
    )
    prefill: bool = Field(default=False, description="Whether to write each key once before the warm-up.")
    prefill_timeout: Duration = duration_key("300s", "How long the prefill may take; 0 is without limit.")
    backfill_on_miss: Annotated[bool, Alias("set_on_miss")] = Field(
        default=False,
        description="Whether a GET that misses is followed by a SET of its key, as a cache-aside client does.",
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
    """From where on a run has failed, and from where on the generator distrusts its own numbers.

    A share is a number from 0 to 1, or a "10%" in quotes.
    """

    failures: ShareOrFalse = Field(
        default=_LIMITS.failures,
        description=(
            "A run has failed when more than this share of its requests did, by an error reply, a timeout, lost or "
            "corrupt; false: any may."
        ),
    )
    connections: ShareOrFalse = Field(
        default=_LIMITS.connections,
        description=(
            "A run has failed when more than this share of its connections never opened; one may always be missing; "
            "false: any may."
        ),
    )
    lag: Duration = duration_key(
        format_duration(_LIMITS.lag_ns),
        "With a schedule, a run is invalid when the p99 of our own lag exceeds this and lag_share both.",
    )
    lag_share: Share = Field(default=_LIMITS.lag_share, description="As a share of the p99 of response time.")
    shortfall: Share = Field(
        default=_LIMITS.shortfall,
        description=(
            "With a schedule, a run is invalid when more than this share of it was not sent in time for a reason of "
            "ours."
        ),
    )
    cpu_share: Share = Field(
        default=_LIMITS.cpu_share,
        description="Warn when a worker uses more than this share of one CPU (not with spin, which uses all).",
    )
    queue_share: Share = Field(
        default=_LIMITS.queue_share,
        description="Warn when a worker was ready to run but had no CPU for more than this share of the time.",
    )
    steal_share: Share = Field(
        default=_LIMITS.steal_share,
        description="Warn when CPU steal is more than this share of the CPUs' time.",
    )
    pause: Duration = duration_key(
        format_duration(_LIMITS.pause_ns), "Warn when a whole process stood still for longer than this."
    )
    ceiling_share: Share = Field(
        default=_LIMITS.ceiling_share,
        description="Warn when a run reaches more than this share of what this host's self-test reached.",
    )
    drift_p: Share = Field(
        default=_LIMITS.drift_p,
        description="Warn when the intervals' p99 rises or falls, by Mann and Kendall's test at this level.",
    )


class Timestamps(Table):
    """Where latency is taken."""

    enabled: Annotated[bool, Inert("is not acted on: latency is always recorded", unless=True)] = Field(
        default=True, description="Whether to record latency."
    )
    mode: Annotated[
        Literal["userspace", "software"], Inert("is not acted on: latency is taken in user space", unless="userspace")
    ] = Field(default="userspace", description='"userspace", or "software" for the kernel\'s own time stamps.')


class Admin(Table):
    """How results are shown."""

    format: Literal["clean", "json", "verbose", "quiet", "csv"] = Field(
        default="clean",
        description=(
            '"clean" (a table for people), "json" (one record per line), "verbose" (log lines), "quiet" (one line) or '
            '"csv" (redis-benchmark\'s columns).'
        ),
    )
    color: Literal["auto", "always", "never"] = Field(
        default="auto", description='"auto" (on a terminal), "always" or "never".'
    )
    listen: Annotated[Address | None, Inert("is not acted on yet: no metrics are served")] = Field(
        default=None, description="The address to serve metrics on.", examples=["127.0.0.1:9090"]
    )
    parquet: Annotated[str | None, Inert("is not acted on yet: no Parquet file is written")] = Field(
        default=None, description="The file to write metrics to.", examples=["metrics.parquet"]
    )
    parquet_interval: Annotated[PositiveDuration, Inert("is not acted on yet: no Parquet file is written")] = (
        duration_key("1s", "The time between two rows of it.")
    )


class Momento(Table):
    """Momento's hosted cache."""

    cache_name: str = Field(default="default-cache", description="The cache's name.")
    endpoint: str | None = Field(default=None, description="Its host.", examples=["cell-1.example.com"])
    ttl_seconds: int = Field(default=3600, ge=0, description="How long an item lives.")
    wire_format: Literal["grpc", "protosocket"] = Field(default="grpc", description='"grpc" or "protosocket".')
    use_private_endpoints: bool = Field(default=False, description="Whether to use private endpoints.")
    availability_zone: str | None = Field(default=None, description="The zone to stay in.", examples=["use1-az1"])


class Config(Table):
    """A run's whole configuration: frozen, checked, and every default filled in.

    Durations are nanoseconds, sizes are bytes, rates are requests per second.
    Two are equal when all their keys are; where the keys came from does not count.
    """

    general: General = Field(default_factory=General)
    target: Target = Field(default_factory=Target)
    connection: Connection = Field(default_factory=Connection)
    workload: Workload = Field(default_factory=Workload)
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
