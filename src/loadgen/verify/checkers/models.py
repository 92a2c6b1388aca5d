"""The models by which a history is judged, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from loadgen.verify.checkers import counter, interned, list_append, queue, register
from loadgen.verify.checkers import set as set_
from loadgen.verify.checkers.answer import Answer
from loadgen.verify.history.operation import Operation

REGISTER = "register"
"""The one model of binary histories."""

MODELS: dict[str, Callable[[Iterable[Operation]], Answer]] = {
    REGISTER: lambda history: register.check(*interned.interned(history)),
    "counter": counter.check,
    "set": set_.check,
    "queue": queue.check,
    "list-append": list_append.check,
}


def strict_register(history: Iterable[Operation]) -> Answer:
    """Judge registers of which nothing is evicted or expires."""
    return register.check(*interned.interned(history), strict=True)
