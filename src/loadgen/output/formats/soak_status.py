"""The status of a soak for people: the answer of `loadgen watch --once`, from a run folder. Text, and no stream."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from loadgen.escape import printable
from loadgen.output.paper.color import Paint
from loadgen.output.paper.layout import fact, facts, width
from loadgen.output.words import figures, soak
from loadgen.soak.asked import Asked
from loadgen.soak.status import Phase, Status
from loadgen.units import NS_PER_S

_LINE = re.compile(r"\[\d+/\d+\] ")
_LONGEST = 1000
_GAP = 3


def latest(log: Sequence[str]) -> str:
    """Return the newest line of a checkpoint in a soak's log; empty before the first."""
    return next((line for line in reversed(log) if _LINE.match(line)), "")


def clean(
    name: str, status: Status, asked: Asked, values: Mapping[str, float], log: Sequence[str], paint: Paint
) -> list[str]:
    """Return the lines. `values` are the newest values by column, `log` the lines of `soak.log`."""
    return [
        *(paint(line, "bold") for line in fact("soak", printable(name, _LONGEST))),
        *fact("time", soak.moment(status.now_s)),
        *fact("state", _state(status)),
        *fact("latest", printable(latest(log), _LONGEST) or "no checkpoint yet"),
        *_values(asked, values),
        *_health(status, paint),
        *fact("restarts", str(status.restarts)),
        *fact("gaps", _gaps(status.gaps)),
        *fact("expected end", _end(status)),
        *(fact("left", figures.left(status.left_s * NS_PER_S)) if status.phase is not Phase.ENDED else []),
    ]


def _state(status: Status) -> str:
    """Return "soaking, checkpoint 3 of 15 was 12 s ago, the next is due in 1 min 48 s"."""
    if status.phase is Phase.ENDED:
        return f"ended, after {status.number} of {figures.plural(status.of, 'checkpoint')}"
    since = f"checkpoint {status.number} of {status.of} was {_ago(status.now_s - status.checkpoint_s)}"
    parts = [status.phase.value, since if status.number else f"no checkpoint of {status.of} yet"]
    if status.due_s is not None:
        left_s = status.due_s - status.now_s
        what = "the baseline" if status.phase is Phase.SETTLING else "the next"
        when = f"due in {figures.left(left_s * NS_PER_S)}" if left_s > 0 else f"{figures.left(-left_s * NS_PER_S)} late"
        parts.append(f"{what} is {when}")
    return ", ".join(parts)


def _gaps(count: int) -> str:
    return f"{figures.plural(count, 'reading')} {'was' if count == 1 else 'were'} missed" if count else "0"


def _ago(time_s: float) -> str:
    return f"{figures.left(max(0.0, time_s) * NS_PER_S)} ago"


def _health(status: Status, paint: Paint) -> list[str]:
    if status.is_healthy:
        return fact("health", "healthy")
    first, *rest = (printable(problem.words, _LONGEST) for problem in status.problems)
    lines = facts("health", [f"UNHEALTHY: {first}", *rest])
    return [paint(line, "bold red") for line in lines]


def _end(status: Status) -> str:
    if status.phase is Phase.ENDED:
        return f"it ended at {soak.moment(status.expected_end_s)}"
    late = status.expected_end_s < status.now_s
    return soak.moment(status.expected_end_s) + (" (passed)" if late else "")


def _values(asked: Asked, values: Mapping[str, float]) -> list[str]:
    """Return the newest value of every series, in as many columns as fit."""
    cells = [
        (column, soak.value(values[column], known.dimension))
        for column, known in asked.series.items()
        if column in values
    ]
    if not cells:
        return fact("values", "no sample yet")
    names, words = max(len(name) for name, _ in cells), max(len(word) for _, word in cells)
    each = names + 1 + words
    columns = max(1, (width() - 2 + _GAP) // (each + _GAP))
    rows = -(-len(cells) // columns)
    shown = [f"{printable(name):<{names}} {word:>{words}}" for name, word in cells]
    lines = ["  " + (" " * _GAP).join(shown[row::rows]) for row in range(rows)]
    return ["values", *lines]
