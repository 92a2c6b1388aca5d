"""Soaks as records, and the JSON document of a whole one. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.record.write.spelling import codes, text, timestamp, words
from loadgen.soak import asked, written
from loadgen.soak.ended import SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted


def began(event: SoakBegan) -> dict[str, Any]:
    return {
        "type": "soak-began",
        "ts": timestamp(event.wall_s),
        "version": event.version,
        "target": text(event.target),
        "load": text(event.load),
        "folder": text(event.folder),
        "expected_end": timestamp(event.expected_end_s),
        "asked": asked.record(event.asked),
    }


def baseline(event: SoakBaseline) -> dict[str, Any]:
    return {
        "type": "soak-baseline",
        "ts": timestamp(event.wall_s),
        "load": text(event.load),
        "baseline": written.bases(event.bases),
    }


def checkpoint(event: SoakCheckpoint) -> dict[str, Any]:
    return {
        "type": "soak-checkpoint",
        "ts": timestamp(event.wall_s),
        "duration_s": event.asked.schedule.duration_s,
        "expected_end": timestamp(event.expected_end_s),
        **written.checkpoint(event.checkpoint),
    }


def note(event: SoakNoted) -> dict[str, Any]:
    return {
        "type": "soak-note",
        "ts": timestamp(event.wall_s),
        "kind": str(event.kind),
        "t_s": event.t_s,
        "words": text(event.words),
    }


def ended(event: SoakEnded) -> dict[str, Any]:
    return {"type": "soak", "ts": timestamp(event.wall_s), **document(event)}


def document(event: SoakEnded) -> dict[str, Any]:
    """Return the document, which is the record of the end without its type."""
    return {
        "metadata": {
            "tool": "loadgen soak",
            "version": event.version,
            "host": text(event.host),
            "target": text(event.target),
            "folder": text(event.folder),
            "began": timestamp(event.began_wall_s),
            "ended": timestamp(event.wall_s),
            "replayed": event.replayed,
        },
        "summary": {
            "verdict": str(event.verdict.answer),
            "exit_status": int(event.exit_code),
            "end": written.end(event.end),
            "notes": words(event.notes),
            "codes": {"notes": codes(event.notes)},
        },
        "asked": asked.record(event.asked),
        "found": written.found(event.found),
        "judged": written.verdict(event.verdict),
    }
