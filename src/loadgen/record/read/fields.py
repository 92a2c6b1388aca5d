"""The fields of a record that was read, by name, and a list of those that are missing. No I/O.

An older loadgen wrote fewer fields. A missing field gets a neutral default and is listed, so that the user can be told
that its value is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from loadgen.units import NS_PER_S


class Fields:
    """A record, or an object in one."""

    def __init__(self, values: Any, name: str, missing: dict[str, None]) -> None:
        """`name` is the object's name in `missing`, which collects the dotted names of missing fields.

        Raise ValueError when `values` is no object.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"{name} is no object")
        self.values = values
        self.name = name
        self.missing = missing

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def named(self, name: str, before: str) -> str:
        """Return the name of a field in this record; records of schema version 1 may call it `before`."""
        return before if name not in self.values and before in self.values else name

    def get(self, name: str, default: Any) -> Any:
        """Return a field that is always written; `default` when it is missing, which is listed."""
        if name in self.values:
            return self.values[name]
        self.missing[f"{self.name}.{name}"] = None
        return default

    def may(self, name: str, default: Any = None) -> Any:
        """Return a field that may be absent; `default` when it is absent or null."""
        value = self.values.get(name)
        return default if value is None else value

    def part(self, name: str, default: Any = None) -> Fields:
        """Return an object in this one; `default`, or an empty object, when it is missing."""
        return Fields(self.get(name, {} if default is None else default), f"{self.name}.{name}", self.missing)

    def parts(self, name: str) -> list[Fields]:
        """Return a list of objects; empty when it is missing."""
        return [Fields(each, f"{self.name}.{name}", self.missing) for each in self.get(name, [])]

    def number(self, name: str) -> float:
        """Return a number; 0 when it is null or missing."""
        return float(self.get(name, 0) or 0)

    def count(self, name: str) -> int:
        """Return a whole number; 0 when it is null or missing."""
        return int(self.get(name, 0) or 0)

    def text(self, name: str) -> str:
        """Return words; empty when they are null or missing."""
        return str(self.get(name, "") or "")

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(map(str, self.get(name, ())))

    def ns(self, name: str) -> int:
        """Return a field in seconds as nanoseconds."""
        return round(self.number(name) * NS_PER_S)

    def wall_s(self) -> float:
        """Return the record's time stamp as Unix time."""
        return datetime.fromisoformat(str(self.values["ts"])).timestamp()
