"""The newest events in words, each with its time. A bounded list."""

from __future__ import annotations

import textwrap
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from loadgen.output.tui.line import Line

KEPT = 200

_INDENT = 12
"""The columns of the time, in front of the words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in words."""

    wall_s: float
    """Unix time."""
    words: str
    style: str = ""


class Log:
    """The newest KEPT entries, in the order in which they came."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def say(self, wall_s: float, words: str, style: str = "") -> None:
        self._entries.append(Entry(wall_s, words, style))

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the newest entries in `height` lines at most, the newest last. Long words go on in further lines."""
        found: list[Line] = []
        for entry in reversed(self._entries):
            lines = _lines(entry, width)
            if len(found) + len(lines) > height:
                break
            found[:0] = lines
        return found


def _lines(entry: Entry, width: int) -> list[Line]:
    clock = datetime.fromtimestamp(entry.wall_s, UTC).isoformat(timespec="milliseconds")[11:21]
    first, *rest = textwrap.wrap(entry.words, max(10, width - _INDENT)) or [""]
    above: Line = (f"{clock:<{_INDENT}}", "dim"), (first, entry.style)
    return [above, *((((" " * _INDENT), ""), (words, entry.style)) for words in rest)]
