"""JSON as Go's encoding/json reads it, with Go's sentences about what is wrong. No I/O.

Toxiproxy's answers repeat the sentences of its decoder, so a client sees the same text from both. As there, only the
first value of a text is read, and what follows is ignored.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_LEVELS = 200
"""The deepest nesting that is read; no request of the API has more than four levels."""

_SPACE = b" \t\r\n"
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ESCAPES = {ord(b): t for b, t in zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True)}
_WORDS: dict[int, tuple[bytes, bool | None]] = {
    ord("t"): (b"true", True),
    ord("f"): (b"false", False),
    ord("n"): (b"null", None),
}


class JsonError(ValueError):
    """A text that cannot be decoded, in Go's words."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


class Member(NamedTuple):
    """One member of an object."""

    name: str
    value: Value


class Object(tuple[Member, ...]):
    """An object: its members in order, names possibly repeated."""

    __slots__ = ()


Value = None | bool | str | Number | list["Value"] | Object


def first_value(text: bytes) -> Value:
    """Return the first value of a text. Raises JsonError."""
    reader = _Reader(text)
    reader.skip_space()
    if reader.at >= len(text):
        raise JsonError("EOF")
    try:
        return reader.value()
    except RecursionError:
        raise JsonError("exceeded max depth") from None


class _Reader:
    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.level = 0

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1

    def peek(self) -> int:
        """Return the byte at this place. Raises JsonError at the end of the text."""
        if self.at >= len(self.text):
            raise JsonError("unexpected EOF")
        return self.text[self.at]

    def wrong(self, where: str) -> JsonError:
        return JsonError(f"invalid character {_quoted(self.peek())} {where}")

    def value(self) -> Value:
        byte = self.peek()
        if byte == ord("{"):
            return self.nested(self.members)
        if byte == ord("["):
            return self.nested(self.items)
        if byte == ord('"'):
            return self.string()
        if byte in _WORDS:
            return self.word(*_WORDS[byte])
        if byte == ord("-") or ord("0") <= byte <= ord("9"):
            return self.number()
        raise self.wrong("looking for beginning of value")

    def nested(self, read: object) -> Value:
        self.level += 1
        if self.level > MOST_LEVELS:
            raise JsonError("exceeded max depth")
        self.at += 1
        self.skip_space()
        value: Value = read()  # type: ignore[operator]
        self.level -= 1
        return value

    def members(self) -> Object:
        found: list[Member] = []
        if self.peek() == ord("}"):
            self.at += 1
            return Object()
        while True:
            if self.peek() != ord('"'):
                raise self.wrong("looking for beginning of object key string")
            name = self.string()
            self.skip_space()
            if self.peek() != ord(":"):
                raise self.wrong("after object key")
            self.at += 1
            self.skip_space()
            found.append(Member(name, self.value()))
            self.skip_space()
            if self.peek() == ord("}"):
                self.at += 1
                return Object(found)
            if self.peek() != ord(","):
                raise self.wrong("after object key:value pair")
            self.at += 1
            self.skip_space()

    def items(self) -> list[Value]:
        found: list[Value] = []
        if self.peek() == ord("]"):
            self.at += 1
            return found
        while True:
            found.append(self.value())
            self.skip_space()
            if self.peek() == ord("]"):
                self.at += 1
                return found
            if self.peek() != ord(","):
                raise self.wrong("after array element")
            self.at += 1
            self.skip_space()

    def word(self, word: bytes, value: bool | None) -> bool | None:
        for index in range(1, len(word)):
            self.at += 1
            if self.peek() != word[index]:
                raise self.wrong(f"in literal {word.decode()} (expecting {_quoted(word[index])})")
        self.at += 1
        return value

    def number(self) -> Number:
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            self.at += 1
            raise self.wrong("in numeric literal")
        self.at = found.end()
        after = self.text[self.at : self.at + 1]
        if after in (b".", b"e", b"E"):
            self.at += 1
            if after != b"." and self.text[self.at : self.at + 1] in (b"+", b"-"):
                self.at += 1
            raise self.wrong(
                "after decimal point in numeric literal" if after == b"." else "in exponent of numeric literal"
            )
        return Number(found[0].decode())

    def string(self) -> str:
        parts = bytearray()
        self.at += 1
        while (byte := self.peek()) != ord('"'):
            if byte < 0x20:
                raise self.wrong("in string literal")
            self.at += 1
            if byte == ord("\\"):
                parts += self.escaped().encode("utf-8", "replace")
            else:
                parts.append(byte)
        self.at += 1
        return parts.decode("utf-8", "replace")

    def escaped(self) -> str:
        byte = self.peek()
        if byte in _ESCAPES:
            self.at += 1
            return _ESCAPES[byte]
        if byte != ord("u"):
            raise self.wrong("in string escape code")
        unit = self.code_unit()
        if 0xD800 <= unit < 0xDC00 and self.text[self.at : self.at + 2] == b"\\u":
            before, self.at = self.at, self.at + 1
            low = self.code_unit()
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
            self.at = before
        return "\N{REPLACEMENT CHARACTER}" if 0xD800 <= unit < 0xE000 else chr(unit)

    def code_unit(self) -> int:
        self.at += 1
        for _ in range(4):
            if self.peek() not in b"0123456789abcdefABCDEF":
                raise self.wrong("in \\u hexadecimal character escape")
            self.at += 1
        return int(self.text[self.at - 4 : self.at], 16)


def _quoted(byte: int) -> str:
    """Return a byte as Go's scanner quotes it."""
    if byte == ord("'"):
        return "'\\''"
    if byte == ord('"'):
        return "'\"'"
    named = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", ord("\\"): "\\\\"}
    text = named.get(byte) or (chr(byte) if byte >= 0x20 and not 0x7F <= byte < 0xA1 and byte != 0xAD else "")
    if text:
        return f"'{text}'"
    return f"'\\x{byte:02x}'" if byte < 0x80 else f"'\\u{byte:04x}'"
