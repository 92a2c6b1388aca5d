"""The objects that records of runs and searches share: counts, totals, connections, verdict, examples. No I/O."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadgen.events import HistoryKept, LoadEnded, SearchEnded
from loadgen.record.schema.accounts import CONNECTION_COUNTS, OF_KEYS, TALLY_NAMES
from loadgen.record.write.latency import in_ns
from loadgen.record.write.spelling import codes, tallied, text, words
from loadgen.snapshot import Snapshot, Tally


def counts(tally: Tally) -> dict[str, int]:
    """Return every field of the tally."""
    return {
        TALLY_NAMES.get(name, name): count for name, count in asdict(tally).items() if tally.keys or name not in OF_KEYS
    }


def all_counts(measured: Snapshot) -> dict[str, Any]:
    """Return the counts of all commands, with the error replies by class."""
    return {**counts(measured.total), "error_classes": tallied(measured.errors)}


def totals(overall: Snapshot) -> dict[str, Any]:
    return {
        "sent": sum(tally.sent for tally in overall.tallies.values()),
        "received": sum(tally.received for tally in overall.tallies.values()),
        "commands": {
            command: {"sent": overall.tallies[command].sent, "received": overall.tallies[command].received}
            for command in overall.commands
        },
    }


def connections(overall: Snapshot, idle: int = 0) -> dict[str, Any]:
    events = {name: getattr(overall.connections, name) for name in CONNECTION_COUNTS}
    return {
        **events,
        "idle": idle,
        "failures": tallied(overall.failures),
        "connect": in_ns(overall.connect),
        **({"handshake": in_ns(overall.handshake)} if overall.handshake.count else {}),
    }


def turnover(interval: Snapshot) -> dict[str, Any]:
    """Return the field `connections` of an interval; none when no connection came or went."""
    events = {name: getattr(interval.connections, name) for name in CONNECTION_COUNTS}
    return {"connections": {"active": interval.connections.active, **events}} if any(events.values()) else {}


def pushes(overall: Snapshot) -> dict[str, Any]:
    """Return the field `pushes`; none when nothing was pushed."""
    counts = {kind: n for kind, n in overall.pushes.items() if n}
    return {"pushes": counts} if counts else {}


def history(kept: HistoryKept | None) -> dict[str, Any]:
    """Return the field `history`; none without a history."""
    if kept is None:
        return {}
    told = {"file": text(kept.file.path), "keys": kept.file.keys, "whole": kept.whole, **asdict(kept.counts)}
    return {"history": told}


def verdict(event: LoadEnded) -> dict[str, Any]:
    no_answer = event.no_answer if isinstance(event, SearchEnded) else ()
    said = {
        "failed_because": event.failed_because,
        "reasons": (*event.invalid_because, *no_answer),
        "warnings": event.notes,
    }
    return {
        "valid": event.valid,
        **{name: words(reasons) for name, reasons in said.items()},
        "codes": {name: codes(reasons) for name, reasons in said.items()},
    }


def examples(event: LoadEnded) -> dict[str, str]:
    return {text(kind): text(words) for kind, words in event.examples.items()}
