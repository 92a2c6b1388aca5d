"""A step of a case: a command, the connection that it is sent on, and the time to wait after it. Values; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from loadgen.verify.reply import quoted

Command: TypeAlias = tuple[bytes, ...]
"""The words of a command, its name first. Of memcache, the value is at the place of its length (`has_value`), and a
single word may be a whole line."""

STORES = (b"set", b"add", b"replace", b"append", b"prepend", b"cas")
"""The commands of memcache that store a value."""

VALUE = 3
"""The place of the value behind the name of one of these."""


def has_value(command: Sequence[object]) -> bool:
    """True for a command of memcache with a value among its words."""
    return command[0] in STORES and len(command) > 1 + VALUE


_LONGEST_SHOWN = 64
"""Bytes of a word that are shown."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a case, and the connection that it is sent on."""

    command: Command
    connection: int = 0
    wait_ms: int = 0
    """The time for which nothing is sent after the reply: more than enough for a key to expire."""

    def __str__(self) -> str:
        words = " ".join(word_shown(word) for word in self.command)
        where = f"[{self.connection}] " if self.connection else ""
        return f"{where}{words}{f' (wait {self.wait_ms} ms)' if self.wait_ms else ''}"


def word_shown(word: bytes) -> str:
    """Return a word as a command line has it: in quotes when it is empty or has more than plain characters.

    Of a long word, the beginning and its length are shown.
    """
    if len(word) > _LONGEST_SHOWN:
        return f'"{quoted(word[:_LONGEST_SHOWN])}…" ({len(word)} bytes)'
    text = quoted(word)
    return text if word and text == word.decode(errors="replace") and " " not in text else f'"{text}"'
