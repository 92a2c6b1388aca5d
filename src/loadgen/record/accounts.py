"""Where requests and connections ended, and what to make of it: what a run and a search have in common. No I/O."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadgen.events import Result, SearchEnded
from loadgen.record.spelling import tallied, text, texts
from loadgen.snapshot import Snapshot, Tally


def counts(tally: Tally) -> dict[str, Any]:
    """Every field of the tally; `errors` goes by the name of `error_replies`, as it is by class in `counts`."""
    counts = asdict(tally)
    return {"planned": counts.pop("planned"), "ok": counts.pop("ok"), "error_replies": counts.pop("errors"), **counts}


def totals(overall: Snapshot) -> dict[str, Any]:
    return {
        "sent": sum(tally.sent for tally in overall.tallies.values()),
        "received": sum(tally.received for tally in overall.tallies.values()),
        "commands": {
            command: {"sent": overall.tallies[command].sent, "received": overall.tallies[command].received}
            for command in overall.commands
        },
    }


def connections(overall: Snapshot) -> dict[str, Any]:
    return {
        "opened": overall.connections.opened,
        "failed": overall.connections.failed,
        "closed": overall.connections.closed,
        "reconnects": overall.connections.reconnects,
        "failures": tallied(overall.failures),
    }


def verdict(event: Result | SearchEnded) -> dict[str, Any]:
    return {
        "valid": event.valid,
        "reasons": texts(event.invalid_because),
        "warnings": texts(event.warnings),
    }


def examples(event: Result | SearchEnded) -> dict[str, str]:
    return {text(kind): text(words) for kind, words in event.examples.items()}
