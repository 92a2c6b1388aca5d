"""Soaks from their records. No I/O."""

from __future__ import annotations

from dataclasses import replace

from loadgen.events import Event
from loadgen.reason import Code, Reason
from loadgen.record.read.fields import Fields
from loadgen.soak import asked, written
from loadgen.soak.asked import Asked
from loadgen.soak.ended import Noted, SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted


def event(record: Fields, of: Asked | None) -> Event | None:
    """Return the event of a record; None for a record of another kind. `of` is what was asked of the soak under way."""
    match record.name:
        case "soak-began":
            return SoakBegan(
                asked.asked_of(record.get("asked", {})),
                record.text("version"),
                record.text("folder"),
                record.text("target"),
                record.text("load"),
                record.wall_s(),
            )
        case "soak-baseline" if of is not None:
            return SoakBaseline(of, written.bases_of(record.get("baseline", {})), record.text("load"), record.wall_s())
        case "soak-checkpoint" if of is not None:
            schedule = replace(of.schedule, duration_s=record.number("duration_s"))
            return SoakCheckpoint(replace(of, schedule=schedule), written.checkpoint_of(record.values), record.wall_s())
        case "soak-note":
            return SoakNoted(Noted(record.text("kind")), record.number("t_s"), record.text("words"), record.wall_s())
        case "soak":
            return _ended(record)
        case _:
            return None


def _ended(record: Fields) -> SoakEnded:
    metadata, summary = record.part("metadata"), record.part("summary")
    named = summary.part("codes").texts("notes")
    return SoakEnded(
        asked.asked_of(record.get("asked", {})),
        written.found_of(record.get("found", {})),
        written.end_of(summary.get("end", {})),
        written.verdict_of(record.get("judged", {})),
        metadata.text("version"),
        metadata.text("host"),
        metadata.text("target"),
        metadata.text("folder"),
        Fields({"ts": metadata.text("began")}, "began", {}).wall_s(),
        tuple(Reason(Code(code), words) for code, words in zip(named, summary.texts("notes"), strict=True)),
        replayed=bool(metadata.get("replayed", False)),
        wall_s=record.wall_s(),
    )
