"""What every table of the configuration is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Path = tuple[str | int, ...]
"""The way from the document's root to a value: table and key names, and indices into arrays."""


class Table(BaseModel):
    """A table: frozen, every key known, no value taken for another type than it is written in.

    A key that Python does not take as a name, such as `for`, is a field's alias.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, serialize_by_alias=True)


def duration_key(default: str, description: str) -> Any:
    """A duration's field, whose default is text, as a user would write it, and is validated like one."""
    return Field(default=default, description=description)
