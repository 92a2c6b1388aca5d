"""`[slo]`: its tables, and the objectives and search limits made from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.table import Table
from loadgen.config.tables.values import MAX_RATE_PER_S, RATE_IN_TEXT, Number, PositiveDuration, Share, Tolerance
from loadgen.percentiles import PERCENTILES
from loadgen.slo import Objective, Unit
from loadgen.stats.trial import Limit

_METRICS = (*PERCENTILES, "errors", "timeouts", "hit_rate_min", "throughput_min")
"""The metrics, in the order in which they are shown."""

COMMANDS = ("get", "set", "delete")
"""The commands that can have objectives of their own. The protocol "ping" sends only PING, which [slo] judges."""


class Percentiles(Table):
    """What response time is good enough; at least one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    p50: PositiveDuration | None = Field(default=None, description="The highest p50 that passes.", examples=["200us"])
    p90: PositiveDuration | None = Field(default=None, description="The highest p90 that passes.", examples=["400us"])
    p95: PositiveDuration | None = Field(default=None, description="The highest p95 that passes.", examples=["450us"])
    p99: PositiveDuration | None = Field(default=None, description="The highest p99 that passes.", examples=["500us"])
    p999: PositiveDuration | None = Field(default=None, description="The highest p99.9 that passes.", examples=["1ms"])
    p9999: PositiveDuration | None = Field(
        default=None, description="The highest p99.99 that passes.", examples=["5ms"]
    )

    @model_validator(mode="after")
    def _has_a_bound(self) -> Percentiles:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise Refused(ProblemCode.NO_OBJECTIVE, 'names no objective; write at least one, such as p999 = "1ms"')
        return self


class CommandSlo(Percentiles):
    """What must hold for the requests of this one command."""

    max: PositiveDuration | None = Field(
        default=None, description="The longest response time that passes.", examples=["50ms"]
    )
    errors: Tolerance | None = Field(
        default=None,
        description=(
            "How many requests may end badly: by an error reply, a timeout, lost, corrupt or unfinished. "
            'A whole number is a count; 0.001 or "0.1%" is a share of the requests.'
        ),
        examples=[0],
    )
    timeouts: Tolerance | None = Field(
        default=None, description="How many of them may time out, as a count or a share.", examples=["0.1%"]
    )
    throughput_min: Annotated[Number, Field(gt=0, le=MAX_RATE_PER_S), RATE_IN_TEXT] | None = Field(
        default=None, description="The least requests per second that pass.", examples=[10_000]
    )


class GetSlo(CommandSlo):
    """What must hold for GETs."""

    hit_rate_min: Share | None = Field(
        default=None, description='The least share of GETs that must hit: 0.9 or "90%".', examples=["90%"]
    )


class Slo(GetSlo):
    """What the result must meet, over all commands; for one command alone, in [slo.get] and so on."""

    get: GetSlo | None = Field(default=None)
    set: CommandSlo | None = Field(default=None)
    delete: CommandSlo | None = Field(default=None)

    def by_command(self) -> Iterator[tuple[str, CommandSlo]]:
        """Yield each table with its command: this table first, with an empty command."""
        yield "", self
        for command in COMMANDS:
            if (table := getattr(self, command)) is not None:
                yield command, table


def objectives(slo: Slo | None) -> tuple[Objective, ...]:
    """Return all objectives: those over all commands, then those by command, always in one order of metrics."""
    return tuple(
        Objective(metric, limit, _unit(metric, limit), command)
        for command, table in (slo.by_command() if slo is not None else ())
        for metric in _METRICS
        if (limit := getattr(table, metric, None)) is not None
    )


def limits(percentiles: Percentiles, command: str = "") -> tuple[Limit, ...]:
    """Return the percentiles as limits of the saturation search."""
    return tuple(
        Limit(PERCENTILES[name].quantile, limit_ns, command)
        for name in Percentiles.model_fields
        if (limit_ns := getattr(percentiles, name)) is not None
    )


def _unit(metric: str, limit: float) -> Unit:
    match metric:
        case "errors" | "timeouts":
            return Unit.COUNT if isinstance(limit, int) else Unit.SHARE
        case "hit_rate_min":
            return Unit.SHARE
        case "throughput_min":
            return Unit.PER_S
        case _:
            return Unit.NS
