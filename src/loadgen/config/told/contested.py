"""What a comparison puts on a server: the load of a configuration, as rounds have it."""

from __future__ import annotations

from dataclasses import replace

from loadgen.compare.settings import MOST_FAILED
from loadgen.config.tables.schema import Config
from loadgen.config.told.judging import judging
from loadgen.config.told.plans import resolve
from loadgen.judge.verdict import VerdictLimits
from loadgen.plan import Plan


def contested(config: Config, cpus: tuple[int, ...] = ()) -> tuple[Plan, VerdictLimits]:
    """The plan of a contestant, with its workers on these CPUs where there are some, and by what a slice is judged.

    What the configuration leaves open is decided for rounds. Raises TargetError and ConfigError as `resolve` does.
    """
    plan = resolve(config, cpus)
    if "prefill" not in config.workload.model_fields_set and plan.target.speaks.has_keys:
        # Each round begins with an empty server, which would only be asked what it does not have.
        plan = replace(plan, workload=replace(plan.workload, prefill=True))
    # A rate of the configuration's is not that of the slices: the settings have theirs.
    arrival = "poisson" if config.workload.arrival is None else config.workload.arrival
    plan = replace(plan, load=replace(plan.load, profile=(), arrival=arrival))
    limits = judging(config).limits
    if "failures" not in config.verdict.model_fields_set:
        limits = replace(limits, failures=MOST_FAILED)
    if "connections" not in config.verdict.model_fields_set:
        limits = replace(limits, connections=0.0)
    return plan, limits
