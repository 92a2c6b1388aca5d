"""Histories as text, a line of JSON for each invocation and each completion, in Jepsen's words.

    {"process": 0, "type": "invoke", "f": "write", "key": "x", "value": 1, "time": 1200}
    {"process": 0, "type": "ok", "f": "write", "key": "x", "value": 1, "time": 3400}

`type` is invoke, ok, fail (it did not take effect) or info (it may have, or may yet). `time` is in nanoseconds; where
no line has one, the order of lines is the time. `key` may be left out. A process invokes one operation at a time; one
without a completion has an unknown end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.verify.history.operation import Ended, Operation

_TYPES = ("invoke", "ok", "fail", "info")


def read(path: str | Path) -> list[Operation]:
    """Read a history, in the order of its invocations. Raises UsageError with the line of what is wrong."""
    name = printable(str(path))
    try:
        with Path(path).open("rb") as stream:
            return [*operations(stream, name)]
    except OSError as error:
        raise UsageError(f"{name} could not be read: {error.strerror}") from error


def operations(lines: Iterable[bytes], name: str) -> list[Operation]:
    """Return the operations of lines, in the order of their invocations. Raises UsageError."""
    open_: dict[Any, tuple[int, dict[str, Any], int]] = {}
    found: list[Operation] = []
    timed: bool | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        event = _event(line, name, number)
        if timed is None:
            timed = "time" in event
        at = _time(event, name, number) if timed else number
        process = event["process"]
        if event["type"] == "invoke":
            if process in open_:
                raise UsageError(
                    f"{name}, line {number}: process {_shown(process)} invokes before its operation of line "
                    f"{open_[process][2]} has completed: a process has one operation at a time"
                )
            open_[process] = (at, event, number)
            continue
        if process not in open_:
            raise UsageError(f"{name}, line {number}: process {_shown(process)} completes what it did not invoke")
        found.append(_operation(*open_.pop(process), event, at, name, number))
    if timed is None:
        raise UsageError(f"{name} is no history: it has no line")
    for at, event, number in open_.values():
        found.append(_unended(at, event, number))
    return sorted(found, key=lambda operation: operation.index)


def write(found: Iterable[Operation]) -> Iterator[str]:
    """Yield the lines of operations, in the order of their times. A call comes before a return of the same time."""
    events: list[tuple[int, int, int, dict[str, Any]]] = []
    for place, each in enumerate(found):
        said = {"process": each.process, "f": each.f, **({} if each.key is None else {"key": each.key})}
        invoked = {**said, "type": "invoke", "value": each.value, "time": each.call_ns}
        events.append((each.call_ns, 0, place, invoked))
        if each.return_ns is not None:
            value = each.result if each.ended is Ended.OK else each.value
            events.append((each.return_ns, 1, place, {**said, "type": str(each.ended), "value": value,
                                                      "time": each.return_ns}))  # fmt: skip
    for _, _, _, event in sorted(events, key=lambda event: event[:3]):
        yield json.dumps(event) + "\n"


def _event(line: bytes, name: str, number: int) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{name}, line {number} is no JSON: {error}") from error
    if not isinstance(event, dict):
        raise UsageError(f"{name}, line {number} is no JSON object")
    for field in ("process", "type", "f"):
        if field not in event:
            raise UsageError(f'{name}, line {number} has no "{field}"')
    if event["type"] not in _TYPES:
        raise UsageError(f'{name}, line {number}: "type" is {", ".join(_TYPES)}, not {_shown(event["type"])}')
    if not isinstance(event["f"], str) or not isinstance(event["process"], int | str):
        raise UsageError(f'{name}, line {number}: "f" is a text, and "process" a number or a text')
    return event


def _time(event: Mapping[str, Any], name: str, number: int) -> int:
    at = event.get("time")
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < 1 << 62:
        raise UsageError(f'{name}, line {number}: "time" is a number of nanoseconds, and every line has it or none')
    return at


def _operation(
    call_ns: int, invoked: Mapping[str, Any], first: int, event: Mapping[str, Any], at: int, name: str, number: int
) -> Operation:
    if event["f"] != invoked["f"] or event.get("key", invoked.get("key")) != invoked.get("key"):
        raise UsageError(f"{name}, line {number} completes another operation than that of line {first}")
    if at < call_ns:
        raise UsageError(f"{name}, line {number}: the operation of line {first} completes before it was invoked")
    ended = Ended(event["type"])
    asked = invoked.get("value")
    return Operation(
        invoked["process"],
        invoked["f"],
        invoked.get("key"),
        asked,
        event.get("value", asked) if ended is Ended.OK else None,
        call_ns,
        # An info says when its process gave up, which is no end.
        None if ended is Ended.INFO else at,
        ended,
        first,
    )


def _unended(at: int, event: Mapping[str, Any], number: int) -> Operation:
    return Operation(
        event["process"], event["f"], event.get("key"), event.get("value"), None, at, None, Ended.INFO, number
    )


def _shown(value: object) -> str:
    return printable(json.dumps(value), 60)
