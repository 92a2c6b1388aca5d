"""A mutant as a value: a defect, and what is put in the place of a shipping piece to have it. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Patch = tuple[object, str, Any]
"""A module or a class, a name in it, and what takes its place."""


class Where(StrEnum):
    """The piece that a defect is in."""

    SERVER = "server"
    CLIENT = "client"
    ENGINE = "engine"
    DISK = "disk"
    PROXY = "proxy"
    JOBS = "jobs"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A defect. No code of the piece is copied: a subclass, a wrapper or a function takes the place of one of its
    names."""

    name: str
    breaks: str
    """What goes wrong, in a sentence without the full stop."""
    where: Where
    kind: str
    """The kind of `simulate` that is to find it; empty for a defect that other checks find."""
    patches: tuple[Patch, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the defect while the block runs: what is made in it has the defect."""
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in self.patches]
        try:
            self.plant()
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)

    def plant(self) -> None:
        """Plant the defect for the rest of the process."""
        for owner, name, replacement in self.patches:
            setattr(owner, name, replacement)
