"""Every check of a trial, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loadgen.judge.named import Check
from loadgen.trial.checks.breaker import breaker_legal
from loadgen.trial.checks.ends import answers_right, deadlines_kept, errors_expected, fault_fired
from loadgen.trial.checks.healthy import healthy_nodes, pools_free
from loadgen.trial.checks.lateness import callers_on_time
from loadgen.trial.checks.own import nothing_left, pool_arithmetic, statistics_readable
from loadgen.trial.checks.recovery import recovered
from loadgen.trial.checks.refusals import refusals_fast
from loadgen.trial.evidence import Evidence

CHECKS: Mapping[str, Callable[[Evidence], Check | None]] = {
    "fault fired": fault_fired,
    "errors expected": errors_expected,
    "answers right": answers_right,
    "recovered": recovered,
    "refusals fast": refusals_fast,
    "deadlines kept": deadlines_kept,
    "pools free": pools_free,
    "healthy nodes": healthy_nodes,
    "statistics": statistics_readable,
    "pool arithmetic": pool_arithmetic,
    "breaker": breaker_legal,
    "nothing left": nothing_left,
    "callers on time": callers_on_time,
}
"""Every check by its name, in the order of outputs."""


def judged(evidence: Evidence) -> tuple[Check, ...]:
    """Return every check of CHECKS that applies, in their order."""
    return tuple(check for judge in CHECKS.values() if (check := judge(evidence)) is not None)
