"""Earlier results, read from a file: `read`."""

from __future__ import annotations

from pathlib import Path

from loadgen.errors import UsageError
from loadgen.events import Event
from loadgen.record import Reading, ndjson


def read(path: str | Path) -> list[Event]:
    """Return the events of a file that `--format json`, or `--json FILE`, has written, in their order.

    The events have the types that `run`, `search` and `compare` return, such as Result. Raises UsageError for a file
    that cannot be read, or that loadgen did not write.
    """
    try:
        return [*Reading().events(ndjson.read(str(path)))]
    except (ArithmeticError, KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{path}: has a record that is not as loadgen writes it; take the results anew.") from None
