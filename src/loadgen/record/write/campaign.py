"""Campaigns of cases as records, and the JSON document of a whole campaign. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.record.write.spelling import codes, number, percent, tallied, text, texts, timestamp, words
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.case import Verdict
from loadgen.verify.compatibility import compatibility
from loadgen.verify.durability.survival import Survival
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound, Machine, survivals


def began(event: CampaignBegan) -> dict[str, Any]:
    return {
        "type": "campaign-began",
        "ts": timestamp(event.wall_s),
        "suite": text(event.suite),
        "tests": texts(event.kinds),
        "seeds": event.seeds or None,
        "duration_s": number(event.duration_ns / NS_PER_S) if event.duration_ns else None,
        "version": event.version,
        "server": text(event.identity) or None,
        "options": {text(name): text(value) for name, value in event.options.items()},
    }


def case(event: CaseEnded) -> dict[str, Any]:
    return {"type": "case", "ts": timestamp(event.wall_s), **_result(event), "replay_command": event.replay or None}


def failure(event: FailureFound) -> dict[str, Any]:
    return {"type": "failure", "ts": timestamp(event.wall_s), **_failure(event)}


def ended(event: CampaignEnded) -> dict[str, Any]:
    return {
        "type": "campaign",
        "ts": timestamp(event.wall_s),
        "metadata": _metadata(event),
        "summary": _summary(event),
        "failures": [_failure(each) for each in event.failures],
    }


def document(event: CampaignEnded) -> dict[str, Any]:
    """Return the document: `metadata`, `summary`, `results`, `failed_seeds` and `failures`."""
    found = {(each.kind, each.outcome.fingerprint): each for each in event.failures}
    failed = (each for each in event.cases if each.verdict is Verdict.FAIL)
    return {
        "metadata": _metadata(event),
        "summary": _summary(event),
        "results": [_result(each) for each in event.cases],
        "failed_seeds": [_failed_seed(each, found.get((each.kind, each.fingerprint))) for each in failed],
        "failures": [_failure(each) for each in event.failures],
    }


def _metadata(event: CampaignEnded) -> dict[str, Any]:
    return {
        "tool": "loadgen",
        "version": event.version,
        "timestamp": timestamp(event.wall_s),
        "suite": text(event.suite),
        "host": text(event.host),
        "server": text(event.identity) or None,
    }


def _summary(event: CampaignEnded) -> dict[str, Any]:
    count = {each: event.counts.get(each, 0) for each in Verdict}
    run = event.total - count[Verdict.SKIPPED]
    return {
        "total": event.total,
        "passed": count[Verdict.PASS],
        "failed": count[Verdict.FAIL],
        "untold": count[Verdict.UNTOLD],
        "skipped": count[Verdict.SKIPPED],
        "duration_ms": _ms(event.took_ns),
        "success_rate": percent(count[Verdict.PASS] / run) if run else None,
        "seeds": event.seeds,
        "seeds_per_s": number(round(event.seeds_per_s, 3)),
        "cases_per_s": number(round(event.cases_per_s, 3)),
        "virtual_ratio": number(round(event.virtual_ratio, 3)) if event.virtual_ns else None,
        "states": tallied(event.sometimes),
        "compatibility": {text(row.group): percent(row.share) for row in compatibility(event.cases)},
        "writes": {text(kind): _writes(each) for kind, each in survivals(event.cases).items()},
        "machines": [_machine(each) for each in event.machines],
        "interrupted": event.interrupted,
        "exit_status": int(event.exit_code),
        "reasons": words(event.doubts),
        "notes": words(event.notes),
        "codes": {"reasons": codes(event.doubts), "notes": codes(event.notes)},
    }


def _machine(of: Machine) -> dict[str, Any]:
    return {
        "name": text(of.name),
        "host": text(of.host),
        "processes": of.processes,
        "seeds": of.seeds,
        "seeds_per_s": number(round(of.seeds_per_s, 3)),
        "lost": text(of.lost) or None,
        "leased_again": of.leased_again,
    }


def _result(event: CaseEnded) -> dict[str, Any]:
    judged = event.verdict in (Verdict.PASS, Verdict.FAIL)
    return {
        "name": text(event.kind),
        "seed": event.seed,
        "passed": event.verdict is Verdict.PASS if judged else None,
        "verdict": str(event.verdict),
        "duration_ms": _ms(event.took_ns),
        "operations": event.operations,
        "error": text(event.error) or None,
        "trace_hash": event.trace or None,
        "writes": _writes(event.survival) if event.survival is not None else None,
        "shrunk_case": text(event.shrunk) or None,
    }


def _writes(survival: Survival) -> dict[str, Any]:
    return {
        "acknowledged": survival.acknowledged,
        "survived": survival.survived,
        "lost": survival.lost,
        "revived": survival.revived,
        "wrong": survival.wrong,
        "lost_ms": _ms(survival.lost_ns),
        "slowest_ms": _ms(survival.slowest_ns),
        "refused": survival.refused,
        "unanswered": survival.unanswered,
        "dumps": survival.dumps,
        "dumps_failed": survival.dumps_failed,
        "dumps_cut": survival.dumps_cut,
        "not_started": survival.not_started,
    }


def _failed_seed(event: CaseEnded, found: FailureFound | None) -> dict[str, Any]:
    """Return a case that failed, with the artifact and the shrunk size of the first that failed alike."""
    return {
        "seed": event.seed,
        "test": text(event.kind),
        "error": text(event.error),
        "replay_command": event.replay,
        "fingerprint": text(event.fingerprint),
        "artifact": (text(found.artifact) or None) if found is not None else None,
        "shrunk_ops": len(found.outcome.operations) if found is not None else None,
    }


def _failure(event: FailureFound) -> dict[str, Any]:
    outcome = event.outcome
    return {
        "suite": text(event.suite),
        "test": text(event.kind),
        "seed": event.seed,
        "seeds": [*event.seeds],
        "invariant": text(outcome.invariant),
        "message": text(outcome.message),
        "fingerprint": text(outcome.fingerprint),
        "operations": texts(outcome.operations),
        "faults": texts(outcome.faults),
        "shrunk_ops": len(outcome.operations),
        "shrunk_faults": len(outcome.faults),
        "drawn_ops": event.drawn_operations,
        "drawn_faults": event.drawn_faults,
        "reproduced": event.reproduced,
        "trace_hash": outcome.trace or None,
        "duration_ms": _ms(event.took_ns),
        "replay_command": event.replay,
        "artifact": text(event.artifact) or None,
        "divergence": text(event.divergence) or None,
    }


def _ms(ns: int) -> int | float:
    return number(round(ns / NS_PER_MS, 3))
