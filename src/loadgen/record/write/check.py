"""A history that was checked as a record, and as a JSON document. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.record.write.spelling import codes, number, tallied, text, timestamp, words
from loadgen.units import NS_PER_MS
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Violation


def checked(event: HistoryChecked) -> dict[str, Any]:
    return {"type": "check", "ts": timestamp(event.wall_s), **document(event)}


def document(event: HistoryChecked) -> dict[str, Any]:
    """Return the document: `metadata`, `summary` and `results`, the violations that are shown."""
    return {
        "metadata": {
            "tool": "loadgen",
            "version": event.version,
            "timestamp": timestamp(event.wall_s),
            "history": text(event.path),
            **{name: text(event.metadata.get(name, "")) for name in ("origin", "clock", "sampling")},
        },
        "summary": _summary(event),
        "results": [_violation(each) for each in event.answer.violations],
    }


def _summary(event: HistoryChecked) -> dict[str, Any]:
    answer = event.answer
    return {
        "model": answer.model,
        "operations": answer.operations,
        "keys": answer.keys,
        "counts": tallied(answer.counts),
        "violations": answer.found,
        "kinds": tallied(answer.kinds),
        "unjudged": [{"key": text(each.key), "why": text(each.why)} for each in answer.unjudged],
        "unjudged_keys": answer.unjudged_count,
        "nothing": text(answer.nothing) or None,
        "torn_bytes": event.torn_bytes,
        "torn_blocks": event.torn_blocks,
        "unclosed_workers": event.unclosed_workers,
        "missing_writes": event.missing_writes,
        "duration_ms": number(round(event.took_ns / NS_PER_MS, 3)),
        "exit_status": int(event.exit_code),
        "reasons": words(event.doubts),
        "codes": {"reasons": codes(event.doubts)},
    }


def _violation(violation: Violation) -> dict[str, Any]:
    start = min((each.call_ns for each in violation.window), default=0)
    return {
        "kind": violation.kind,
        "key": text(violation.key),
        "why": text(violation.why),
        "began_ns": number(start),
        "window": [
            {
                "process": text(each.process),
                "operation": text(each.words),
                "call_ns": each.call_ns - start,
                "return_ns": None if each.return_ns is None else each.return_ns - start,
                "accused": each.accused,
            }
            for each in violation.window
        ],
    }
