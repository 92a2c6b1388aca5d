"""Histories of a user, written down an operation at a time."""

from __future__ import annotations

import json
from typing import Any

from loadgen.verify.history import ndjson
from loadgen.verify.history.operation import Operation

Row = tuple[int, str, str, Any, Any, int, int]
"""Process, f, how it ended, what was asked, what came back, call, return."""


def row(process: int, f: str, asked: Any, back: Any, call: int, end: int, ended: str = "ok") -> Row:
    return process, f, ended, asked, back, call, end


def lines(*rows: Row, key: Any = None) -> list[bytes]:
    """The lines of a history of one object."""
    events: list[tuple[int, int, dict[str, Any]]] = []
    for process, f, ended, asked, back, call, end in rows:
        said = {"process": process, "f": f, **({} if key is None else {"key": key})}
        events.append((call, 0, {**said, "type": "invoke", "value": asked, "time": call}))
        events.append((end, 1, {**said, "type": ended, "value": back, "time": end}))
    return [json.dumps(event).encode() + b"\n" for _, _, event in sorted(events, key=lambda each: each[:2])]


def history(*rows: Row, key: Any = None) -> list[Operation]:
    return ndjson.operations(lines(*rows, key=key), "here")
