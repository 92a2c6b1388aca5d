"""Constructed checks of histories: the event with invented findings. See `constructed_events`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from constructed_events import START_S

from loadgen.events import Event
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Answer, Shown, Unjudged, Violation

LEGAL = Answer(
    model="register",
    operations=1_000_000,
    keys=1000,
    counts={"reads": 700_000, "misses": 20_000, "writes": 300_000, "unknown": 12, "not done": 3, "searched keys": 0},
)
STALE = Violation(
    "overwritten",
    "17",
    "process 9 read 41 after 52 had replaced it; nothing wrote 41 again.",
    (
        Shown("3", "write 41 → stored", 5_000_000_000, 5_000_120_000),
        Shown("12", "write 52 → stored", 5_000_200_000, 5_000_300_000),
        Shown("9", "read → 41", 5_000_400_000, 5_000_500_000, accused=True),
    ),
)
CIRCLE = Violation(
    "G1c",
    "",
    "T2 read 1 of y, which T1 appended; T1 read 1 of x, which T2 appended: each came before the next, and T2 before "
    "T1.",
    (
        Shown("a\x1b[2J", "T2: append x 1; r y [1]", 1, 2, accused=True),
        Shown("a\x1b[2J", "T1: append y 1; r x [1] → ?", 3, None),
    ),
)


def _checked(answer: Answer, **more: object) -> Callable[[], list[Event]]:
    event = HistoryChecked(
        "run.lghist\x1b[2J",
        answer,
        "0.1.0",
        412_000_000,
        {"origin": "loadgen 0.1.0", "clock": "monotonic", "sampling": "0.1 of the keys"},
        wall_s=START_S + 2,
    )
    return lambda: [replace(event, **more)]  # type: ignore[arg-type]


CHECKS: dict[str, Callable[[], list[Event]]] = {
    "check_legal": _checked(LEGAL, torn_bytes=72, torn_blocks=2, unclosed_workers=1, missing_writes=3),
    "check_illegal": _checked(
        replace(
            LEGAL,
            violations=(STALE, CIRCLE),
            found=14,
            kinds={"overwritten": 13, "G1c": 1},
            unjudged=(Unjudged("5\x1b[2J", "its values are not unique"),),
            unjudged_count=1,
        )
    ),
    "check_untold": _checked(
        replace(
            LEGAL,
            unjudged=tuple(
                Unjudged(key, "its values are not unique, and the search of its 40,000 operations reached its bound")
                for key in ("17", "18")
            ),
            unjudged_count=3,
        ),
    ),
    "check_nothing": _checked(replace(LEGAL, nothing="the history has no read that was answered"), metadata={}),
}
"""By name, a check with that ending."""
