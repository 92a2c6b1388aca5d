"""The origin of a key: a place in a file, a flag, or `--set`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

_FLAGS = 2
"""The layer of flags, after those of files; `--set` is the next layer."""


class Flag(NamedTuple):
    """A value given by a command-line option, with the option's spelling for messages."""

    option: str
    """The option as a user writes it: `--connections`."""
    value: object


@dataclass(frozen=True, order=True)
class Origin:
    """An origin. Origins sort in reading order: the file from top to bottom, a server file, flags, `--set`."""

    order: tuple[int, int, int]
    where: str
    """The beginning of a message: `bench.toml:7:1`, `--connections`, `--set`."""
    key: str
    """The dotted key as written there, perhaps in an older spelling."""

    @property
    def typed(self) -> bool:
        """True when the key was given on the command line."""
        return self.order[0] >= _FLAGS

    @property
    def flag(self) -> bool:
        """True when the key was given by a flag of its own, which `where` names."""
        return self.order[0] == _FLAGS and self.where.startswith("-")

    @classmethod
    def in_file(cls, source: str, line: int, column: int, key: str, layer: int = 0) -> Origin:
        """Return the origin of a key in a file. `layer` is 0 for the configuration's file, 1 for a server file."""
        return cls((layer, line, column), f"{source}:{line}:{column}", key)

    @classmethod
    def by_flag(cls, index: int, option: str, key: str) -> Origin:
        return cls((_FLAGS, index, 0), option, key)

    @classmethod
    def by_set(cls, index: int, key: str) -> Origin:
        return cls((3, index, 0), "--set", key)
