"""By what a configuration has results judged: objectives, limits, a smoke test's criteria, a comparison's settings."""

from __future__ import annotations

from loadgen.compare.settings import MOST_NOISE, Awake, ComparisonSettings, Idle
from loadgen.config.tables.objectives import objectives
from loadgen.config.tables.rounds import RoundsTable
from loadgen.config.tables.schema import Config
from loadgen.config.told.settings import settings_of
from loadgen.judge.judging import Judging
from loadgen.judge.verdict import VerdictLimits
from loadgen.smoke.limits import SmokeLimits


def judging(config: Config) -> Judging:
    """By what the result of the configuration's plan is judged: `[slo]` and `[verdict]`."""
    return Judging(objectives(config.slo), settings_of(VerdictLimits, config.verdict))


def smoke_limits(config: Config) -> SmokeLimits:
    """The smoke test's criteria, of `[smoke]`."""
    return settings_of(SmokeLimits, config.smoke)


def compare_settings(config: Config) -> ComparisonSettings:
    """How a comparison's rounds are run and judged, of `[compare]`, which gives up no metric for its noise."""
    return _rounds(config.compare, one_sided=False, noise=MOST_NOISE)


def gate_settings(config: Config) -> ComparisonSettings:
    """How a gate's rounds are run and judged, of `[gate]`: by thresholds without their signs."""
    return _rounds(config.gate, one_sided=True)


def _rounds(table: RoundsTable, **beside: object) -> ComparisonSettings:
    idle, awake = Idle(table.idle), Awake(table.awake)
    return settings_of(ComparisonSettings, table, max_rounds=table.rounds, idle=idle, awake=awake, **beside)
