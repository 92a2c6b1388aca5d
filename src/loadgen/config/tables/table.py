"""The base of the configuration's tables."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Path = tuple[str | int, ...]
"""The way from the document's root to a value: table and key names, and indices into arrays."""


class Table(BaseModel):
    """A table: frozen, without unknown keys, and strict, so that no value is converted to another type.

    A key that is no Python name, such as `for`, is a field's alias.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, serialize_by_alias=True)


def duration_key(default: str, description: str) -> Any:
    """Return a duration's field. The default is text, as a user would write it, and is validated like that."""
    return Field(default=default, description=description)
