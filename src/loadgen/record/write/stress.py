"""Stress tests as records, and the JSON document of a whole one. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.record.write.latency import in_us
from loadgen.record.write.spelling import codes, number, percent, text, timestamp, words
from loadgen.severity import Severity
from loadgen.slo import Attainment
from loadgen.units import NS_PER_MS
from loadgen.verify.case import Verdict
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded

SUITE = "stress"


def began(event: StressBegan) -> dict[str, Any]:
    return {
        "type": "stress-began",
        "ts": timestamp(event.wall_s),
        "loads": [
            {"connections": shape.connections, "keys": shape.keys, "value_bytes": shape.value_bytes}
            for shape in event.shapes
        ],
        "version": event.version,
        "options": {text(name): text(value) for name, value in event.options.items()},
    }


def load(event: Stressed) -> dict[str, Any]:
    return {"type": "stress-load", "ts": timestamp(event.wall_s), **_row(event)}


def ended(event: StressEnded) -> dict[str, Any]:
    return {
        "type": "stress",
        "ts": timestamp(event.wall_s),
        "metadata": _metadata(event),
        "summary": _summary(event),
    }


def document(event: StressEnded) -> dict[str, Any]:
    """Return the document: `metadata`, `summary`, `results` and `failed_seeds`."""
    failed = (row for row in event.rows if row.verdict is Verdict.FAIL)
    return {
        "metadata": _metadata(event),
        "summary": _summary(event),
        "results": [_row(row) for row in event.rows],
        "failed_seeds": [
            {"seed": row.seed, "test": str(row.shape), "error": _error(row), "replay_command": text(row.replay)}
            for row in failed
        ],
    }


def _metadata(event: StressEnded) -> dict[str, Any]:
    return {
        "tool": "loadgen",
        "version": event.version,
        "timestamp": timestamp(event.wall_s),
        "suite": SUITE,
        "host": text(event.host),
        "server": text(event.identity) or None,
    }


def _summary(event: StressEnded) -> dict[str, Any]:
    counts, run = event.counts, len(event.rows) - event.counts[Verdict.SKIPPED]
    return {
        "total": len(event.rows),
        "passed": counts[Verdict.PASS],
        "failed": counts[Verdict.FAIL],
        "untold": counts[Verdict.UNTOLD],
        "skipped": counts[Verdict.SKIPPED],
        "duration_ms": _ms(event.took_ns),
        "success_rate": percent(counts[Verdict.PASS] / run) if run else None,
        "interrupted": event.interrupted,
        "exit_status": int(event.exit_code),
        "reasons": words(event.doubts),
        "codes": {"reasons": codes(event.doubts)},
    }


def _row(event: Stressed) -> dict[str, Any]:
    result, each = event.result, event.in_flight_per_key
    total = result.measured.total if result is not None else None
    latency = in_us(result.measured.latency()) if result is not None else {}
    return {
        "name": str(event.shape),
        "seed": event.seed,
        "passed": {Verdict.PASS: True, Verdict.FAIL: False}.get(event.verdict),
        "verdict": str(event.verdict),
        "duration_ms": _ms(event.took_ns),
        "error": _error(event) or None,
        "server": text(event.identity) or None,
        "connections": event.shape.connections,
        "keys": event.shape.keys,
        "value_bytes": event.shape.value_bytes,
        "throughput": int(result.throughput_per_s) if result is not None else None,
        "p50_us": latency.get("p50_us"),
        "p99_us": latency.get("p99_us"),
        "memory_bytes": event.memory_bytes,
        "in_flight_per_key": None if each is None else number(round(each, 6)),
        "hit_pct": percent(result.measured.hit_rate) if result is not None else None,
        "planned": total.planned if total is not None else None,
        "not_ok": total.not_ok if total is not None else None,
        "unfinished": total.unfinished if total is not None else None,
        "skipped": text(event.skipped) or None,
        "failure": text(event.failure) or None,
        "replay_command": text(event.replay),
    }


def _error(event: Stressed) -> str:
    """Return why a load did not pass, in a line."""
    result = event.result
    if result is None:
        return text(event.skipped or event.failure)
    breached = [each.check.expr for each in result.checked if each.severity is not Severity.GOOD]
    missed = (check for check in result.checks if check.answer is not Attainment.MET)
    said = [*words(result.failed_because), *words(result.invalid_because)]
    said += [f"{each.objective.command} {each.objective.metric}: {each.answer}".strip() for each in missed]
    return text("; ".join([*said, *(f"check: {expr}" for expr in breached)]))


def _ms(ns: int) -> int | float:
    return number(round(ns / NS_PER_MS, 3))
