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
        format_duration(_SETTINGS.slice_ns), "Time for which one slice of load on one server is measured."
    )
    slices: Count = Field(
        default=_SETTINGS.slices,
        ge=2,
        le=1000,
        multiple_of=2,
        description=(
            "Number of slices of each server in a round, for each kind of load; an even number. Slices during which "
            "the host took a CPU away are measured again: in each round, at most a third as many as all slices."
        ),
    )
    settle: Duration = duration_key(format_duration(_SETTINGS.settle_ns), "Time under load before a slice is measured.")
    rate: Rate = Field(
        default=_SETTINGS.rate_per_s,
        ge=0,
        le=MAX_RATE_PER_S,
        description=(
            "Rate at which response times are compared, in requests per second. 0 takes load_share of the first "
            "server's closed-loop rate, or less, to leave each worker half of its CPU: a busy worker sends late."
        ),
    )
    load_share: Share = Field(
        default=_SETTINGS.load_share,
        gt=0,
        description="Share of the first server's closed-loop rate at which response times are compared.",
    )
    rounds: Count = Field(
        default=_SETTINGS.max_rounds,
        ge=_MIN_ROUNDS,
        le=MAX_ROUNDS,
        description="Maximum number of rounds; fewer are run when the answers are clear earlier.",
    )
    idle: Literal["run", "stop", "alone"] = Field(
        default=_SETTINGS.idle.value,
        description=(
            'The other servers while one is measured: "run" (they stay idle and are watched; when one uses more than 1 '
            '% of a CPU, each server is run alone), "stop" (SIGSTOP stops them, which some servers do not survive) or '
            '"alone" (each server is started, measured and ended by itself, in turns).'
        ),
    )
    awake: Literal["vm", "always", "never"] = Field(
        default=_SETTINGS.awake.value,
        description=(
            "Keep the CPUs to which load and servers are pinned from sleeping while a server is measured, by a process "
            'on each that gives way to everything else (SCHED_IDLE): "vm" (in a virtual machine, where the wake-up of '
            'a CPU can take milliseconds), "always" or "never". Never done when the process would use up a CPU quota.'
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
    """The rounds of `loadgen compare`, and for each metric the change that matters.

    The second server is worse or better when the change is beyond chance, is nearer to the change that matters than to
    none, and has a 90 % interval that does not rule out the change that matters. The second server is the same when the
    interval rules out that change in both directions.
    """

    throughput: Change = _key(
        "5%", "The smallest change in throughput that matters; false: not judged. This applies to the keys below too."
    )
    p50: Change = _key("5%", "The smallest change in p50 of response time that matters.")
    p99: Change = _key("10%", "The smallest change in p99 of response time that matters.")
    p999: Change = _key("20%", "The smallest change in p99.9 of response time that matters.")
    server_cpu: Change = _key("5%", "The smallest change in the server's CPU time per request that matters.")
    rss: Change = _key("5%", "The smallest change in the server's memory that matters.")


class Gate(RoundsTable):
    """The rounds of `loadgen gate`, and for each metric, with its sign, the smallest regression that matters.

    A metric passes when the 90 % interval of its change rules out that regression. A metric fails when it is worse
    beyond chance, is nearer to that regression than to no change, and has an interval that does not rule it out.
    """

    throughput: Fall = _key(
        "-5%",
        "The smallest fall in throughput that matters; false: not judged. This applies to the keys below too. A key "
        "that is left out keeps its default.",
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
            "Maximum noise, as σ of a metric's change from round to round, for a threshold of 5 % (in proportion for "
            "others). Above it, the gate gives a metric up (REFUSED) once the rounds left are too few for an answer. "
            "A metric whose interval rules out the regression passes at any noise."
        ),
    )
