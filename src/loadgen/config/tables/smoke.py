"""`[smoke]`: the criteria of a smoke test. The test itself is not known here."""

from __future__ import annotations

from pydantic import Field

from loadgen.config.tables.table import Table, duration_key
from loadgen.config.tables.values import Count, PositiveDuration, ShareOrFalse
from loadgen.smoke.limits import SmokeLimits
from loadgen.units import format_duration

_LIMITS = SmokeLimits()


class Smoke(Table):
    """What a server must meet to pass `loadgen smoke`."""

    connection_errors: Count = Field(
        default=_LIMITS.connection_errors, ge=0, description="Maximum number of connections that may fail or be lost."
    )
    timeouts: Count = Field(default=_LIMITS.timeouts, ge=0, description="Maximum number of requests that may time out.")
    error_replies: Count = Field(default=_LIMITS.error_replies, ge=0, description="Maximum number of error replies.")
    p999: PositiveDuration = duration_key(format_duration(_LIMITS.p999_ns), "The highest p99.9 that passes.")
    hit_rate: ShareOrFalse = Field(
        default=_LIMITS.hit_rate,
        description=(
            'The least share of GETs that must hit, such as 0.9 or "90%", where keys are written before they are read; '
            "0 asks for any hit at all, false for none."
        ),
    )
    requests: Count = Field(default=_LIMITS.requests, ge=1, description="The least requests that must be measured.")
    log: bool = Field(default=_LIMITS.log, description="Whether a line of its log that tells of an error fails it.")
    sanity: bool = Field(
        default=_LIMITS.sanity,
        description="Whether it must answer PING, SET and GET of a key of our own right before the load.",
    )
