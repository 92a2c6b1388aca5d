"""Saturation searches in words, the same in every format for people. Pure functions to plain text.

`spell` writes counts: `str`, or `figures.grouped` for people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadgen.escape import printable
from loadgen.events import SearchEnded
from loadgen.output.words import figures, sentences
from loadgen.stats.search import Outcome, SearchAnswer, Step
from loadgen.stats.trial import NO_LIMIT_NS, Limit, RateVerdict

KNEE = "the knee: at higher rates, p99 rises above its level at a low rate, or replies fall behind the offered rate"

_LONGEST_WHY = 500
"""Characters of a reason: a sentence of loadgen's, in which text from outside has been cut already."""

# FOUND and UNCONFIRMED have no words: `sureness` says of every answer whether it is confirmed.
_OUTCOMES = {
    Outcome.GENERATOR_LIMITED: "the generator reached its limit before the server",
    Outcome.NEVER_FAILED: "the server passed at the highest rate that may be tried",
    Outcome.NEVER_PASSED: "no rate passed",
    Outcome.WIDE: "the interval is wider than asked for",
}


def aim(limits: Sequence[Limit], spell: Callable[[int], str] = str) -> str:
    """Return the aim of a search: "HIGHEST RATE THAT MEETS p99 <= 1ms"."""
    if not limits:
        return "HIGHEST RATE BEFORE THE KNEE"
    return f"HIGHEST RATE THAT MEETS {', '.join(_limit(limit, spell) for limit in limits)}"


def terms(limits: Sequence[Limit]) -> str:
    """Return the limits without blanks around "<=": "p99<=1ms"; "knee" without limits."""
    return ", ".join(_limit(limit, str).replace(" <= ", "<=") for limit in limits) or "knee"


def found(ended: SearchEnded, spell: Callable[[int], str] = str) -> str:
    """Return the answer and its sureness: "152000 to 158000 req/s (confirmed)"."""
    if ended.answer is None:
        return "not known"
    return f"{interval(ended.answer, spell)} ({sureness(ended.answer)})"


def interval(answer: SearchAnswer, spell: Callable[[int], str] = str) -> str:
    """Return the interval of the highest rate; one of its ends may be unknown."""
    lo = figures.whole_rate(answer.lo_per_s, spell)
    if answer.hi_per_s is None:
        return f"at least {lo} req/s" if answer.lo_per_s else "not known"
    hi = figures.whole_rate(answer.hi_per_s, spell)
    return f"{lo} to {hi} req/s" if answer.lo_per_s else f"below {hi} req/s, if there is one"


def sureness(answer: SearchAnswer) -> str:
    """Return whether the interval is confirmed, and the outcome when it needs a word."""
    confirmed = ["confirmed"] if answer.confirmed else ["not confirmed"] * bool(answer.lo_per_s)
    outcome = [_OUTCOMES[answer.outcome]] if answer.outcome in _OUTCOMES else []
    return "; ".join([*confirmed, *outcome]) or answer.outcome


def reason(answer: SearchAnswer) -> str:
    """Return the reason for the answer."""
    return printable(answer.reason, _LONGEST_WHY)


def capacity(answer: SearchAnswer, spell: Callable[[int], str] = str) -> str:
    """Return the server's throughput in a closed loop; empty when that was not tried."""
    rate = figures.whole_rate(answer.capacity_per_s, spell)
    return f"{rate} req/s in a closed loop" if answer.capacity_per_s else ""


def effort(answer: SearchAnswer, spell: Callable[[int], str] = str) -> str:
    """Return the cost of the answer: "14 steps, 92.3s of load"."""
    return f"{figures.plural(len(answer.steps), 'step')}, {figures.spaced(f'{answer.spent_s:.1f}s', spell)} of load"


def verdict(step: Step) -> str:
    """Return PASS, FAIL or GENERATOR; for an INCONCLUSIVE step, "leans" and the side of the point estimate."""
    match step.judgement.verdict:
        case RateVerdict.INCONCLUSIVE:
            return "leans PASS" if step.passed else "leans FAIL"
        case RateVerdict.GENERATOR_LIMITED:
            return "GENERATOR"
        case decided:
            return decided


def worst(step: Step) -> tuple[str, str, str]:
    """Return the name, measured value and limit of the percentile with the highest ratio of value to limit."""
    pairs = [(e.limit, x_ns) for e, x_ns in zip(step.judgement.exceedances, step.x_ns, strict=True)]
    if not pairs:
        return "", "", ""
    limit, x_ns = max(pairs, key=lambda pair: pair[1] / pair[0].limit_ns)
    grouped = figures.grouped
    return _name(limit), figures.spaced(_measured(x_ns), grouped), figures.spaced(_bound(limit), grouped)


def percentiles(step: Step) -> list[str]:
    """Return the measured value of each limited percentile: "p99 812.0us of 1ms"."""
    return [
        f"{_name(e.limit)} {_measured(x_ns)} of {_bound(e.limit)}"
        for e, x_ns in zip(step.judgement.exceedances, step.x_ns, strict=True)
    ]


def why(step: Step) -> str:
    """Return the reason for a step's verdict."""
    return printable(step.judgement.why, _LONGEST_WHY)


def surprise(step: Step) -> str:
    """Return the reason for a verdict that the percentiles do not explain; empty when they do."""
    exceeded = any(e.verdict is RateVerdict.FAIL for e in step.judgement.exceedances)
    spoilt = step.judgement.verdict is RateVerdict.GENERATOR_LIMITED
    said = spoilt or (step.judgement.verdict is RateVerdict.FAIL and not exceeded)
    return why(step) if said else ""


def totals(ended: SearchEnded, spell: Callable[[int], str] = str) -> str:
    """Return requests and replies over all phases, to be compared with the server's own counters."""
    tallies = ended.overall.tallies.values()
    sent, received = sum(tally.sent for tally in tallies), sum(tally.received for tally in tallies)
    replies = figures.plural(received, "reply", spell, "replies")
    return f"{figures.plural(sent, 'request', spell)} sent, {replies} received"


def connections(ended: SearchEnded, spell: Callable[[int], str] = str) -> str:
    """Return the counts of connections over all phases; each confirmation opens new ones."""
    counts = ended.overall.connections
    reconnects = figures.plural(counts.reconnects, "reconnect", spell)
    opened, failed, closed = (spell(count) for count in (counts.opened, counts.failed, counts.closed))
    renewed = sentences.renewed(counts, spell=spell)
    return f"{opened} opened, {failed} failed, {closed} closed, {reconnects}{renewed}"


def _name(limit: Limit) -> str:
    return f"{limit.command} p{limit.quantile * 100:.10g}".strip()


def _limit(limit: Limit, spell: Callable[[int], str]) -> str:
    return f"{_name(limit)} <= {figures.spaced(_bound(limit), spell)}"


def _bound(limit: Limit) -> str:
    return figures.limit(limit.limit_ns) if limit.limit_ns != NO_LIMIT_NS else figures.NOTHING


def _measured(x_ns: int) -> str:
    return figures.latency_beside(x_ns) if x_ns else figures.NOTHING
