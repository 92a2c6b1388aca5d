"""By what a configuration has results judged: objectives, limits, a smoke test's criteria, a comparison's settings."""

from __future__ import annotations

from dataclasses import replace

from loadgen.compare.comparison import Awake, ComparisonSettings, Idle
from loadgen.config.tables.objectives import objectives
from loadgen.config.tables.rounds import RoundsTable
from loadgen.config.tables.schema import Config, Verdict
from loadgen.judge.judging import Judging
from loadgen.judge.verdict import VerdictLimits
from loadgen.smoke.criteria import SmokeLimits


def judging(config: Config) -> Judging:
    """By what the result of the configuration's plan is judged: `[slo]` and `[verdict]`."""
    return Judging(objectives(config.slo), _limits(config.verdict))


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


def _limits(verdict: Verdict) -> VerdictLimits:
    return VerdictLimits(
        lag_ns=verdict.lag,
        lag_share=verdict.lag_share,
        shortfall=verdict.shortfall,
        cpu_share=verdict.cpu_share,
        queue_share=verdict.queue_share,
        steal_share=verdict.steal_share,
        pause_ns=verdict.pause,
        ceiling_share=verdict.ceiling_share,
        drift_p=verdict.drift_p,
        failures=verdict.failures,
        connections=verdict.connections,
    )
