"""What a written case expects of a reply: conditions on one reply, with its type. Values; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from loadgen.verify.reply import Error, Map, Null, Reply, Set, Status, shown, type_name

TYPES = ("bytes", "integer", "double", "status", "error", "array", "nil")
"""The names of types in a spec file. `bytes` is a bulk string, and `nil` either null."""


class Expectation(Protocol):
    """A condition on a reply. As text it is the end of a sentence: the server answered X, not …"""

    def met(self, reply: Reply) -> bool: ...


@dataclass(frozen=True, slots=True)
class Exactly:
    """A bulk string, an integer or a status."""

    reply: bytes | int | Status

    def met(self, reply: Reply) -> bool:
        return type(reply) is type(self.reply) and reply == self.reply

    def __str__(self) -> str:
        return shown(self.reply)


@dataclass(frozen=True, slots=True)
class Elements:
    """An array, by what is expected of each element in its order."""

    elements: tuple[Expectation, ...]

    def met(self, reply: Reply) -> bool:
        return (
            isinstance(reply, tuple)
            and len(reply) == len(self.elements)
            and all(each.met(element) for each, element in zip(self.elements, reply, strict=True))
        )

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.elements))}]"


@dataclass(frozen=True, slots=True)
class Members:
    """An array or a set, whose elements may come in any order."""

    members: tuple[Reply, ...]

    def met(self, reply: Reply) -> bool:
        found = reply.members if isinstance(reply, Set) else reply
        return isinstance(found, tuple) and _sorted(found) == _sorted(self.members)

    def __str__(self) -> str:
        return f"{shown(self.members)} in any order"


@dataclass(frozen=True, slots=True)
class Pairs:
    """A map, or an array of names and values in turns. The pairs may come in any order."""

    pairs: tuple[tuple[Reply, Reply], ...]

    def met(self, reply: Reply) -> bool:
        if isinstance(reply, Map):
            found: Sequence[Reply] = reply.pairs
        elif isinstance(reply, tuple) and len(reply) % 2 == 0:
            found = [*zip(reply[::2], reply[1::2], strict=True)]
        else:
            return False
        return _sorted(found) == _sorted(self.pairs)

    def __str__(self) -> str:
        return f"{shown(tuple(word for pair in self.pairs for word in pair))} as pairs in any order"


@dataclass(frozen=True, slots=True)
class Between:
    """A number within bounds: an integer, a double, or a bulk string that has one."""

    least: float
    most: float

    def met(self, reply: Reply) -> bool:
        value = _number(reply)
        return value is not None and self.least <= value <= self.most

    def __str__(self) -> str:
        least, most = _plain(self.least), _plain(self.most)
        return f"the number {least}" if least == most else f"a number from {least} to {most}"


@dataclass(frozen=True, slots=True)
class OfType:
    """A reply of a type of `TYPES`."""

    name: str

    def met(self, reply: Reply) -> bool:
        if self.name == "nil":
            return isinstance(reply, Null)
        return type_name(reply) == ("bulk" if self.name == "bytes" else self.name)

    def __str__(self) -> str:
        if self.name == "nil":
            return "nil"
        return f"{'an' if self.name[0] in 'aei' else 'a'} {'bulk string' if self.name == 'bytes' else self.name}"


@dataclass(frozen=True, slots=True)
class ErrorOf:
    """An error, by the words that it begins with."""

    words: bytes

    def met(self, reply: Reply) -> bool:
        return isinstance(reply, Error) and (reply.text + b" ").startswith(self.words + b" ")

    def __str__(self) -> str:
        return f"an error {self.words.decode(errors='backslashreplace')}"


def _sorted(replies: Sequence[Reply]) -> list[str]:
    return sorted(map(repr, replies))


def _number(reply: Reply) -> float | None:
    """Return the number that a reply is or has; None where there is none."""
    if isinstance(reply, bool) or not isinstance(reply, (int, float, bytes)):
        return None
    try:
        return float(reply)
    except ValueError:
        return None


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
