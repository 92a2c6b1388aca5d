"""What those who judge a server are told by a configuration: criteria of a smoke test, settings of a comparison."""

from __future__ import annotations

from dataclasses import replace

from loadgen.compare.comparison import Awake, ComparisonSettings, Idle
from loadgen.config.tables.rounds import RoundsTable
from loadgen.config.tables.schema import Config
from loadgen.smoke.criteria import SmokeLimits


def smoke_limits(config: Config) -> SmokeLimits:
    """The smoke test's criteria, of `[smoke]`."""
    smoke = config.smoke
    return SmokeLimits(
        connection_errors=smoke.connection_errors,
        timeouts=smoke.timeouts,
        error_replies=smoke.error_replies,
        p999_ns=smoke.p999,
        hit_rate=smoke.hit_rate,
        requests=smoke.requests,
        log=smoke.log,
        sanity=smoke.sanity,
    )


def compare_settings(config: Config) -> ComparisonSettings:
    """How a comparison's rounds are run and judged, of `[compare]`."""
    return _settings(config.compare, one_sided=False)


def gate_settings(config: Config) -> ComparisonSettings:
    """How a gate's rounds are run and judged, of `[gate]`: by thresholds without their signs."""
    return replace(_settings(config.gate, one_sided=True), noise=config.gate.noise)


def _settings(table: RoundsTable, *, one_sided: bool) -> ComparisonSettings:
    return ComparisonSettings(
        thresholds=table.thresholds,
        one_sided=one_sided,
        slice_ns=table.slice,
        slices=table.slices,
        settle_ns=table.settle,
        rate_per_s=table.rate,
        load_share=table.load_share,
        max_rounds=table.rounds,
        idle=Idle(table.idle),
        awake=Awake(table.awake),
    )
