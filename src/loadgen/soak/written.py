"""What a soak has found and how it is judged, as JSON in the run folder and in records, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from loadgen.judge.check import Check, Checked, Level
from loadgen.judge.expression.value import AtLeast, Between, Scalar, Unknown, exact
from loadgen.slo import Attainment
from loadgen.soak import asked
from loadgen.soak.bands import Grade
from loadgen.soak.checkpoints import Base, Checkpoint, Reached
from loadgen.soak.found import End, Found, GapSeen, How, ObjectiveSeen, RestartSeen, Totals
from loadgen.soak.growths import Grown
from loadgen.soak.verdict import Graded, Row, Verdict
from loadgen.units import NS_PER_MIN

_GRADES = {grade.name.lower(): grade for grade in Grade}


# ── What was found ────────────────────────────────────────────────────────────────────────────────────────────────────


def bases(found: Mapping[str, Base]) -> dict[str, list[float]]:
    return {column: [base.value, base.t_s] for column, base in found.items()}


def bases_of(record: Mapping[str, Any]) -> dict[str, Base]:
    return {str(column): Base(float(value), float(t_s)) for column, (value, t_s) in record.items()}


def checkpoint(at: Checkpoint) -> dict[str, Any]:
    reached = {column: [each.value, each.growth, each.per_min] for column, each in at.reached.items()}
    return {"number": at.number, "of": at.of, "t_s": at.t_s, "reached": reached}


def checkpoint_of(record: Mapping[str, Any]) -> Checkpoint:
    reached = {str(column): Reached(*map(_float, values)) for column, values in record["reached"].items()}
    return Checkpoint(int(record["number"]), int(record["of"]), float(record["t_s"]), reached)


def totals(found: Totals) -> dict[str, Any]:
    return {
        "t_s": found.t_s,
        "values": {name: _scalar(value) for name, value in found.values.items()},
        "objectives": [{"name": o.name, "answer": str(o.answer), "found": o.found} for o in found.objectives],
    }


def totals_of(record: Mapping[str, Any]) -> Totals:
    return Totals(
        float(record["t_s"]),
        {str(name): _scalar_of(value) for name, value in record["values"].items()},
        tuple(
            ObjectiveSeen(str(each["name"]), Attainment(each["answer"]), str(each["found"]))
            for each in record["objectives"]
        ),
    )


def gap(seen: GapSeen) -> dict[str, Any]:
    return {"monitor": seen.monitor, "t_s": seen.t_s, "why": seen.why, "ours": seen.ours}


def gap_of(record: Mapping[str, Any]) -> GapSeen:
    return GapSeen(str(record["monitor"]), float(record["t_s"]), str(record["why"]), bool(record.get("ours", False)))


def restart(seen: RestartSeen) -> dict[str, Any]:
    return {"monitor": seen.monitor, "t_s": seen.t_s, "before": seen.before, "after": seen.after}


def restart_of(record: Mapping[str, Any]) -> RestartSeen:
    return RestartSeen(str(record["monitor"]), float(record["t_s"]), str(record["before"]), str(record["after"]))


def end(ended: End) -> dict[str, Any]:
    return {"how": str(ended.how), "t_s": ended.t_s, "why": ended.why}


def end_of(record: Mapping[str, Any]) -> End:
    return End(How(record["how"]), float(record["t_s"]), str(record["why"]))


def found(seen: Found) -> dict[str, Any]:
    return {
        "baseline": bases(seen.bases),
        "checkpoints": [checkpoint(each) for each in seen.checkpoints],
        "checkpoints_s": [*seen.checkpoints_s],
        "gaps": [gap(each) for each in seen.gaps],
        "restarts": [restart(each) for each in seen.restarts],
        "totals": totals(seen.totals),
        "paused_s": seen.paused_s,
        "named": dict(seen.named),
    }


def found_of(record: Mapping[str, Any]) -> Found:
    return Found(
        bases_of(record["baseline"]),
        tuple(map(checkpoint_of, record["checkpoints"])),
        tuple(map(float, record["checkpoints_s"])),
        tuple(map(gap_of, record["gaps"])),
        tuple(map(restart_of, record["restarts"])),
        totals_of(record["totals"]),
        float(record["paused_s"]),
        {str(column): str(who) for column, who in record["named"].items()},
    )


# ── The verdict ───────────────────────────────────────────────────────────────────────────────────────────────────────


def verdict(judged: Verdict) -> dict[str, Any]:
    return {
        "rows": [_row(row) for row in judged.rows],
        "graded": [_graded(each) for each in judged.graded],
        "checks": [_checked(each) for each in judged.checked],
    }


def verdict_of(record: Mapping[str, Any]) -> Verdict:
    return Verdict(
        tuple(
            Row(str(each["name"]), Level(each["level"]), _bool(each["passed"]), str(each["found"]))
            for each in record["rows"]
        ),
        tuple(map(_graded_of, record["graded"])),
        tuple(
            Checked(Check(str(each["expr"]), Level(each["level"])), _bool(each["passed"]), str(each["found"]))
            for each in record["checks"]
        ),
    )


def _row(row: Row) -> dict[str, Any]:
    return {"name": row.name, "level": str(row.level), "passed": row.passed, "found": row.found}


def _checked(each: Checked) -> dict[str, Any]:
    return {
        "expr": each.check.expr,
        "level": str(each.check.level),
        "passed": each.passed,
        "found": each.found,
    }


def _graded(each: Graded) -> dict[str, Any]:
    grown = each.grown
    return {
        "series": each.column,
        "level": str(each.level),
        "passed": each.passed,
        "grade": _grade(each.likely),
        "best": _grade(each.best),
        "worst": _grade(each.worst),
        "baseline": each.base,
        "final": each.final,
        "per_min": per_min(grown.slope),
        "low_per_min": per_min(grown.low),
        "high_per_min": per_min(grown.high),
        "why": grown.why,
        "named": each.named,
        "less_dataset": each.less_dataset,
        "band": asked.of_band(each.band),
    }


def _graded_of(record: Mapping[str, Any]) -> Graded:
    grown = Grown(
        _per_ns(record["low_per_min"]),
        _per_ns(record["high_per_min"]),
        _per_ns(record["per_min"]),
        str(record["why"]),
    )
    return Graded(
        str(record["series"]),
        asked.band_of(record["band"]),
        Level(record["level"]),
        _float(record["baseline"]),
        _float(record["final"]),
        grown,
        _GRADES.get(record["best"]),
        _GRADES.get(record["worst"]),
        _GRADES.get(record["grade"]),
        str(record["named"]),
        bool(record["less_dataset"]),
    )


def _grade(grade: Grade | None) -> str | None:
    return None if grade is None else grade.name.lower()


def per_min(per_ns: float | None) -> float | None:
    return None if per_ns is None else float(f"{per_ns * NS_PER_MIN:.9g}")


def _per_ns(per_min: float | None) -> float | None:
    return None if per_min is None else per_min / NS_PER_MIN


def _scalar(value: Scalar) -> Any:
    match value:
        case AtLeast(least):
            return {"at_least": None if least is None else _number(least)}
        case Between(low, high, why):
            return {"low": _number(low), "high": _number(high), "why": why}
        case Unknown(reason):
            return {"unknown": reason}
    return _number(value)


def _scalar_of(record: Any) -> Scalar:
    match record:
        case {"at_least": least}:
            return AtLeast(None if least is None else exact(least))
        case {"low": low, "high": high, "why": why}:
            return Between(exact(low), exact(high), str(why))
        case {"unknown": str(reason)}:
            return Unknown(reason)
    return exact(record)


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _bool(value: Any) -> bool | None:
    return None if value is None else bool(value)
