"""The fields of a record, described once: what each may hold, and what it means. No I/O.

The JSON Schema of a record and its table in `docs/RESULTS.md` are both made of the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadgen.record.schema.shape import TIMESTAMP, Schema, object_of


@dataclass(frozen=True, slots=True)
class Row:
    """One field, or several that share a meaning."""

    shapes: Mapping[str, Schema]
    """By field, what it may hold."""
    meaning: str
    """In Markdown."""
    optional: Sequence[str] = ()
    """The fields that are not always there."""


def field(name: str, shape: Schema, meaning: str, *, optional: bool = False) -> Row:
    """A row for one field."""
    return Row({name: shape}, meaning, (name,) if optional else ())


def fields(shapes: Mapping[str, Schema], meaning: str, *, optional: Sequence[str] = ()) -> Row:
    """A row for several."""
    return Row(shapes, meaning, optional)


class Table:
    """The fields of a record, or of an object in one."""

    def __init__(self, rows: Sequence[Row], everywhere: Schema) -> None:
        """`everywhere`: the fields that every record has, which no table names."""
        self.rows = rows
        self.shapes: Schema = {name: shape for row in rows for name, shape in row.shapes.items()}
        """By field, what it may hold."""
        optional = {name for row in rows for name in row.optional}
        required = {name: shape for name, shape in self.shapes.items() if name not in optional}
        others = {name: shape for name, shape in self.shapes.items() if name in optional}
        self.schema: Schema = object_of({**everywhere, **required}, others)
        """As JSON Schema: an object that has all required fields, and no other than these."""

    def markdown(self) -> str:
        """The table for people."""
        rows = (f"| {', '.join(f'`{name}`' for name in row.shapes)} | {row.meaning} |\n" for row in self.rows)
        return "| Field | Meaning |\n|---|---|\n" + "".join(rows)


def record(kind: str, *rows: Row) -> Table:
    """A record, whose `type` is `kind`."""
    return Table(rows, {"type": {"const": kind}, "ts": TIMESTAMP})


def part(*rows: Row) -> Table:
    """An object in a record."""
    return Table(rows, {})
