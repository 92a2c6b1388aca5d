"""The records of a comparison: `round`, `comparison` and, of a candidate with itself, `noise`. No I/O.

Changes are shares, B / A - 1: -0.05 is 5 % less than A's. Metrics are in the units of `metric.METRICS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from loadgen.compare.answers import Compared, NoiseFound, Row
from loadgen.compare.candidate import Candidate
from loadgen.compare.metric import METRICS
from loadgen.compare.round import RoundEnded
from loadgen.reason import Reason
from loadgen.record.write.spelling import codes, finite, number, secs, text, timestamp, words
from loadgen.severity import Severity

# Decimals of metrics: a thousandth of a nanosecond, of a byte or of a request per second.
_DIGITS = 3

# Decimals of shares: a ten-thousandth of a percent.
_SHARE_DIGITS = 6


def round_ended(event: RoundEnded) -> dict[str, Any]:
    ended = event.round
    return {
        "type": "round",
        "ts": timestamp(event.wall_s),
        "number": ended.number,
        "max_rounds": event.max_rounds,
        "candidates": [text(candidate.name) for candidate in event.candidates],
        "about": [_about(candidate) for candidate in event.candidates],
        "order": list(ended.order),
        "values": [_values(values) for values in ended.values],
        "doubts": words(ended.doubts),
        "codes": {"doubts": codes(ended.doubts)},
        "late": [list(names) for names in ended.late or ((),) * len(ended.values)],
        "repeated": ended.repeated,
        "took_secs": finite(ended.took_s, _DIGITS),
    }


def comparison(event: Compared) -> dict[str, Any]:
    settings = event.settings
    return {
        "type": "comparison",
        "ts": timestamp(event.wall_s),
        "version": event.version,
        "host": text(event.host) or None,
        "a": _candidate(event.a),
        "b": _candidate(event.b),
        "metrics": {row.metric: _row(row) for row in event.rows},
        "gate": settings.one_sided,
        "answer": str(event.verdict) if settings.one_sided else None,
        "paired": event.paired,
        "confidence": round(event.confidence, _SHARE_DIGITS),
        "seed": event.seed,
        "rate_per_s": finite(event.rate_per_s, _DIGITS),
        "slices": settings.slices,
        "slice_secs": secs(settings.slice_ns),
        "settle_secs": secs(settings.settle_ns),
        "max_rounds": settings.max_rounds,
        "idle": str(settings.idle),
        "took_secs": finite(event.took_s, _DIGITS),
        "rounds": _rounds(event),
        "round_counts": [len(side) for side in event.values],
        "notes": words(event.notes),
        "failure": text(event.failure) or None,
        "refused": text(event.refused) or None,
        "codes": {"notes": codes(event.notes), **_codes(event.reasons, "failure", "refused")},
        "interrupted": event.interrupted,
    }


def noise(event: NoiseFound) -> dict[str, Any]:
    return {
        "type": "noise",
        "ts": timestamp(event.wall_s),
        "candidate": _candidate(event.candidate),
        "host": text(event.host) or None,
        "rounds": event.rounds,
        "noise": {name: finite(sigma, _SHARE_DIGITS) for name, sigma in event.noise.items()},
        "false_alarms": {name: finite(share, _SHARE_DIGITS) for name, share in event.false_alarms.items()},
        "interrupted": event.interrupted,
        "failure": text(event.failure) or None,
        "codes": _codes(event.reasons, "failure"),
        "took_secs": finite(event.took_s, _DIGITS),
    }


_SEVERITIES = {"failure": Severity.COULD_NOT_RUN, "refused": Severity.UNKNOWN}


def _codes(reasons: Iterable[Reason], *fields: str) -> dict[str, str | None]:
    """Return the code of the sentence in each of these fields; null for a field that is null."""
    found = {reason.severity: str(reason.code) for reason in reasons}
    return {field: found.get(_SEVERITIES[field]) for field in fields}


def _about(candidate: Candidate) -> dict[str, Any]:
    return {
        "name": text(candidate.name),
        "kind": candidate.kind,
        "identity": text(candidate.identity) or None,
        "taken": text(candidate.taken) or None,
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {**_about(candidate), "host": text(candidate.host) or None, "load": candidate.shape.record()}


def _row(row: Row) -> dict[str, Any]:
    return {
        "answer": str(row.answer),
        "effect": finite(row.effect, _SHARE_DIGITS),
        "ci_low": finite(row.ci_low, _SHARE_DIGITS),
        "ci_high": finite(row.ci_high, _SHARE_DIGITS),
        "p": row.p,
        "rounds": row.rounds,
        "threshold": number(row.threshold),
        "a": finite(row.a, _DIGITS),
        "b": finite(row.b, _DIGITS),
        "noise": finite(row.noise, _SHARE_DIGITS),
        "more_rounds": row.more_rounds,
        "why": text(row.why) or None,
        "level": row.level,
        "took_secs": finite(row.took_s, _DIGITS),
        "unit": METRICS[row.metric].unit,
    }


def _rounds(event: Compared) -> list[dict[str, Any]]:
    """Return both sides of each round. Of stored results, a side with fewer rounds is padded with empty ones."""
    a, b = ([_values(values) for values in side] for side in event.values)
    count = max(len(a), len(b))
    return [
        {"a": before, "b": after}
        for before, after in zip(a + [{}] * (count - len(a)), b + [{}] * (count - len(b)), strict=True)
    ]


def _values(values: Mapping[str, float]) -> dict[str, int | float | None]:
    return {name: finite(value, _DIGITS) for name, value in values.items()}
