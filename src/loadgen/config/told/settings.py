"""Settings made from a table: a frozen value whose fields are named after the table's keys."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from loadgen.config.tables.table import Table
from loadgen.units import NS_PER_S

Settings = TypeVar("Settings")

# A field's name ends with its unit. A key's name has none, as its value carries the unit.
_UNITS = ("_per_s", "_ns", "_s")


def settings_of(kind: type[Settings], table: Table, **beside: object) -> Settings:
    """Return a value of this dataclass: each field from `beside`, or from the key of the field's name without its unit.

    A time is in seconds when the field's name ends in `_s`. Raises AttributeError for a field with neither: a setting
    that no key can set is a mistake, not a default.
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
