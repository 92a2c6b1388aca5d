"""The fields of a record that was read: asked for by name, and remembered where they are missing. No I/O.

An older loadgen wrote fewer fields. What is missing gets a default that says nothing, and whoever shows the record can
say what is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from loadgen.units import NS_PER_S


class Fields:
    """One record, or an object in one."""

    def __init__(self, values: Any, name: str, missing: dict[str, None]) -> None:
        """`name` is how the object is called in `missing`, which gets the dotted names of what is not there.

        Raises ValueError when `values` is no object.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"{name} is no object")
        self.values = values
        self.name = name
        self.missing = missing

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def named(self, name: str, before: str) -> str:
        """The name that a field has here, where records of schema version 1 had another, `before`."""
        return before if name not in self.values and before in self.values else name

    def get(self, name: str, default: Any) -> Any:
        """A field that is always written; `default`, and remembered, where it is missing."""
        if name in self.values:
            return self.values[name]
        self.missing[f"{self.name}.{name}"] = None
        return default

    def may(self, name: str, default: Any = None) -> Any:
        """A field that is written where there is something to say; null is like a field that is not there."""
        value = self.values.get(name)
        return default if value is None else value

    def part(self, name: str, default: Any = None) -> Fields:
        """An object within; empty where it is missing."""
        return Fields(self.get(name, {} if default is None else default), f"{self.name}.{name}", self.missing)

    def parts(self, name: str) -> list[Fields]:
        """A list of objects."""
        return [Fields(each, f"{self.name}.{name}", self.missing) for each in self.get(name, [])]

    def number(self, name: str) -> float:
        """A number; 0 where it is null or missing."""
        return float(self.get(name, 0) or 0)

    def count(self, name: str) -> int:
        """A whole number; 0 where it is null or missing."""
        return int(self.get(name, 0) or 0)

    def text(self, name: str) -> str:
        """Words; empty where they are null or missing."""
        return str(self.get(name, "") or "")

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(map(str, self.get(name, ())))

    def ns(self, name: str) -> int:
        """Seconds as nanoseconds."""
        return round(self.number(name) * NS_PER_S)

    def wall_s(self) -> float:
        """The record's time stamp as Unix time."""
        return datetime.fromisoformat(str(self.values["ts"])).timestamp()
