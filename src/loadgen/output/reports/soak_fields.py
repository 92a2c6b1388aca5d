"""The fields of a soak's report: plain values, all of them words or numbers that a template shows as they are. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from loadgen.judge.check import Level
from loadgen.judge.expression.dimension import Dimension
from loadgen.output.words import figures, soak
from loadgen.severity import Severity
from loadgen.soak.asked import Asked, monitor_of, series_of
from loadgen.soak.bands import Grade
from loadgen.soak.checkpoints import Base, Reached
from loadgen.soak.ended import SoakEnded
from loadgen.soak.found import How
from loadgen.soak.verdict import Graded

GOOD, BAD, UNSURE = "✅", "❌", "❓"

_METRICS = {
    "fds": "FDs",
    "goroutines": "Goroutines",
    "tasks": "Tasks",
    "threads": "Threads",
    "rss": "RSS",
    "pss": "PSS",
    "uss": "USS",
    "requests": "Requests",
}
"""What upstream's reports call a series; others have their own names."""

_FIRST = ("goroutines", "tasks", "fds", "threads")
"""The series that a table begins with."""

_IDLE = ("idle", "idle_connections", "http_idle_connections")
_ACTIVE = ("active", "active_connections", "in_use", "http_active_connections")
_OPEN = ("connected_clients", "curr_connections")
_REQUESTS = ("requests", "http_requests", "total_commands_processed", "cmd_get")


def fields(
    ended: SoakEnded,
    run: Mapping[str, Any],
    notes: Sequence[Mapping[str, Any]],
    means: Mapping[str, float],
    plots: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the fields. `run` is `run.json`, `notes` are the events of the folder that have words, `means` the mean of
    each series over the soak, and `plots` has `series`, `file` and `title` of each picture."""
    asked, found = ended.asked, ended.found
    began_s, ended_s = ended.began_wall_s, ended.wall_s
    schedule = asked.schedule
    return {
        "verdict": soak.verdict(ended),
        "mark": _mark(_passed(ended.severity)),
        "passed": ended.severity is Severity.GOOD,
        "explanation": _explanation(ended),
        "reasons": soak.why(ended),
        "date": _day(began_s),
        "started": _moment(began_s),
        "ended": _moment(ended_s),
        "duration": in_words(ended.end.t_s),
        "planned_duration": in_words(schedule.duration_s),
        "settling": in_words(schedule.settle_s),
        "interval": in_words(schedule.checkpoint_s),
        "paused": in_words(found.paused_s),
        "target": ended.target or "-",
        "load": str(run.get("load", "")) or "-",
        "command": " ".join(map(str, run.get("argv", ()))) or "-",
        "version": ended.version,
        "host": ended.host or "-",
        "folder": ended.folder,
        "baseline": _baseline(ended),
        "rows": _rows(ended),
        "reuse": _reuse(ended, means),
        "stability": _stability(ended),
        "must": [*_checklist(ended, Level.MUST)],
        "nice": [*_checklist(ended, Level.NICE)],
        "checkpoints": [
            {"number": at.number, "time": soak.minutes(at.t_s), "line": soak.checkpoint(asked, at)}
            for at in found.checkpoints
        ],
        "leaks": [{"series": _metric(asked, column), "who": who} for column, who in found.named.items()],
        "series": [*_series(ended, means)],
        "notes": [
            {"time": _moment(float(note["wall_s"])), "kind": str(note["type"]), "words": str(note["words"])}
            for note in notes
        ],
        "remarks": soak.notes(ended),
        "plots": [dict(plot) for plot in plots],
    }


# ── Numbers, and their words ──────────────────────────────────────────────────────────────────────────────────────────


def in_words(time_s: float) -> str:
    """Return a length of time: "30 minutes", "1 hour 30 minutes", "12.5 seconds"."""
    whole = round(time_s)
    if abs(time_s - whole) > 0.05 or whole < 60:
        return f"{round(time_s, 1):g} second{'s' * (round(time_s, 1) != 1)}"
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    parts = ((hours, "hour"), (minutes, "minute"), (seconds, "second"))
    return " ".join(figures.plural(count, word) for count, word in parts if count)


def _day(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).astimezone().strftime("%Y-%m-%d")


def _moment(wall_s: float) -> str:
    return soak.moment(wall_s)


def _mark(passed: bool | None) -> str:
    return UNSURE if passed is None else GOOD if passed else BAD


def _passed(severity: Severity) -> bool | None:
    if severity is Severity.GOOD:
        return True
    return False if severity in (Severity.BREACHED, Severity.FAILED, Severity.COULD_NOT_RUN) else None


def _signed(number: float, dimension: Dimension) -> str:
    return f"{'-' if number < 0 else '+'}{soak.value(abs(number), dimension)}"


def _metric(asked: Asked, column: str) -> str:
    """Return "FDs", or "FDs of proxy" where several monitors have it."""
    series = series_of(column)
    name = _METRICS.get(series, series)
    others = [each for each in asked.named(series) if not asked.is_own(each)]
    return f"{name} of {monitor_of(column)}" if len(others) > 1 or asked.is_own(column) else name


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, Fraction) else None


# ── Parts of the report ───────────────────────────────────────────────────────────────────────────────────────────────


def _explanation(ended: SoakEnded) -> str:
    """Return why the verdict is what it is, in sentences."""
    why = soak.why(ended)
    said = (
        " ".join(f"{words[:1].upper()}{words[1:].rstrip('.')}." for words in why)
        if why
        else "Nothing was found that speaks against it."
    )
    return f"{soak.summary(ended)}. {said}"


def _baseline(ended: SoakEnded) -> str:
    """Return "GOR=95, FD=22" of the series that a checkpoint's line has, without the load's."""
    asked, bases = ended.asked, ended.found.bases
    columns = [column for column in soak.shown(asked) if column in bases and not asked.of_load(column)]
    words = (
        f"{soak.label(asked, column)}={soak.value(bases[column].value, asked.series[column].dimension)}"
        for column in columns
    )
    return ", ".join(words) or "no series had a value"


def _rows(ended: SoakEnded) -> list[dict[str, Any]]:
    """Return the table of growth: a row for each series with a band, and one for the requests."""
    order = [*_FIRST]
    graded = sorted(
        ended.verdict.graded,
        key=lambda each: (
            ended.asked.is_own(each.column),
            order.index(name) if (name := series_of(each.column)) in order else len(order),
        ),
    )
    rows = [_row(ended.asked, each) for each in graded]
    count = _requests(ended)
    if count is not None:
        rises = next((row.passed for row in ended.verdict.rows if row.name == "requests rise"), True)
        words = f"{count:,}"
        rows.append(
            {
                "metric": "Requests",
                "series": "requests",
                "baseline": "0",
                "final": words,
                "growth": f"+{words}",
                "rate": figures.NOTHING,
                **dict.fromkeys(("may_be", "bonus", "target", "warn", "red"), figures.NOTHING),
                "status": _mark(rises),
                "grade": figures.NOTHING,
                "named": "",
            }
        )
    return rows


def _row(asked: Asked, each: Graded) -> dict[str, Any]:
    dimension = asked.series[each.column].dimension
    known = each.base is not None and each.final is not None
    bonus, target, warn, red = each.band.texts
    return {
        "metric": _metric(asked, each.column),
        "series": each.column,
        "baseline": figures.NOTHING if each.base is None else soak.value(each.base, dimension),
        "final": figures.NOTHING if each.final is None else soak.value(each.final, dimension),
        "growth": _signed((each.final or 0) - (each.base or 0), dimension) if known else figures.NOTHING,
        "rate": soak.rate(each, each.grown.slope),
        "may_be": soak.span(each),
        "bonus": f"<{bonus}",
        "target": f"<{target}",
        "warn": f">{warn}",
        "red": f">{red}",
        "status": _mark(_within(each, Grade.TARGET)),
        "grade": soak.grade(each),
        "named": each.named,
    }


def _within(each: Graded, grade: Grade) -> bool | None:
    """Return True when the growth is of this grade or a better one for certain, False when it is not for certain."""
    if each.best is None or each.worst is None:
        return None
    return True if each.worst <= grade else False if each.best > grade else None


def _requests(ended: SoakEnded) -> int | None:
    """Return how many requests there were: of the load, else what a monitor's counter rose by."""
    counted = _whole(ended.found.totals.values.get("requests"))
    if counted is not None:
        return counted
    last = ended.found.checkpoints[-1].reached if ended.found.checkpoints else {}
    for series in _REQUESTS:
        for column in ended.asked.named(series):
            growth = last[column].growth if column in last else None
            if growth is not None:
                return int(growth)
    return None


def _reuse(ended: SoakEnded, means: Mapping[str, float]) -> dict[str, str]:
    """Return the connections: idle and active on average, the requests, and the share that needed no new connection.

    Where nobody counts connections that are in use, those of the load are estimated by Little's law: requests in flight
    are their rate times their response time.
    """
    asked, values = ended.asked, ended.found.totals.values
    idle, active = _mean(asked, means, _IDLE), _mean(asked, means, _ACTIVE)
    in_all, how = _mean(asked, means, _OPEN), ""
    rate, median = values.get("throughput"), values.get("p50")
    if active is None and isinstance(rate, Fraction) and isinstance(median, Fraction):
        active, how = float(rate * median), "estimated: throughput × median response time"
    if idle is None and active is not None and in_all is not None:
        idle = max(0.0, in_all - active)
        how = how or "open connections less those in use"
    row = next((row.found for row in ended.verdict.rows if row.name == "connections reused"), "")
    count = _requests(ended)
    return {
        "idle": _rounded(idle),
        "active": _rounded(active),
        "requests": figures.NOTHING if count is None else f"{count:,}",
        "rate": row or "not known: no requests were counted",
        "how": how,
    }


def _mean(asked: Asked, means: Mapping[str, float], names: Sequence[str]) -> float | None:
    columns = (column for name in names for column in asked.named(name))
    return next((means[column] for column in columns if column in means), None)


def _rounded(value: float | None) -> str:
    return figures.NOTHING if value is None else f"{value:.3g}"


def _stability(ended: SoakEnded) -> dict[str, Any]:
    """Return restarts, crashes, errors, gaps and the time that was reached, each with its mark."""
    found, full = ended.found, ended.end.how is How.COMPLETE
    errors, crashes = _whole(found.totals.values.get("errors")), int(ended.end.how is How.CRASHED)
    counted = {"restarts": len(found.restarts), "crashes": crashes, "gaps": len(found.gaps)}
    return {
        **counted,
        **{f"{name}_mark": _mark(not count) for name, count in counted.items()},
        "errors": figures.NOTHING if errors is None else f"{errors:,}",
        "errors_mark": _mark(None if errors is None else not errors),
        "uptime": in_words(ended.end.t_s),
        "uptime_mark": _mark(full),
        "how": soak.complete(ended),
    }


def _checklist(ended: SoakEnded, level: Level) -> Iterator[dict[str, Any]]:
    """Yield what is to be ticked, with `text`, `passed`, `mark` and what was `found`."""
    judged = ended.verdict
    for row in judged.rows:
        if row.level is level:
            yield _item(row.name, row.passed, row.found)
    for each in judged.graded:
        metric = _metric(ended.asked, each.column)
        bonus, target, _, red = each.band.texts
        found = f"{soak.rate(each, each.grown.slope)}, {soak.grade(each)}" if each.best is not None else each.grown.why
        if each.level is level:
            who = f"; {each.named}" if each.named else ""
            yield _item(f"{metric} growth not above {red}", each.passed, found + who)
        if level is Level.NICE:
            yield _item(f"{metric} growth <{target} (target)", _within(each, Grade.TARGET), found)
            yield _item(f"{metric} growth <{bonus} ({each.band.best})", _within(each, Grade.BONUS), found)
    for checked in judged.checked:
        if checked.check.level is level:
            yield _item(checked.check.expr, checked.passed, checked.found)


def _item(text: str, passed: bool | None, found: str) -> dict[str, Any]:
    return {"text": text, "passed": passed is True, "mark": _mark(passed), "found": found}


def _series(ended: SoakEnded, means: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """Yield every series with its baseline, its newest value, its growth and its mean."""
    last: Mapping[str, Reached] = ended.found.checkpoints[-1].reached if ended.found.checkpoints else {}
    bases: Mapping[str, Base] = ended.found.bases
    counted = frozenset(ended.asked.counted)
    for column, known in ended.asked.series.items():
        reached = last.get(column)
        if reached is None and column not in bases:
            continue
        dimension = known.dimension

        def words(value: float | None, dimension: Dimension = dimension) -> str:
            return figures.NOTHING if value is None else soak.value(value, dimension)

        growth = reached.growth if reached is not None else None
        # What is counted from one sample to the next is shown as the sum since the beginning.
        base = 0.0 if column in counted else bases[column].value if column in bases else None
        yield {
            "series": column,
            "baseline": words(base),
            "final": words(reached.value if reached is not None else None),
            "growth": figures.NOTHING if growth is None else _signed(growth, dimension),
            "mean": words(None if column in counted else means.get(column)),
            "meaning": known.meaning,
        }
