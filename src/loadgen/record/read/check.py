"""The record of a history that was checked, read back. No I/O."""

from __future__ import annotations

from loadgen.record.read.fields import Fields
from loadgen.units import NS_PER_MS
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Answer, Shown, Unjudged, Violation


def checked(record: Fields) -> HistoryChecked:
    """Return the event of a record."""
    metadata, summary = record.part("metadata"), record.part("summary")
    return HistoryChecked(
        path=metadata.text("history"),
        answer=Answer(
            model=summary.text("model"),
            operations=summary.count("operations"),
            keys=summary.count("keys"),
            counts={str(name): int(count) for name, count in summary.get("counts", {}).items()},
            violations=tuple(map(_violation, record.parts("results"))),
            found=summary.count("violations"),
            unjudged=tuple(Unjudged(each.text("key"), each.text("why")) for each in summary.parts("unjudged")),
            unjudged_count=summary.count("unjudged_keys"),
            nothing=summary.text("nothing"),
            kinds={str(name): int(count) for name, count in summary.get("kinds", {}).items()},
        ),
        version=metadata.text("version"),
        took_ns=round(summary.number("duration_ms") * NS_PER_MS),
        metadata={name: metadata.text(name) for name in ("origin", "clock", "sampling")},
        torn_bytes=summary.count("torn_bytes"),
        torn_blocks=summary.count("torn_blocks"),
        unclosed_workers=summary.count("unclosed_workers"),
        missing_writes=summary.count("missing_writes"),
        wall_s=record.wall_s(),
    )


def _violation(fields: Fields) -> Violation:
    start = fields.count("began_ns")
    return Violation(
        fields.text("kind"),
        fields.text("key"),
        fields.text("why"),
        tuple(
            Shown(
                each.text("process"),
                each.text("operation"),
                start + each.count("call_ns"),
                None if (end := each.get("return_ns", None)) is None else start + int(end),
                accused=bool(each.get("accused", False)),
            )
            for each in fields.parts("window")
        ),
    )
