"""`[slo]`: its tables, and the objectives and search limits made from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, create_model, model_validator

from loadgen.command import MIXED, READING
from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.table import Table
from loadgen.config.tables.values import MAX_RATE_PER_S, RATE_IN_TEXT, Number, PositiveDuration, Share, Tolerance
from loadgen.percentiles import PERCENTILES
from loadgen.slo import Objective, Unit
from loadgen.stats.trial import Limit

_METRICS = (*PERCENTILES, "errors", "timeouts", "hit_rate_min", "throughput_min")
"""The metrics, in the order in which they are shown."""


class Percentiles(Table):
    """The limits of response time; at least one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    p50: PositiveDuration | None = Field(default=None, description="Maximum p50 of response time.", examples=["200us"])
    p90: PositiveDuration | None = Field(default=None, description="Maximum p90 of response time.", examples=["400us"])
    p95: PositiveDuration | None = Field(default=None, description="Maximum p95 of response time.", examples=["450us"])
    p99: PositiveDuration | None = Field(default=None, description="Maximum p99 of response time.", examples=["500us"])
    p999: PositiveDuration | None = Field(default=None, description="Maximum p99.9 of response time.", examples=["1ms"])
    p9999: PositiveDuration | None = Field(
        default=None, description="Maximum p99.99 of response time.", examples=["5ms"]
    )

    @model_validator(mode="after")
    def _has_a_bound(self) -> Percentiles:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise Refused(ProblemCode.NO_OBJECTIVE, 'names no objective; write at least one, such as p999 = "1ms"')
        return self


class CommandSlo(Percentiles):
    """The objectives for the requests of this command alone."""

    max: PositiveDuration | None = Field(default=None, description="Maximum response time.", examples=["50ms"])
    errors: Tolerance | None = Field(
        default=None,
        description=(
            "Maximum number of requests that end in an error reply, a timeout, lost, corrupt or unfinished. "
            'A whole number is a count; 0.001 or "0.1%" is a share of the requests.'
        ),
        examples=[0],
    )
    timeouts: Tolerance | None = Field(
        default=None, description="Maximum number of requests that time out, as a count or a share.", examples=["0.1%"]
    )
    throughput_min: Annotated[Number, Field(gt=0, le=MAX_RATE_PER_S), RATE_IN_TEXT] | None = Field(
        default=None, description="Minimum number of good replies per second.", examples=[10_000]
    )


class GetSlo(CommandSlo):
    """The objectives for GETs."""

    hit_rate_min: Share | None = Field(
        default=None, description='Minimum share of GETs that hit: 0.9 or "90%".', examples=["90%"]
    )


class _Objectives(GetSlo):
    """The objectives of the result, over all commands; those of one command alone are in [slo.get] and so on."""

    def by_command(self) -> Iterator[tuple[str, CommandSlo]]:
        """Yield each table with its command: this table first, with an empty command."""
        yield "", self
        for command in MIXED:
            if (table := getattr(self, command)) is not None:
                yield command, table


if TYPE_CHECKING:
    Slo = _Objectives
else:
    # A table for each command of a mix. The protocol "ping" sends only PING, which [slo] judges.
    Slo = create_model(
        "Slo",
        __base__=_Objectives,
        __doc__=_Objectives.__doc__,
        **{name: ((GetSlo if name in READING else CommandSlo) | None, Field(default=None)) for name in MIXED},
    )


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
