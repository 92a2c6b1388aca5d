"""The events of a saturation search, from its records: `step` and `saturation`. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.events import SearchEnded, StepTaken
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.reason import Reason
from loadgen.record.read.accounts import commands, connections, errors, examples, history, others
from loadgen.record.read.fields import Fields
from loadgen.record.read.monitors import monitors
from loadgen.record.read.reasons import reasons
from loadgen.severity import Severity
from loadgen.snapshot import Snapshot
from loadgen.stats.search import Outcome, Purpose, SearchAnswer, Step
from loadgen.stats.trial import NO_LIMIT_NS, Exceedance, Judgement, Limit, RateVerdict


def quantile_limits(records: Sequence[Fields]) -> tuple[Limit, ...]:
    return tuple(map(_limit, records))


def _limit(record: Fields) -> Limit:
    command, limit_ns = record.text("command"), record.may("limit_ns")
    return Limit(
        record.number("quantile"),
        NO_LIMIT_NS if limit_ns is None else int(limit_ns),
        "" if command == "all" else command,
    )


def step(record: Fields) -> StepTaken:
    limits = record.parts("limits")
    exceedances = tuple(
        Exceedance(_limit(each), *(each.number(f"exceed_{end}") for end in ("ratio", "low", "high"))) for each in limits
    )
    taken = Step(
        purpose=Purpose(record.text("purpose")),
        rate_per_s=record.number("rate_per_s"),
        length_s=record.number("length_secs"),
        offered_per_s=record.number("offered_per_s"),
        achieved_per_s=record.number("achieved_per_s"),
        judgement=Judgement(RateVerdict(record.text("verdict")), exceedances, record.text("why")),
        x_ns=tuple(each.count("x_ns") for each in limits),
        passed=bool(record.get("passed", False)),
    )
    return StepTaken(record.count("number"), taken, record.wall_s())


def ended(record: Fields, plan: Plan, steps: Sequence[Step]) -> SearchEnded:
    """Return the end of a search of this plan, with its steps."""
    measured = Snapshot(tallies=commands(record), errors=errors(record), **connections(record))
    return SearchEnded(
        plan=plan,
        limits=quantile_limits(record.parts("limits")),
        answer=_answer(record, steps) if record.may("outcome") else None,
        phases={"others": others(record, measured), Phase.MEASURE: measured},
        embedded=bool(record.get("embedded", False)),
        interrupted=bool(record.get("interrupted", False)),
        reasons=(*_failure(record), *reasons(record.part("verdict"), "failed_because", Severity.FAILED)),
        notes=reasons(record.part("verdict"), "warnings"),
        examples=examples(record),
        history=history(record),
        monitors=monitors(record),
        wall_s=record.wall_s(),
    )


def _failure(record: Fields) -> tuple[Reason, ...]:
    """Return the reason why the search did not run to its end: the verdict's reason with the words of `failure`."""
    said = reasons(record.part("verdict"), "reasons", Severity.COULD_NOT_RUN)
    return tuple(why for why in said if why.words == record.text("failure"))[:1]


def _answer(record: Fields, steps: Sequence[Step]) -> SearchAnswer:
    highest = record.may("hi_per_s")
    return SearchAnswer(
        outcome=Outcome(record.text("outcome")),
        lo_per_s=record.number("lo_per_s"),
        hi_per_s=None if highest is None else float(highest),
        confirmed=bool(record.get("confirmed", False)),
        reason=record.text("reason"),
        steps=tuple(steps),
        capacity_per_s=float(record.may("capacity_per_s", 0)),
        spent_s=record.number("spent_secs"),
    )
