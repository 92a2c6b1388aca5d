"""`[smoke]`: the criteria of a smoke test. The test itself is not known here."""

from __future__ import annotations

from pydantic import Field

from loadgen.config.tables.table import Table, duration_key
from loadgen.config.tables.values import Count, PositiveDuration, ShareOrFalse
from loadgen.smoke.limits import SmokeLimits
from loadgen.units import format_duration

_LIMITS = SmokeLimits()


class Smoke(Table):
    """The criteria of `loadgen smoke`."""

    connection_errors: Count = Field(
        default=_LIMITS.connection_errors, ge=0, description="Maximum number of connections that fail or are lost."
    )
    timeouts: Count = Field(default=_LIMITS.timeouts, ge=0, description="Maximum number of requests that time out.")
    error_replies: Count = Field(default=_LIMITS.error_replies, ge=0, description="Maximum number of error replies.")
    p999: PositiveDuration = duration_key(format_duration(_LIMITS.p999_ns), "Maximum p99.9 of response time.")
    hit_rate: ShareOrFalse = Field(
        default=_LIMITS.hit_rate,
        description=(
            'Minimum share of GETs that hit, such as 0.9 or "90%", when keys are written before they are read; '
            "0 requires one hit at all, false none."
        ),
    )
    requests: Count = Field(default=_LIMITS.requests, ge=1, description="Minimum number of requests measured.")
    log: bool = Field(default=_LIMITS.log, description="Fail a server whose log has a line that reports an error.")
    sanity: bool = Field(
        default=_LIMITS.sanity,
        description="Require answers to PING, and to SET and GET of a key of loadgen's own, right before the load.",
    )
