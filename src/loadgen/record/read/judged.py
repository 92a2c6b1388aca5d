"""The ends of smoke tests and the events of comparisons, from their records. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.compare.answers import Compared, NoiseFound, Row
from loadgen.compare.candidate import Candidate
from loadgen.compare.round import Round, RoundEnded
from loadgen.compare.settings import ComparisonSettings, Idle
from loadgen.compare.shape import Shape
from loadgen.events import Result
from loadgen.plan import Plan
from loadgen.record.read import run
from loadgen.record.read.fields import Fields
from loadgen.record.read.reasons import reason, reasons
from loadgen.severity import Severity
from loadgen.smoke.check import Check
from loadgen.smoke.ended import SmokeEnded
from loadgen.stats.sequential import Shift

Values = dict[str, float]


def smoke(record: Fields, plan: Plan, result: Result | None) -> SmokeEnded:
    """Return the end of a smoke test. `result` is the result of its load, used when the record does not hold one."""
    if record.get("result", None) is not None:
        result = run.result(record.part("result"), plan)
    return SmokeEnded(
        server=record.text(record.named("name", "server")),
        identity=record.text("identity"),
        checks=tuple(
            Check(each.text("name"), each.get("passed", None), each.text("found"), str(each.may("limit", "")))
            for each in record.parts("checks")
        ),
        result=result,
        log_tail=record.texts("last_words"),
        interrupted=bool(record.get("interrupted", False)),
        wall_s=record.wall_s(),
    )


def round_ended(record: Fields, gate: bool) -> RoundEnded:
    about = record.parts("about")
    candidates = tuple(map(_candidate, about)) or tuple(
        Candidate(name, "server") for name in record.texts("candidates")
    )
    late = tuple(tuple(map(str, names)) for names in record.may("late", ()))
    taken = Round(
        number=record.count("number"),
        order=tuple(map(int, record.get("order", ()))),
        values=tuple(map(_values, record.get("values", ()))),
        doubts=reasons(record, "doubts", Severity.INVALID),
        late=late if any(late) else (),
        repeated=int(record.may("repeated", 0)),
        took_s=float(record.may("took_secs", 0.0)),
    )
    return RoundEnded(taken, candidates, record.count("max_rounds"), gate, record.wall_s())


def compared(record: Fields) -> Compared:
    metrics = record.part("metrics")
    rows = {name: metrics.part(name) for name in metrics.values}
    rounds = record.get("rounds", [])
    sides = zip(("a", "b"), record.get("round_counts", [len(rounds)] * 2), strict=True)
    # A side with fewer rounds than the other is padded with empty rounds in the record.
    a, b = (tuple(_values(both[side]) for both in rounds[:count]) for side, count in sides)
    return Compared(
        a=_candidate(record.part("a")),
        b=_candidate(record.part("b")),
        rows=tuple(_row(name, row) for name, row in rows.items()),
        settings=ComparisonSettings(
            thresholds={name: row.number("threshold") for name, row in rows.items()},
            one_sided=bool(record.get("gate", False)),
            slice_ns=record.ns("slice_secs"),
            settle_ns=record.ns("settle_secs"),
            slices=record.count("slices"),
            max_rounds=record.count("max_rounds"),
            idle=Idle(record.may("idle", "stop")),
        ),
        confidence=record.number("confidence"),
        paired=bool(record.get("paired", True)),
        seed=record.count("seed"),
        rate_per_s=record.number("rate_per_s"),
        values=(a, b),
        host=record.text("host"),
        version=record.text("version"),
        reasons=(
            *reason(record, "failure", Severity.COULD_NOT_RUN),
            *reason(record, "refused", Severity.UNKNOWN),
        ),
        notes=reasons(record, "notes"),
        interrupted=bool(record.get("interrupted", False)),
        took_s=float(record.may("took_secs", 0.0)),
        wall_s=record.wall_s(),
    )


def noise(record: Fields) -> NoiseFound:
    return NoiseFound(
        candidate=_candidate(record.part("candidate")),
        host=record.text("host"),
        rounds=record.count("rounds"),
        noise=_values(record.get("noise", {})),
        false_alarms=_values(record.get("false_alarms", {})),
        interrupted=bool(record.get("interrupted", False)),
        reasons=reason(record, "failure", Severity.COULD_NOT_RUN),
        took_s=float(record.may("took_secs", 0.0)),
        wall_s=record.wall_s(),
    )


def _candidate(record: Fields) -> Candidate:
    return Candidate(
        name=record.text("name"),
        kind=record.text("kind"),
        identity=record.text("identity"),
        host=str(record.may("host", "")),
        taken=record.text("taken"),
        shape=Shape.read(record.may("load", {})),
    )


def _row(name: str, record: Fields) -> Row:
    more = record.may("more_rounds")
    optional: dict[str, Any] = {
        field: record.may(field) for field in ("effect", "ci_low", "ci_high", "p", "a", "b", "noise", "level")
    }
    return Row(
        metric=name,
        answer=Shift(record.text("answer")),
        rounds=record.count("rounds"),
        threshold=record.number("threshold"),
        more_rounds=None if more is None else int(more),
        why=str(record.may("why", "")),
        took_s=float(record.may("took_secs", 0.0)),
        **optional,
    )


def _values(values: dict[str, float | None]) -> Values:
    return {str(name): float(value) for name, value in values.items() if value is not None}
