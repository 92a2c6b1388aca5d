"""The fields of a record, described once: the values that each may hold, and its meaning. No I/O.

The JSON Schema of a record and its table in `docs/RESULTS.md` are generated from the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadgen.record.schema.shape import TIMESTAMP, Schema, object_of


@dataclass(frozen=True, slots=True)
class Row:
    """The description of one field, or of several that share a meaning."""

    shapes: Mapping[str, Schema]
    """By field, the schema of its values."""
    meaning: str
    """The meaning, in Markdown."""
    optional: Sequence[str] = ()
    """The fields that may be absent."""


def field(name: str, shape: Schema, meaning: str, *, optional: bool = False) -> Row:
    """Return a row for one field."""
    return Row({name: shape}, meaning, (name,) if optional else ())


def fields(shapes: Mapping[str, Schema], meaning: str, *, optional: Sequence[str] = ()) -> Row:
    """Return a row for several fields."""
    return Row(shapes, meaning, optional)


class Table:
    """The fields of a record, or of an object in one."""

    def __init__(self, rows: Sequence[Row], everywhere: Schema) -> None:
        """`everywhere` has the fields of every record, which the table for people leaves out."""
        self.rows = rows
        self.shapes: Schema = {name: shape for row in rows for name, shape in row.shapes.items()}
        """By field, the schema of its values."""
        optional = {name for row in rows for name in row.optional}
        required = {name: shape for name, shape in self.shapes.items() if name not in optional}
        others = {name: shape for name, shape in self.shapes.items() if name in optional}
        self.schema: Schema = object_of({**everywhere, **required}, others)
        """The JSON Schema of an object with all required fields, and no field that is not in the table."""

    def markdown(self) -> str:
        """Return the table for people, in Markdown."""
        rows = (f"| {', '.join(f'`{name}`' for name in row.shapes)} | {row.meaning} |\n" for row in self.rows)
        return "| Field | Meaning |\n|---|---|\n" + "".join(rows)


def record(kind: str, *rows: Row) -> Table:
    """Return the table of a record whose `type` is `kind`."""
    return Table(rows, {"type": {"const": kind}, "ts": TIMESTAMP})


def part(*rows: Row) -> Table:
    """Return the table of an object in a record."""
    return Table(rows, {})
