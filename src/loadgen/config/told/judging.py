"""The settings of judges: objectives, limits, a smoke test's criteria, a comparison's settings."""

from __future__ import annotations

from loadgen.compare.settings import MOST_NOISE, Awake, ComparisonSettings, Idle
from loadgen.config.tables.check import checks
from loadgen.config.tables.objectives import objectives
from loadgen.config.tables.rounds import RoundsTable
from loadgen.config.tables.schema import Config
from loadgen.config.told.settings import settings_of
from loadgen.judge.judging import Judging
from loadgen.judge.verdict import VerdictLimits
from loadgen.smoke.limits import SmokeLimits


def judging(config: Config) -> Judging:
    """Return the objectives of `[slo]`, the checks of `[[check]]` and the limits of `[verdict]`."""
    return Judging(objectives(config.slo), checks(config.check), settings_of(VerdictLimits, config.verdict))


def smoke_limits(config: Config) -> SmokeLimits:
    """Return the smoke test's criteria, from `[smoke]`."""
    return settings_of(SmokeLimits, config.smoke)


def compare_settings(config: Config) -> ComparisonSettings:
    """Return the settings of a comparison's rounds, from `[compare]`; no metric is given up for its noise."""
    return _rounds(config, config.compare, one_sided=False, noise=MOST_NOISE)


def gate_settings(config: Config) -> ComparisonSettings:
    """Return the settings of a gate's rounds, from `[gate]`; the thresholds are without their signs."""
    return _rounds(config, config.gate, one_sided=True)


def _rounds(config: Config, table: RoundsTable, **beside: object) -> ComparisonSettings:
    """Return the settings of one table; a table without a rate has the rate of the load."""
    return settings_of(
        ComparisonSettings,
        table,
        rate_per_s=table.rate or config.workload.rate_limit,
        max_rounds=table.rounds,
        idle=Idle(table.idle),
        awake=Awake(table.awake),
        **beside,
    )
