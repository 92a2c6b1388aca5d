"""A table's keys as the settings of those who act on them: a frozen value whose fields are named after the keys."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from loadgen.config.tables.table import Table
from loadgen.units import NS_PER_S

Settings = TypeVar("Settings")

# A field has its unit last in its name, and a key has none: its values carry theirs.
_UNITS = ("_per_s", "_ns", "_s")


def settings_of(kind: type[Settings], table: Table, **beside: object) -> Settings:
    """A value of this dataclass. Each field is taken from the table's key of its name without its unit, but for those
    that are given beside it, which no key says as it stands.

    A time is in seconds where the field's name ends so. Raises AttributeError for a field that nothing says: a setting
    that nobody can set is no default but a mistake.
    """
    found: dict[str, Any] = {
        field.name: _value(field.name, table)
        for field in fields(kind)  # type: ignore[arg-type]
        if field.name not in beside
    }
    return kind(**found, **beside)


def _value(name: str, table: Table) -> object:
    unit = next((unit for unit in _UNITS if name.endswith(unit)), "")
    value = getattr(table, name.removesuffix(unit))
    return value / NS_PER_S if unit == "_s" else value
