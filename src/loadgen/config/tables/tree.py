"""The schema as a tree: the table at each path, and the marks of each key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args, get_origin

from pydantic.fields import FieldInfo

from loadgen.config.tables.schema import Config
from loadgen.config.tables.table import Path, Table
from loadgen.config.tables.values import Alias, Inert


def subtable(field: FieldInfo) -> type[Table] | None:
    """Return the Table type of a key: its own, or that of its list's elements. None for a key with a plain value."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Table):
            return kind
    return None


def is_list(field: FieldInfo) -> bool:
    """True when a key that holds tables holds a list of them, written as `[[workload.phase]]`."""
    return get_origin(field.annotation) is tuple


def holds_table(field: FieldInfo) -> bool:
    """True when a key's value is written as a table, also one whose keys the user chooses."""
    return subtable(field) is not None or get_origin(field.annotation) is dict


def keys(table: type[Table]) -> Iterator[tuple[str, FieldInfo]]:
    """Return a table's keys as TOML spells them: some are no Python names."""
    return ((field.alias or name, field) for name, field in table.model_fields.items())


def tables(path: Path = (), table: type[Table] = Config) -> Iterator[tuple[Path, type[Table]]]:
    """Yield every table with its path, outer before inner, in the schema's order, beginning with the root.

    The path of a list's tables is that of the list.
    """
    yield path, table
    for name, field in keys(table):
        if inner := subtable(field):
            yield from tables((*path, name), inner)


def values(table: type[Table]) -> Iterator[tuple[str, FieldInfo]]:
    """Return a table's keys that hold values, not tables."""
    return ((name, field) for name, field in keys(table) if subtable(field) is None)


def alias(field: FieldInfo) -> Alias | None:
    """Return the mark of a key's older spelling; None when the key has none."""
    return next((mark for mark in field.metadata if isinstance(mark, Alias)), None)


def inert(field: FieldInfo) -> Inert | None:
    """Return the mark of a key that is not acted on; None for other keys."""
    return next((mark for mark in field.metadata if isinstance(mark, Inert)), None)


def dotted(path: Path) -> str:
    """Return a path as text: `workload.keyspace.count`, or `target.endpoints[0]` for an element of a list."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def header(path: Path) -> str:
    """Return the header of a table: `[workload.keyspace]`, or `[[workload.phase]]` for each table of a list."""
    names = tuple(part for part in path if isinstance(part, str))
    table: type[Table] = Config
    listed = False
    for name in names:
        field = dict(keys(table))[name]
        listed, table = is_list(field), subtable(field) or table
    return f"[[{dotted(names)}]]" if listed else f"[{dotted(names)}]"
