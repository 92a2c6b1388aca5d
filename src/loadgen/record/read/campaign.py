"""Campaigns of cases from their records. No I/O.

A case that passed has no fingerprint and no replay command. A seed above 2**53 is the nearest double.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadgen.events import Event
from loadgen.reason import Code
from loadgen.record.read.fields import Fields
from loadgen.record.read.reasons import reasons
from loadgen.severity import Severity
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.durability.survival import Survival
from loadgen.verify.ended import NOTHING_JUDGED, CampaignBegan, CampaignEnded, CaseEnded, FailureFound, Machine

_SEVERITIES = {Code.STATE_NOT_REACHED: Severity.FAILED}
"""By code, the severity of a reason that is not COULD_NOT_RUN."""


def event(record: Fields, cases: Sequence[CaseEnded]) -> Event | None:
    """Return the event of a record; None for a record of another kind. `cases` are those of the records before."""
    match record.name:
        case "campaign-began":
            return _began(record)
        case "case":
            return _case(record)
        case "failure":
            return _failure(record, record.wall_s())
        case "campaign":
            return _ended(record, cases)
        case _:
            return None


def _began(record: Fields) -> CampaignBegan:
    options = {str(name): str(value) for name, value in record.get("options", {}).items()}
    return CampaignBegan(
        suite=record.text("suite"),
        kinds=record.texts("tests"),
        seeds=record.count("seeds"),
        version=record.text("version"),
        identity=record.text("server"),
        options=options,
        wall_s=record.wall_s(),
        duration_ns=round(record.number("duration_s") * NS_PER_S),
    )


def _case(record: Fields) -> CaseEnded:
    return CaseEnded(
        kind=record.text("name"),
        seed=record.count("seed"),
        verdict=Verdict(record.text("verdict")),
        took_ns=_ns(record),
        error=record.text("error"),
        trace=record.text("trace_hash"),
        operations=record.count("operations"),
        replay=record.text("replay_command"),
        survival=_survival(record.part("writes")) if record.may("writes") is not None else None,
        shrunk=record.text("shrunk_case"),
        wall_s=record.wall_s(),
    )


def _survival(writes: Fields) -> Survival:
    return Survival(
        acknowledged=writes.count("acknowledged"),
        survived=writes.count("survived"),
        lost=writes.count("lost"),
        revived=writes.count("revived"),
        wrong=writes.count("wrong"),
        lost_ns=round(writes.number("lost_ms") * NS_PER_MS),
        slowest_ns=round(writes.number("slowest_ms") * NS_PER_MS),
        refused=writes.count("refused"),
        unanswered=writes.count("unanswered"),
        dumps=writes.count("dumps"),
        dumps_failed=writes.count("dumps_failed"),
        dumps_cut=writes.count("dumps_cut"),
        not_started=writes.count("not_started"),
    )


def _failure(record: Fields, wall_s: float) -> FailureFound:
    outcome = Outcome(
        Verdict.FAIL,
        invariant=record.text("invariant"),
        message=record.text("message"),
        operations=record.texts("operations"),
        faults=record.texts("faults"),
        trace=record.text("trace_hash"),
        fingerprint=record.text("fingerprint"),
    )
    return FailureFound(
        suite=record.text("suite"),
        kind=record.text("test"),
        seed=record.count("seed"),
        outcome=outcome,
        drawn_operations=record.count("drawn_ops"),
        drawn_faults=record.count("drawn_faults"),
        took_ns=_ns(record),
        replay=record.text("replay_command"),
        reproduced=bool(record.get("reproduced", True)),
        artifact=record.text("artifact"),
        divergence=record.text("divergence"),
        seeds=tuple(map(int, record.get("seeds", ()))),
        wall_s=wall_s,
    )


def _ended(record: Fields, cases: Sequence[CaseEnded]) -> CampaignEnded:
    metadata, summary = record.part("metadata"), record.part("summary")
    names = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.UNTOLD: "untold", Verdict.SKIPPED: "skipped"}
    found = (
        (reason, _SEVERITIES.get(reason.code, Severity.COULD_NOT_RUN))
        for reason in reasons(summary, "reasons")
        if reason.code is not NOTHING_JUDGED.code
    )
    return CampaignEnded(
        suite=metadata.text("suite"),
        version=metadata.text("version"),
        host=metadata.text("host"),
        cases=tuple(cases),
        counts={verdict: summary.count(name) for verdict, name in names.items()},
        failures=tuple(_failure(each, record.wall_s()) for each in record.parts("failures")),
        seeds=summary.count("seeds"),
        took_ns=_ns(summary),
        virtual_ns=round((summary.get("virtual_ratio", 0) or 0) * _ns(summary)),
        sometimes={str(name): int(count) for name, count in summary.get("states", {}).items()},
        identity=metadata.text("server"),
        reasons=tuple(replace(reason, severity=severity) for reason, severity in found),
        notes=reasons(summary, "notes"),
        machines=tuple(_machine(each) for each in summary.parts("machines")),
        interrupted=bool(summary.get("interrupted", False)),
        wall_s=record.wall_s(),
    )


def _machine(record: Fields) -> Machine:
    seeds, per_s = record.count("seeds"), record.number("seeds_per_s")
    return Machine(
        name=record.text("name"),
        host=record.text("host"),
        processes=record.count("processes"),
        seeds=seeds,
        ran_ns=round(seeds / per_s * NS_PER_S) if per_s else 0,
        lost=record.text("lost"),
        leased_again=record.count("leased_again"),
    )


def _ns(record: Fields) -> int:
    return round(record.number("duration_ms") * NS_PER_MS)
