"""Where requests and connections ended, and what to make of it: what a run and a search have in common. No I/O."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadgen.events import Result, SearchEnded
from loadgen.record.write.spelling import tallied, text, texts
from loadgen.snapshot import Snapshot, Tally

# Crucible's names have its meanings throughout: `hits` and `misses` are of GETs, `errors` are all that went wrong.
_NAMES = {"errors": "error_replies", "hits": "done", "misses": "not_done"}


def counts(tally: Tally) -> dict[str, int]:
    """Every field of the tally."""
    return {_NAMES.get(name, name): count for name, count in asdict(tally).items()}


def all_counts(measured: Snapshot) -> dict[str, Any]:
    """Those of the whole mix, with the error replies by class."""
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


def connections(overall: Snapshot) -> dict[str, Any]:
    return {
        "opened": overall.connections.opened,
        "failed": overall.connections.failed,
        "closed": overall.connections.closed,
        "reconnects": overall.connections.reconnects,
        "failures": tallied(overall.failures),
    }


def verdict(event: Result | SearchEnded) -> dict[str, Any]:
    no_answer = [event.no_answer] if isinstance(event, SearchEnded) and event.no_answer else []
    return {
        "valid": event.valid,
        "failed_because": texts(event.failed_because),
        "reasons": texts([*event.invalid_because, *no_answer]),
        "warnings": texts(event.warnings),
    }


def examples(event: Result | SearchEnded) -> dict[str, str]:
    return {text(kind): text(words) for kind, words in event.examples.items()}
