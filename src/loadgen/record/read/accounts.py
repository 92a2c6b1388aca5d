"""The objects that records of runs and searches share, read back: counts, connections, answers, examples. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from loadgen.events import HistoryKept
from loadgen.judge.check import Check, Checked, Level
from loadgen.plan import KeptHistory
from loadgen.record.read.fields import Fields
from loadgen.record.read.latency import shown
from loadgen.record.schema.accounts import CONNECTION_COUNTS, OF_KEYS, TALLY_NAMES
from loadgen.slo import Attainment, Evaluation, Objective
from loadgen.snapshot import ConnectionCounts, HistoryCounts, Snapshot, Tally


def tally(record: Fields) -> Tally:
    names = {field.name: record.named(TALLY_NAMES.get(field.name, field.name), field.name) for field in fields(Tally)}
    return Tally(
        **{field: int(record.may(name, 0)) if field in OF_KEYS else record.count(name) for field, name in names.items()}
    )


def commands(record: Fields) -> dict[str, Tally]:
    """Return the tally of each command."""
    found = record.part("commands")
    return {str(command): tally(found.part(command)) for command in found.values}


def errors(record: Fields) -> dict[str, int]:
    """Return the error replies by class."""
    counts = record.part("counts")
    classes = counts.part(counts.named("error_classes", "errors"))
    return {str(kind): int(count) for kind, count in classes.values.items()}


def connections(record: Fields, active: int = 0) -> dict[str, Any]:
    """Return what a Snapshot of all phases has of connections: counts, failures by reason, times and pushes."""
    found = record.part("connections")
    counts = {name: int(found.may(name, 0)) for name in (*CONNECTION_COUNTS, "idle")}
    return {
        "connections": ConnectionCounts(**counts, active=active),
        "failures": {str(reason): int(count) for reason, count in found.part("failures").values.items()},
        **{name: shown(found.part(name)) for name in ("connect", "handshake") if name in found},
        "pushes": pushes(record),
    }


def turnover(record: Fields) -> dict[str, Any]:
    """Return what a Snapshot of an interval has of connections, and what was pushed."""
    found = record.part("connections").values if "connections" in record else {}
    counts = {name: int(found.get(name, 0)) for name in ("active", *CONNECTION_COUNTS)}
    return {"connections": ConnectionCounts(**counts), "pushes": pushes(record)}


def pushes(record: Fields) -> dict[str, int]:
    return {str(kind): int(n) for kind, n in record.part("pushes").values.items()} if "pushes" in record else {}


def others(record: Fields, measured: Snapshot) -> Snapshot:
    """Return a snapshot of all phases but the measured one, as far as `totals` and `unaccounted` describe them."""
    totals = record.part("totals")
    sent = max(0, totals.count("sent") - sum(tally.sent for tally in measured.tallies.values()))
    received = max(0, totals.count("received") - sum(tally.received for tally in measured.tallies.values()))
    own = sum(abs(tally.balance) for tally in measured.tallies.values())
    astray = max(0, int(record.may("unaccounted", own)) - own)
    ok = min(sent, received)
    return Snapshot(
        tallies={
            "other": Tally(planned=sent + astray, ok=ok, late=received - ok, timeouts=sent - ok, unsent=astray),
        }
    )


def checks(record: Fields, objective: Callable[[Fields], Objective]) -> tuple[Evaluation, ...]:
    """Return the evaluations of the objectives; none when the run had no [slo]."""
    return tuple(
        Evaluation(
            objective(each),
            each.may("measured"),
            Attainment(each.text("answer")),
            bool(each.get("lower_bound", False)),
            bool(each.get("few_samples", False)),
            float(each.get("failed_share", 0.0)),
        )
        for each in (record.parts("slo") if "slo" in record else [])
    )


def check(record: Fields) -> Check:
    return Check(record.text("expr"), Level(record.text("level")))


def checked(record: Fields) -> Checked:
    """Return a check with its answer."""
    passed = {"pass": True, "fail": False}.get(record.text("answer"))
    return Checked(check(record), passed, record.text("found"))


def examples(record: Fields) -> dict[str, str]:
    """Return the first error of each kind, in the words of the server or the kernel."""
    return {str(kind): str(words) for kind, words in record.part("error_examples").values.items()}


def history(record: Fields) -> HistoryKept | None:
    """Return the history that was kept; None without one. The number that values were marked with is not recorded."""
    if not record.may("history"):
        return None
    kept = record.part("history")
    counts = HistoryCounts(**{each.name: kept.count(each.name) for each in fields(HistoryCounts)})
    return HistoryKept(KeptHistory(kept.text("file"), kept.number("keys"), 0), counts, bool(kept.get("whole", True)))
