"""The position of each key in a TOML text: key path → (line, column), both counted from 1, in characters.

TOML parsers return values without positions, so the text is scanned a second time. tomli has accepted the text: the
scan checks no syntax, and only finds where keys, strings, arrays and inline tables begin and end.
"""

from __future__ import annotations

import re
from bisect import bisect_right

import tomli

from loadgen.config.tables.table import Path

Position = tuple[int, int]

_BLANK = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[^\s.=\]\[\"'#,{}]+")
_SCALAR = re.compile(r"[^\n,\]}#]*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def key_positions(text: str) -> dict[Path, Position]:
    """Return the position of every key, table and array element that tomli finds in `text`, which must be valid TOML.

    A table's position is in its own header, or else in the first longer header or dotted key that names the table.
    """
    # tomli counts a CRLF as one character, and the columns in its errors should agree with ours.
    text = text.replace("\r\n", "\n")
    scan = _Scan(text)
    scan.document()
    line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def position(offset: int) -> Position:
        line = bisect_right(line_starts, offset)
        return line, offset - line_starts[line - 1] + 1

    return {path: position(offset) for path, offset in scan.offsets.items()}


class _Scan:
    """One pass over the text; `at` is the offset of the next unread character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.offsets: dict[Path, int] = {}
        self.last_index: dict[Path, int] = {}
        """For each array of tables, the index of the element that a header inside it belongs to."""

    def document(self) -> None:
        table: Path = ()
        while self._skip(_BLANK):
            if self._peek("[["):
                table = self._header(2)
            elif self._peek("["):
                table = self._header(1)
            else:
                self._key_value(table)

    def _header(self, brackets: int) -> Path:
        self.at += brackets
        path: Path = ()
        *parents, (name, offset) = self._key()
        self.at += brackets
        for parent, parent_offset in parents:
            path = (*path, parent)
            self.offsets.setdefault(path, parent_offset)
            if path in self.last_index:
                path = (*path, self.last_index[path])
        path = (*path, name)
        if brackets == 2:
            self.offsets.setdefault(path, offset)
            index = self.last_index[path] = self.last_index.get(path, -1) + 1
            path = (*path, index)
        self.offsets[path] = offset
        return path

    def _key_value(self, table: Path) -> None:
        path = table
        for name, offset in self._key():
            path = (*path, name)
            self.offsets.setdefault(path, offset)
        self.at += 1  # the equals sign, on which _key stopped
        self._value(path)

    def _key(self) -> list[tuple[str, int]]:
        """Return the parts of a dotted key, each with its offset, and stop on the first character after the key."""
        parts = []
        while True:
            self._skip(_SPACES)
            start = self.at
            if match := _STRING.match(self.text, start):
                # tomli decodes the escapes.
                name = str(tomli.loads(f"name = {match[0]}")["name"])
            else:
                match = _BARE_KEY.match(self.text, start)
                assert match is not None, f"no key at offset {start} of a text that tomli accepted"
                name = match[0]
            parts.append((name, start))
            self.at = match.end()
            self._skip(_SPACES)
            if not self._peek("."):
                return parts
            self.at += 1

    def _value(self, path: Path) -> None:
        self._skip(_SPACES)
        if match := _STRING.match(self.text, self.at):
            self.at = match.end()
        elif self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._skip(_BLANK) and not self._peek("]"):
            if self._peek(","):
                self.at += 1
                continue
            element = (*path, index)
            self.offsets[element] = self.at
            self._value(element)
            index += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self._skip(_BLANK) and not self._peek("}"):
            if self._peek(","):
                self.at += 1
            else:
                self._key_value(path)
        self.at += 1

    def _peek(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Skip what matches. Return True unless the text has ended."""
        match = pattern.match(self.text, self.at)
        assert match is not None, "every pattern that is skipped matches the empty string"
        self.at = match.end()
        return self.at < len(self.text)
