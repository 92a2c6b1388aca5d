"""What objectives and their answers are in words, the same in every format for people. Pure functions to plain text.

`spell` is how counts are written: `str`, or `figures.grouped`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.output.words import figures
from loadgen.percentiles import PERCENTILES
from loadgen.slo import Attainment, Evaluation, Objective, Unit

_NAMES = {
    **{name: label for name, label, _ in PERCENTILES.values()},
    "hit_rate_min": "hit rate",
    "throughput_min": "throughput",
}


def name(objective: Objective) -> str:
    """What is limited: "get p99.9", "hit rate"."""
    return f"{objective.command} {_NAMES.get(objective.metric, objective.metric)}".strip()


def limit(objective: Objective, spell: Callable[[int], str] = str) -> str:
    """What it must be: "<= 1ms", ">= 90%"."""
    value = (
        figures.spaced(figures.limit(round(objective.limit)), spell)
        if objective.unit is Unit.NS
        else _value(objective, objective.limit, spell)
    )
    return f"{'>=' if objective.is_floor else '<='} {value}"


def measured(check: Evaluation, spell: Callable[[int], str] = str) -> str:
    """What it is: "1.202ms", with the mark of a percentile that is not to be relied on.

    Where too many requests failed for the percentile to be a good reply's: how many did.
    """
    if check.measured is None:
        return f"{figures.percent(figures.share(check.failed), spell)} failed" if check.failed else figures.NOTHING
    sign = figures.AT_LEAST if check.is_lower_bound else figures.FEW_SAMPLES if check.has_few_samples else ""
    return sign + _value(check.objective, check.measured, spell)


def answer(check: Evaluation) -> str:
    """A breach is loud."""
    return check.answer.upper() if check.answer is Attainment.BREACHED else str(check.answer)


def line(check: Evaluation) -> str:
    """All of it: "get p99 <= 1ms: 1.202ms, BREACHED"."""
    return f"{name(check.objective)} {limit(check.objective)}: {measured(check)}, {answer(check)}"


def summary(checks: Sequence[Evaluation], spell: Callable[[int], str] = str) -> str:
    """What they come to together: "met", or what is not and how far; empty when there is no objective."""
    breaches = [_breach(check, spell) for check in checks if check.answer is Attainment.BREACHED]
    unknown = [name(check.objective) for check in checks if check.answer is Attainment.UNKNOWN]
    parts = [f"BREACHED: {', '.join(breaches)}"] * bool(breaches) + [f"unknown: {', '.join(unknown)}"] * bool(unknown)
    return "; ".join(parts) or "met" * bool(checks)


def _breach(check: Evaluation, spell: Callable[[int], str]) -> str:
    return f"{name(check.objective)} ({measured(check, spell)}, not {limit(check.objective, spell)})"


def _value(objective: Objective, value: float, spell: Callable[[int], str]) -> str:
    match objective.unit:
        case Unit.NS:
            return figures.spaced(figures.latency_beside(value), spell)
        case Unit.COUNT:
            return spell(int(value))
        case Unit.SHARE:
            return figures.percent(f"{100 * value:.6g}", spell)
        case Unit.PER_S:
            return f"{figures.whole_rate(value, spell)} req/s"
