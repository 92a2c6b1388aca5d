"""Objectives and their answers in words, the same in every format for people. Pure functions to plain text.

`spell` writes counts: `str`, or `figures.grouped` for people.
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
    """Return the name of an objective: "get p99.9", "hit rate"."""
    return f"{objective.command} {_NAMES.get(objective.metric, objective.metric)}".strip()


def limit(objective: Objective, spell: Callable[[int], str] = str) -> str:
    """Return the limit of an objective: "<= 1ms", ">= 90%"."""
    value = (
        figures.spaced(figures.limit(round(objective.limit)), spell)
        if objective.unit is Unit.NS
        else _value(objective, objective.limit, spell)
    )
    return f"{'>=' if objective.is_floor else '<='} {value}"


def measured(check: Evaluation, spell: Callable[[int], str] = str) -> str:
    """Return the measured value, with the sign of a percentile that is a lower bound or rests on few samples.

    When the percentile lies among requests that failed, return the share of failed requests instead.
    """
    if check.measured is None:
        return f"{figures.percent(figures.share(check.failed), spell)} failed" if check.failed else figures.NOTHING
    sign = figures.AT_LEAST if check.is_lower_bound else figures.FEW_SAMPLES if check.has_few_samples else ""
    return sign + _value(check.objective, check.measured, spell)


def answer(check: Evaluation) -> str:
    """Return the answer; BREACHED is in capitals."""
    return check.answer.upper() if check.answer is Attainment.BREACHED else str(check.answer)


def line(check: Evaluation) -> str:
    """Return an objective and its answer: "get p99 <= 1ms: 1.202ms, BREACHED"."""
    return f"{name(check.objective)} {limit(check.objective)}: {measured(check)}, {answer(check)}"


def summary(checks: Sequence[Evaluation], spell: Callable[[int], str] = str) -> str:
    """Return the answer of all objectives: "met", or those breached or unknown; empty without objectives."""
    breaches = [_breach(check, spell) for check in checks if check.answer is Attainment.BREACHED]
    unknown = [name(check.objective) for check in checks if check.answer is Attainment.UNKNOWN]
    parts = [f"BREACHED: {', '.join(breaches)}"] * bool(breaches) + [f"unknown: {', '.join(unknown)}"] * bool(unknown)
    return "; ".join(parts) or "met" * bool(checks)


def _breach(check: Evaluation, spell: Callable[[int], str]) -> str:
    return f"{name(check.objective)} ({measured(check, spell)}, limit {limit(check.objective, spell)})"


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
