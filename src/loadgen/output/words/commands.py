"""Commands to be copied: on one line, or on several as a shell reads them."""

from __future__ import annotations

import shlex

from loadgen.escape import printable

LONGEST = 4000
"""Characters of a command, which must be whole."""


def line(command: str) -> str:
    """Return a command, whole and on one line."""
    return printable(command, LONGEST)


def lines(command: str, room: int) -> list[str]:
    """Return a command on lines of `room` columns, as a shell reads it when all of them are copied."""
    words = [shlex.quote(word) for word in shlex.split(command)]
    parts = [" ".join(words[:2])]
    for word in words[2:]:
        flag = parts[-1]
        # A flag and its value stay together where they have room.
        if flag.startswith("-") and " " not in flag and len(f"{flag} {word}") + 2 <= room:
            parts[-1] = f"{flag} {word}"
        else:
            parts.append(word)
    found: list[str] = []
    for part in parts:
        if found and len(found[-1]) + len(part) + 3 <= room:
            found[-1] += f" {part}"
        else:
            found.append(part)
    return [f"{line(each)}{' ' + chr(92) if each is not found[-1] else ''}" for each in found]
