"""The newest events in words, each with its time. A bounded list."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from loadgen.output.tui.line import Line

KEPT = 200


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

    def lines(self, height: int) -> list[Line]:
        """Return the newest entries, `height` at most, the newest last."""
        return [_line(entry) for entry in self.entries[-height:]] if height > 0 else []


def _line(entry: Entry) -> Line:
    clock = datetime.fromtimestamp(entry.wall_s, UTC).isoformat(timespec="milliseconds")[11:21]
    return ((f"{clock}  ", "dim"), (entry.words, entry.style))
