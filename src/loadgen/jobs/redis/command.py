"""What is said between a client and a Redis server, as values."""

from __future__ import annotations

from typing import Any, TypeAlias

Word: TypeAlias = "bytes | str | int"
Command: TypeAlias = "tuple[Word, ...]"
Reply: TypeAlias = Any
"""bytes, int, None, a list of replies, or Refused."""


class Refused(Exception):
    """The server's error reply to a command, in its own words."""

    @property
    def words(self) -> str:
        return str(self.args[0])
