"""The operations of a user's history by their keys, and in words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.verify.checkers.answer import Shown
from loadgen.verify.history.operation import Ended, Operation

_LONGEST = 200


def by_key(history: Iterable[Operation], model: str, functions: Collection[str]) -> dict[str, list[Operation]]:
    """Return the operations of each key. Raises UsageError for a function that the model does not have."""
    found: dict[str, list[Operation]] = {}
    for operation in history:
        if operation.f not in functions:
            raise UsageError(
                f'line {operation.index}: a {model} has {", ".join(functions)}, not "{printable(operation.f, 40)}"'
            )
        found.setdefault(name_of(operation.key), []).append(operation)
    return found


def name_of(value: Any) -> str:
    """Return a key, a value or a process as text, the same for equal ones; empty for None as a key."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def number(operation: Operation, value: Any, default: int | None = None) -> int:
    """Return a whole number. Raises UsageError for anything else; None counts as `default`, where there is one."""
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"line {operation.index}: the value of {operation.f} is a whole number, not {told(value)}")
    return value


def elements(operation: Operation, value: Any) -> list[str]:
    """Return the names of a list's elements; None is an empty list. Raises UsageError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise UsageError(f"line {operation.index}: {operation.f} returns a list, not {told(value)}")
    return [json.dumps(each, sort_keys=True) for each in value]


def shown(operation: Operation, *, accused: bool = False, words: str = "") -> Shown:
    """Return an operation as it is shown."""
    return Shown(
        name_of(operation.process),
        words or phrase(operation),
        operation.call_ns,
        operation.return_ns,
        accused=accused,
    )


def in_order(operations: Mapping[int, Operation] | Iterable[Operation], accused: Operation | None) -> tuple[Shown, ...]:
    """Return operations as they are shown, in the order of their calls."""
    found = operations.values() if isinstance(operations, Mapping) else operations
    return tuple(shown(each, accused=each is accused) for each in sorted(found, key=lambda each: each.call_ns))


def phrase(operation: Operation) -> str:
    """Return what was asked and what came back: "add 3 → ok"."""
    asked = f" {told(operation.value)}" if operation.value is not None else ""
    if operation.ended is not Ended.OK:
        return f"{operation.f}{asked} → {'failed' if operation.ended is Ended.FAIL else '?'}"
    if operation.f in ("read", "dequeue", "drain"):
        return f"{operation.f} → {'nothing' if operation.result is None else told(operation.result)}"
    return f"{operation.f}{asked} → ok"


def told(value: Any) -> str:
    """Return a value as text, cut to a length."""
    return printable(json.dumps(value), _LONGEST)
