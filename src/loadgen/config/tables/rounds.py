"""`[compare]` and `[gate]`: the rounds of two servers, and for each metric the change that matters.

In both tables, `false` means that a metric is not judged. A metric that is left out has its default, so that a table
that eases one limit does not silently drop the others.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from loadgen.compare.metric import METRICS
from loadgen.compare.settings import ComparisonSettings
from loadgen.config.tables.change import (
    CHANGE,
    format_change,
    format_fall,
    format_rise,
    parse_change,
    parse_fall,
    parse_rise,
)
from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.table import Table, duration_key
from loadgen.config.tables.values import MAX_RATE_PER_S, Count, Duration, PositiveDuration, Rate, Share
from loadgen.units import format_duration

MAX_ROUNDS = 60
"""Half an hour of two servers, and few enough for a rule's exact test to be computed at once."""

_MIN_ROUNDS = 5
_SETTINGS = ComparisonSettings(thresholds={}, one_sided=True)


def _or_false(*schemas: dict[str, object]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [*schemas, {"const": False}]})


Change = Annotated[
    float | None,
    BeforeValidator(parse_change),
    PlainSerializer(format_change, when_used="json"),
    _or_false(
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "string", "pattern": rf"^\s*{CHANGE}\s*$"},
    ),
]
"""A change in either direction, as a share; None for false."""

Fall = Annotated[
    float | None,
    BeforeValidator(parse_fall),
    PlainSerializer(format_fall, when_used="json"),
    _or_false({"type": "string", "pattern": rf"^\s*-\s*{CHANGE}\s*$"}),
]
"""A fall that matters, as a positive share; None for false."""

Rise = Annotated[
    float | None,
    BeforeValidator(parse_rise),
    PlainSerializer(format_rise, when_used="json"),
    _or_false({"type": "string", "pattern": rf"^\s*\+\s*{CHANGE}\s*$"}),
]
"""A rise that matters, as a share; None for false."""


class RoundsTable(Table):
    """The keys that both tables have for rounds, in which two servers are measured in turn."""

    slice: PositiveDuration = duration_key(
        format_duration(_SETTINGS.slice_ns), "How long one slice of load on one server is measured."
    )
    slices: Count = Field(
        default=_SETTINGS.slices,
        ge=2,
        le=1000,
        multiple_of=2,
        description=(
            "How many slices each server has in a round, of each kind of load; an even number. Of all slices of a "
            "round, a third more at most are measured again, where the host took a CPU away meanwhile."
        ),
    )
    settle: Duration = duration_key(format_duration(_SETTINGS.settle_ns), "How long it goes on before it is measured.")
    rate: Rate = Field(
        default=_SETTINGS.rate_per_s,
        ge=0,
        le=MAX_RATE_PER_S,
        description=(
            "The rate at which response times are compared, in requests per second; 0 takes load_share of what the "
            "first server reaches, or less: what leaves each worker half of its CPU, as one that is busy sends late."
        ),
    )
    load_share: Share = Field(
        default=_SETTINGS.load_share,
        gt=0,
        description="The share of what the first server reaches in a closed loop at which response times are compared.",
    )
    rounds: Count = Field(
        default=_SETTINGS.max_rounds,
        ge=_MIN_ROUNDS,
        le=MAX_ROUNDS,
        description="Maximum number of rounds; fewer are run where the answers are clear before.",
    )
    idle: Literal["run", "stop", "alone"] = Field(
        default=_SETTINGS.idle.value,
        description=(
            "The other servers while one is measured. run: they stay idle and are watched; where one uses more than "
            "1 % of a CPU all the same, each is run alone. stop: they are stopped by SIGSTOP, which some servers do "
            "not survive. alone: each is started, measured and ended by itself, in turns."
        ),
    )
    awake: Literal["vm", "always", "never"] = Field(
        default=_SETTINGS.awake.value,
        description=(
            "Whether the CPUs that load and servers are pinned to are kept from sleeping while a server is measured, "
            "each by a process that gives way to everything else (SCHED_IDLE): what wakes a sleeping CPU waits for it. "
            "vm: in a virtual machine, where that can take milliseconds. Never where a quota of CPU would be used up."
        ),
    )

    @model_validator(mode="after")
    def _judges_something(self) -> RoundsTable:
        if not self.thresholds:
            raise Refused(
                ProblemCode.NO_OBJECTIVE,
                "judges nothing, as every metric is false; leave one of them out, or write its change",
            )
        return self

    @property
    def thresholds(self) -> dict[str, float]:
        """The change that matters, as a share, for each metric that is judged."""
        return {name: change for name in METRICS if (change := getattr(self, name)) is not None}


def _key(default: str | bool, what: str) -> Any:
    """Return a metric's field. The default is what a user would write, and is validated like that."""
    return Field(default=default, description=what)


class Compare(RoundsTable):
    """How `loadgen compare` measures, and by metric the change that matters.

    The second server is worse or better where the change is beyond chance, nearer to the one that matters than to none,
    and its 90 % interval does not rule the one that matters out; it is the same where the interval does, either way.
    """

    throughput: Change = _key(
        "5%", "The smallest change in throughput that matters. false: not judged. The same holds for the keys below."
    )
    p50: Change = _key("5%", "The smallest change in p50 of response time that matters.")
    p99: Change = _key("10%", "The smallest change in p99 of response time that matters.")
    p999: Change = _key("20%", "The smallest change in p99.9 of response time that matters.")
    server_cpu: Change = _key("5%", "The smallest change in the server's CPU time per request that matters.")
    rss: Change = _key("5%", "The smallest change in the server's memory that matters.")


class Gate(RoundsTable):
    """How `loadgen gate` measures, and by metric, with its sign, the smallest regression that matters.

    The gate is green for a metric where the 90 % interval of its change rules that regression out, and red where the
    metric is worse beyond chance, nearer to that regression than to no change, and the interval does not rule it out.
    """

    throughput: Fall = _key(
        "-5%",
        "The smallest fall in throughput that matters. false: not judged. The same holds for the keys below; one that "
        "is left out keeps its default.",
    )
    p50: Rise = _key(False, "The smallest rise in p50 of response time that matters.")
    p99: Rise = _key("+10%", "The smallest rise in p99 of response time that matters.")
    p999: Rise = _key(False, "The smallest rise in p99.9 of response time that matters.")
    server_cpu: Rise = _key("+5%", "The smallest rise in the server's CPU time per request that matters.")
    rss: Rise = _key(False, "The smallest rise in the server's memory that matters.")
    noise: Share = Field(
        default=_SETTINGS.noise,
        gt=0,
        description=(
            "The noise, as σ of a metric's change from round to round and for a change of 5% (in proportion for "
            "others), above which the gate gives a metric up once the rounds left are too few to answer it: REFUSED. "
            "Where the interval rules the regression out, it passes however noisy the machine is."
        ),
    )
