"""A reader of the YAML that redlite-dst's specifications are written in, with the position of every value.

The part of YAML 1.2 that it knows: mappings and sequences, in blocks and in brackets, plain and quoted scalars on one
line, comments. Anchors, tags, texts over several lines and several documents are refused by name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from loadgen.config.document.positions import Position
from loadgen.config.document.toml_file import MAX_NESTING, TomlFile, text_of
from loadgen.config.tables.table import Path as KeyPath
from loadgen.errors import ConfigError

__all__ = ["parsed", "text_of"]

_INTEGER = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
_KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[\]{},#&*!|>%@`-][^:#]*?|-[^\s:#][^:#]*?)\s*:(?=\s|$)""")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""")
_PLAIN_IN_BRACKETS = re.compile(r"(?:[^,\[\]{}:#]|:(?!\s)|(?<!\s)#)+")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_REFUSED = {
    "&": "an anchor",
    "*": "an alias",
    "!": "a tag",
    "|": "a text over several lines",
    ">": "a text over several lines",
    "%": "a directive",
    "@": "a reserved sign",
    "`": "a reserved sign",
}


def parsed(text: str, source: str) -> TomlFile:
    """Return the file of a text, which messages call `source`. Raises ConfigError for what cannot be read."""
    reader = _Reader(text, source)
    tree = reader.document()
    return TomlFile(source, tree, reader.positions)


@dataclass(slots=True)
class _Line:
    """A line that is not blank."""

    number: int
    indent: int
    text: str
    """Without indentation and comment."""


class _Reader:
    """One pass over the lines; `at` is the index of the next one."""

    def __init__(self, text: str, source: str) -> None:
        self.positions: dict[KeyPath, Position] = {}
        self._source = source
        self._lines = [line for number, raw in enumerate(text.splitlines(), 1) if (line := self._line(number, raw))]
        self._at = 0

    def _line(self, number: int, raw: str) -> _Line | None:
        text = _without_comment(raw).rstrip()
        inner = text.lstrip(" ")
        if not inner or (inner == "---" and text == inner):
            return None
        if inner.startswith("\t"):
            self._refuse(number, 1, "is indented by a tab, which YAML does not take; write spaces")
        return _Line(number, len(text) - len(inner), inner)

    def document(self) -> dict[str, Any]:
        if not self._lines:
            return {}
        tree = self._node((), self._lines[0].indent)
        if self._at < len(self._lines):
            line = self._lines[self._at]
            self._refuse(line.number, line.indent + 1, "is indented as no line before it")
        if not isinstance(tree, dict):
            self._refuse(self._lines[0].number, 1, "is no mapping; a specification begins with a key such as version:")
        return tree

    def _node(self, path: KeyPath, indent: int) -> Any:
        """Read the block at an indentation."""
        if len(path) > MAX_NESTING:
            self._refuse(self._lines[self._at].number, indent + 1, "is nested deeper than any specification")
        return self._sequence(path, indent) if _is_item(self._lines[self._at].text) else self._mapping(path, indent)

    def _sequence(self, path: KeyPath, indent: int) -> list[Any]:
        found: list[Any] = []
        while (line := self._next(indent)) is not None and _is_item(line.text):
            rest = line.text[1:].lstrip(" ")
            inner = indent + len(line.text) - len(rest)
            place = (*path, len(found))
            self.positions[place] = (line.number, inner + 1)
            if _is_item(rest) or _KEY.match(rest):
                # The rest of the line is the first line of a block.
                self._lines[self._at] = _Line(line.number, inner, rest)
                found.append(self._node(place, inner))
            else:
                self._at += 1
                found.append(self._value(place, line, rest, inner) if rest else self._below(place, indent + 1))
        return found

    def _mapping(self, path: KeyPath, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (line := self._next(indent)) is not None and not _is_item(line.text):
            match = _KEY.match(line.text)
            if match is None:
                self._refuse(line.number, indent + 1, "has no key; write KEY: VALUE")
            key = str(_scalar(match[1]))
            if key in found:
                self._refuse(line.number, indent + 1, f"has the key {key} a second time")
            place = (*path, key)
            self.positions[place] = (line.number, indent + 1)
            rest = line.text[match.end() :].lstrip(" ")
            self._at += 1
            if rest:
                found[key] = self._value(place, line, rest, indent + len(line.text) - len(rest))
            else:
                # A sequence may stand as far left as its key.
                after = self._lines[self._at] if self._at < len(self._lines) else None
                same = after is not None and after.indent == indent and _is_item(after.text)
                found[key] = self._below(place, indent if same else indent + 1)
        return found

    def _next(self, indent: int) -> _Line | None:
        """Return the next line where it belongs to a block of an indentation."""
        if self._at == len(self._lines) or (line := self._lines[self._at]).indent < indent:
            return None
        if line.indent > indent:
            self._refuse(line.number, line.indent + 1, "is indented further than the lines beside it")
        return line

    def _below(self, path: KeyPath, least: int) -> Any:
        """Read the block under a key or a dash, which is indented by `least` or more; None where there is none."""
        if self._at == len(self._lines) or self._lines[self._at].indent < least:
            return None
        return self._node(path, self._lines[self._at].indent)

    def _value(self, path: KeyPath, line: _Line, text: str, column: int) -> Any:
        """Read a value that begins on the line of its key or dash; brackets may go on over the next lines."""
        if text[0] not in "[{":
            return self._one(line.number, column, text)
        while _depth(text) > 0 and self._at < len(self._lines):
            text = f"{text} {self._lines[self._at].text}"
            self._at += 1
        value, end = self._brackets(path, line.number, column, text, 0)
        if text[end:].strip():
            self._refuse(line.number, column + end + 1, "has more behind a closing bracket")
        return value

    def _brackets(self, path: KeyPath, number: int, column: int, text: str, at: int) -> tuple[Any, int]:
        """Read the value at a place of a text, and return where it ends."""
        self.positions.setdefault(path, (number, column + at + 1))
        if len(path) > MAX_NESTING:
            self._refuse(number, column + at + 1, "is nested deeper than any specification")
        if text[at] not in "[{":
            return self._word(number, column, text, at)
        is_list = text[at] == "["
        values: list[Any] = []
        pairs: dict[str, Any] = {}
        at = _skipped(text, at + 1)
        while at < len(text) and text[at] not in "]}":
            if is_list:
                value, at = self._brackets((*path, len(values)), number, column, text, at)
                values.append(value)
            else:
                key, after = self._word(number, column, text, at)
                self.positions[*path, str(key)] = (number, column + at + 1)
                at = _skipped(text, after)
                if text[at : at + 1] != ":":
                    self._refuse(number, column + at + 1, "has no colon behind a key in brackets")
                at = _skipped(text, at + 1)
                pairs[str(key)], at = self._brackets((*path, str(key)), number, column, text, at)
            at = _skipped(text, at)
            if text[at : at + 1] == ",":
                at = _skipped(text, at + 1)
            elif at < len(text) and text[at] not in "]}":
                self._refuse(number, column + at + 1, "has no comma between two values in brackets")
        if text[at : at + 1] != ("]" if is_list else "}"):
            self._refuse(number, column + at + 1, f"lacks the closing {']' if is_list else '}'}")
        return (values if is_list else pairs), at + 1

    def _word(self, number: int, column: int, text: str, at: int) -> tuple[Any, int]:
        """Read the scalar at a place between brackets, and return where it ends."""
        match = _QUOTED.match(text, at) or _PLAIN_IN_BRACKETS.match(text, at)
        if match is None:
            self._refuse(number, column + at + 1, "has no value where one is due")
        return self._one(number, column + at, match[0].strip()), match.end()

    def _one(self, number: int, column: int, text: str) -> Any:
        """Read a scalar."""
        if text[0] in "\"'" and not _QUOTED.fullmatch(text):
            self._refuse(number, column + 1, "has a quote that is not closed, or more behind it")
        if text[0] in _REFUSED:
            self._refuse(number, column + 1, f"has {_REFUSED[text[0]]}, which this reader does not know; write it out")
        try:
            return _scalar(text)
        except ValueError:
            self._refuse(number, column + 1, "has an escape that this reader does not know")

    def _refuse(self, number: int, column: int, why: str) -> NoReturn:
        raise ConfigError([f"{self._source}:{number}:{column}: {why}"])


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _skipped(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _parts(text: str) -> list[tuple[int, str]]:
    """Return the characters of a text that are not in quotes, each with its offset."""
    found, at = [], 0
    while at < len(text):
        # A quote inside a plain word, such as that of it's, is a character like others.
        begins = at == 0 or text[at - 1] in " [{,:"
        quoted = _QUOTED.match(text, at) if begins else None
        if quoted is None:
            found.append((at, text[at]))
        at = at + 1 if quoted is None else quoted.end()
    return found


def _without_comment(text: str) -> str:
    for at, sign in _parts(text):
        if sign == "#" and (at == 0 or text[at - 1] in " \t"):
            return text[:at]
    return text


def _depth(text: str) -> int:
    """Return the number of brackets that are open at the end of a text."""
    return sum((sign in "[{") - (sign in "]}") for _, sign in _parts(text))


def _scalar(text: str) -> Any:
    """Return the value of a scalar. Raises ValueError."""
    if text[:1] == '"':
        return json.loads(text)
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
