"""The schema seen as a tree: which table stands at which path, and which marks a key carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from pydantic.fields import FieldInfo

from loadgen.config.positions import Path
from loadgen.config.schema import Config, Table
from loadgen.config.values import Alias, Inert


def subtable(field: FieldInfo) -> type[Table] | None:
    """The table that a key holds, or None when it holds a value."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Table):
            return kind
    return None


def tables(path: Path = (), table: type[Table] = Config) -> Iterator[tuple[Path, type[Table]]]:
    """Every table with its path, outer before inner, in the schema's order, beginning with the root."""
    yield path, table
    for name, field in table.model_fields.items():
        if inner := subtable(field):
            yield from tables((*path, name), inner)


def values(table: type[Table]) -> Iterator[tuple[str, FieldInfo]]:
    """A table's keys that hold values, not tables."""
    return ((name, field) for name, field in table.model_fields.items() if subtable(field) is None)


def alias(field: FieldInfo) -> Alias | None:
    """The older spelling of a key, if it has one."""
    return next((mark for mark in field.metadata if isinstance(mark, Alias)), None)


def inert(field: FieldInfo) -> Inert | None:
    """The mark of a key that is not acted on, if it has it."""
    return next((mark for mark in field.metadata if isinstance(mark, Inert)), None)


def dotted(path: Path) -> str:
    """`workload.keyspace.count`; an element of a list is `target.endpoints[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
