"""Frozen values that add (over workers) and subtract (over time), field by field. No I/O.

The metadata of a field is its rule: `counted` for sums, `by_name` for mappings of sums, `state` for current values. A
new field is therefore written in one place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, Self

_ADD, _SUBTRACT = "add", "subtract"


def counted(default: Any = MISSING, *, factory: Callable[[], Any] | Any = MISSING) -> Any:
    """Return a field for a number, or for another value that adds and subtracts."""
    return _field(operator.add, operator.sub, default, factory)


def by_name() -> Any:
    """Return a field for a mapping from names to values that add and subtract.

    A sum has the names of both sides, a difference those of the later side. A name that only one side has keeps its
    value.
    """
    return _field(_merge, _difference, MISSING, dict)


def state(default: Any, add: Callable[[Any, Any], Any]) -> Any:
    """Return a field for a current value: a difference has the later value, and `add` merges those of two workers."""
    return _field(add, lambda now, before: now, default, MISSING)


def _field(add: Callable[[Any, Any], Any], subtract: Callable[[Any, Any], Any], default: Any, factory: Any) -> Any:
    metadata = {_ADD: add, _SUBTRACT: subtract}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


class Addable:
    """A dataclass that adds and subtracts by the rules of its fields."""

    __slots__ = ()

    def __add__(self, other: Self) -> Self:
        return self._each(other, _ADD)

    def __sub__(self, earlier: Self) -> Self:
        return self._each(earlier, _SUBTRACT)

    def _each(self, other: Self, operation: str) -> Self:
        rules = _rules(type(self), operation)  # type: ignore[arg-type]  # a class can be hashed
        return type(self)(*map(_call, rules, _values(self), _values(other)))

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        # A leader of a thousand agents reads thousands of reports a second: dataclasses' own way takes twice as long.
        return type(self), _values(self)


def _call(rule: Callable[[Any, Any], Any], mine: Any, theirs: Any) -> Any:
    return rule(mine, theirs)


@cache
def _rules(kind: type[Any], operation: str) -> tuple[Callable[[Any, Any], Any], ...]:
    return tuple(f.metadata[operation] for f in fields(kind))


@cache
def _getter(kind: type[Any]) -> attrgetter[tuple[Any, ...]]:
    return attrgetter(*(f.name for f in fields(kind)), "__class__")


def _values(value: Any) -> tuple[Any, ...]:
    """Return the values of the fields, in their order."""
    return _getter(type(value))(value)[:-1]  # type: ignore[arg-type]  # as above


def _merge(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    return {**a, **{k: a[k] + v if k in a else v for k, v in b.items()}}


def _difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v - b[k] if k in b else v for k, v in a.items()}
