"""The records of a saturation search: `step` and `saturation`. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.events import SearchEnded, StepTaken
from loadgen.record.write.accounts import all_counts, connections, counts, examples, history, pushes, totals, verdict
from loadgen.record.write.monitors import monitors
from loadgen.record.write.spelling import number, text, timestamp
from loadgen.stats.search import SearchAnswer
from loadgen.stats.trial import NO_LIMIT_NS, Limit


def step(event: StepTaken) -> dict[str, Any]:
    step = event.step
    return {
        "type": "step",
        "ts": timestamp(event.wall_s),
        "number": event.number,
        "purpose": str(step.purpose),
        "rate_per_s": number(step.rate_per_s),
        "length_secs": number(round(step.length_s, 3)),
        "offered_per_s": number(round(step.offered_per_s, 3)),
        "achieved_per_s": number(round(step.achieved_per_s, 3)),
        "verdict": str(step.judgement.verdict),
        "passed": step.passed,
        "why": text(step.judgement.why),
        "limits": [
            {
                **quantile_limit(exceedance.limit),
                "x_ns": x_ns,
                "exceed_ratio": exceedance.ratio,
                "exceed_low": exceedance.low,
                "exceed_high": exceedance.high,
                "allowed": round(exceedance.allowed, 12),
            }
            for exceedance, x_ns in zip(step.judgement.exceedances, step.x_ns, strict=True)
        ],
    }


def saturation(event: SearchEnded) -> dict[str, Any]:
    answer, measured, overall = event.answer, event.measured, event.overall
    return {
        "type": "saturation",
        "ts": timestamp(event.wall_s),
        "interrupted": event.interrupted,
        "embedded": event.embedded,
        "failure": text(event.failure) or None,
        "limits": [quantile_limit(limit) for limit in event.limits],
        **(_answer(answer) if answer is not None else dict.fromkeys(_ANSWER)),
        "counts": all_counts(measured),
        "commands": {command: counts(measured.tallies[command]) for command in measured.commands},
        "totals": totals(overall),
        "unaccounted": event.unaccounted,
        "connections": connections(overall),
        **pushes(overall),
        **history(event.history),
        **monitors(event.monitors),
        "verdict": verdict(event),
        "error_examples": examples(event),
        "seed": event.plan.seed,
    }


_ANSWER = ("outcome", "reason", "lo_per_s", "hi_per_s", "confirmed", "capacity_per_s", "spent_secs", "steps")


def _answer(answer: SearchAnswer) -> dict[str, Any]:
    values = (
        str(answer.outcome),
        text(answer.reason),
        number(answer.lo_per_s),
        None if answer.hi_per_s is None else number(answer.hi_per_s),
        answer.confirmed,
        number(answer.capacity_per_s) or None,
        number(round(answer.spent_s, 3)),
        len(answer.steps),
    )
    return dict(zip(_ANSWER, values, strict=True))


def quantile_limit(limit: Limit) -> dict[str, Any]:
    """Return a quantile and its limit; the limit is null when the quantile is measured but not limited."""
    return {
        "metric": f"p{limit.quantile * 100:.10g}".replace(".", ""),
        "quantile": limit.quantile,
        "command": limit.command or "all",
        "limit_ns": None if limit.limit_ns == NO_LIMIT_NS else limit.limit_ns,
    }
