"""A user's history of registers as records: keys, values and processes become numbers, which keep their names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.verify.checkers.objects import name_of, told
from loadgen.verify.checkers.register import Names
from loadgen.verify.history import _operations as form
from loadgen.verify.history._operations import Operations
from loadgen.verify.history.operation import Ended, Operation

FUNCTIONS = ("read", "write", "delete", "add", "cas")

_OPS = {"read": form.READ, "write": form.WRITE, "delete": form.DELETE, "add": form.ADD, "cas": form.CAS}
_ENDS = {Ended.OK: form.OK, Ended.FAIL: form.NOT_DONE, Ended.INFO: form.UNKNOWN}


def interned(history: Iterable[Operation]) -> tuple[Operations, Names]:
    """Return the records of a history, and their names. Raises UsageError for an operation that no register has.

    A read that ended ok with null is a miss. `add`, `cas` and `delete` that ended ok with false found the key present,
    another value, or no key. null as the value of a cas is the absent key.
    """
    keys, values, processes = _Names(), _Names(), _Names()
    found = Operations()
    for each in history:
        if each.f not in _OPS:
            raise UsageError(f'line {each.index}: a register has {", ".join(FUNCTIONS)}, not "{printable(each.f, 40)}"')
        op, outcome = _OPS[each.f], _ENDS[each.ended]
        key, process = keys.number(each.key), processes.number(each.process)
        end = form.NO_END if each.return_ns is None else each.return_ns
        asked: list[Any] = [each.value]
        if op == form.READ:
            asked = [each.result if each.ended is Ended.OK else None]
            outcome = form.MISS if outcome == form.OK and asked[0] is None else outcome
        elif op == form.DELETE:
            asked = [None]
        elif op == form.CAS:
            asked = _pair(each)
        if each.f != "read" and each.ended is Ended.OK and each.result is False and each.value is not False:
            outcome = form.MISS
        if op in (form.WRITE, form.ADD) and each.value is None:
            raise UsageError(f"line {each.index}: {each.f} has a value; use delete to make a key absent")
        numbers = [0 if value is None else values.number(value) + 1 for value in asked]
        for part, number in enumerate(numbers):
            found.append(op if not part else form.CAS_TO, key, number, each.call_ns, end, process, outcome)
    return found, Names(keys.name, lambda value: values.name(value - 1) if value else "nothing", processes.name)


def _pair(operation: Operation) -> list[Any]:
    pair = operation.value
    if not (isinstance(pair, list) and len(pair) == 2 and pair[1] is not None):
        raise UsageError(
            f"line {operation.index}: the value of a cas is [expected, new], and new is not null: {told(pair)}"
        )
    return pair


class _Names:
    """Numbers from 0 for names, in the order in which they come first."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def number(self, value: Any) -> int:
        text = json.dumps(value, sort_keys=True)
        if (known := self._numbers.get(text)) is None:
            known = self._numbers[text] = len(self._names)
            self._names.append(name_of(value))
        return known

    def name(self, number: int) -> str:
        return printable(self._names[number], 80)
