"""The load that a comparison puts on a server: that of a configuration, adapted to rounds."""

from __future__ import annotations

from dataclasses import replace

from loadgen.compare.settings import MOST_FAILED
from loadgen.config.tables.schema import Config
from loadgen.config.told.judging import judging
from loadgen.config.told.plans import resolve
from loadgen.judge.verdict import VerdictLimits
from loadgen.plan import Plan


def contested(config: Config, cpus: tuple[int, ...] = ()) -> tuple[Plan, VerdictLimits]:
    """Return the plan of a contestant, its workers pinned to `cpus` if there are any, and the limits of a slice.

    Keys that the configuration leaves open get defaults for rounds. Raises TargetError and ConfigError as `resolve`.
    """
    plan = resolve(config, cpus)
    if "prefill" not in config.workload.model_fields_set and plan.target.speaks.has_keys:
        # A server that is started for a round is empty: without a prefill every GET would miss.
        plan = replace(plan, workload=replace(plan.workload, prefill=True))
    # The rate of the slices comes from the comparison's settings, not from the configuration's load.
    arrival = "poisson" if config.workload.arrival is None else config.workload.arrival
    plan = replace(plan, load=replace(plan.load, profile=(), arrival=arrival))
    limits = judging(config).limits
    if "failures" not in config.verdict.model_fields_set:
        limits = replace(limits, failures=MOST_FAILED)
    if "connections" not in config.verdict.model_fields_set:
        limits = replace(limits, connections=0.0)
    return plan, limits
