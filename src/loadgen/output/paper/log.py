"""Log lines: a time stamp in UTC, a level, and wrapped words. It knows no event."""

from __future__ import annotations

from datetime import UTC, datetime

from loadgen.output.paper.layout import width, wrapped
from loadgen.output.paper.sink import Sink


class Log:
    """A log written to a sink line by line."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def say(self, wall_s: float, *lines: str, level: str = "INFO") -> None:
        """Write lines after a time stamp, wrapped at the width of a line; `wall_s` is Unix time."""
        stamp = _stamp(wall_s, level)
        parts = [part for line in lines for part in wrapped(line, width() - len(stamp))]
        if parts:
            self._sink.write("".join(f"{stamp}{part}\n" for part in parts))

    def say_on_one_line(self, wall_s: float, line: str) -> None:
        """Write a row of figures, unwrapped so that programs can split it at blanks."""
        self._sink.write(f"{_stamp(wall_s, 'INFO')}{line}\n")

    def block(self, *lines: str) -> None:
        """Write lines unchanged, without a time stamp."""
        self._sink.write("".join(f"{line}\n" for line in lines))


def _stamp(wall_s: float, level: str) -> str:
    time = datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{time} {level} "
