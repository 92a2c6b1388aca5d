"""Escapes for text from outside, one function for each destination. Pure functions.

Text from outside comes from a server, a configuration, a file name, an environment or a command line. In every
destination, such text stays on its line, moves no cursor, changes no reading direction, gives no command to the reader
of the output, and is cut to a length.
"""

from __future__ import annotations

import re

LONGEST = 160
"""The most characters of a text that are shown, by default."""

LONGEST_IN_JSON = 4096
"""The same for a record, which programs read and people search."""

# CI systems execute some lines of a log as commands. GitHub's begin with `::name`, after blanks, and have another `::`;
# Azure's and TeamCity's, and GitHub's older ones, have `##name[` anywhere. Our line breaks can move any word to the
# beginning of a line.
_COMMAND = re.compile(r"(?<!\S):(?=:[A-Za-z].*::)|#(?=#\w*\[)")

# Markup of Markdown that a backslash does not escape. GitHub makes a link of every bare address.
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "://": "&#58;//", "www.": "www&#46;"}

# The parts of our own outputs that are not printable characters: line ends and colours.
_OURS = re.compile(r"(\n|\x1b\[[0-9;]*m)")


def printable(words: str, longest: int = LONGEST) -> str:
    """Escape for a terminal or a log: one line, at most `longest` characters, unprintable ones spelled as `\\x1b`."""
    if len(words) > longest:
        # Cut here and again below, as escapes lengthen the text.
        words = words[: longest - 1] + "…"
    shown = _COMMAND.sub(_escape_match, "".join(map(_escape_char, words)))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def guarded(text: str) -> str:
    """Escape a whole output of ours before it is written; only its own line ends and colours are kept."""
    text = _COMMAND.sub(_escape_match, text)
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(part if _OURS.fullmatch(part) else "".join(map(_escape_char, part)) for part in _OURS.split(text))


def markdown(words: str, longest: int = LONGEST) -> str:
    """Escape for a line or a table's cell of Markdown: the text becomes no markup, link, image or other cell."""
    plain = re.sub(r"([\\`*_\[\]~@#!])", r"\\\1", " ".join(printable(words, longest).split()))
    for sign, entity in _MARKUP.items():
        plain = plain.replace(sign, entity)
    return plain


def xml(words: str, longest: int = LONGEST) -> str:
    """Escape the characters that XML forbids, for an attribute or an element; the XML library escapes the markup."""
    return "".join(c if _is_xml(c) else f"\\u{ord(c):04x}" for c in printable(words, longest))


def workflow_message(words: str, longest: int = LONGEST) -> str:
    """Escape for the message of a workflow command, as GitHub's toolkit does (`packages/core/src/command.ts`)."""
    return printable(words, longest).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(words: str, longest: int = LONGEST) -> str:
    """Escape for a property of a workflow command, such as its title."""
    return workflow_message(words, longest).replace(":", "%3A").replace(",", "%2C")


def json_text(words: str, longest: int = LONGEST_IN_JSON) -> str:
    """Cut for a string of JSON in UTF-8, and escape lone surrogates, which UTF-8 cannot encode."""
    cut = words if len(words) <= longest else words[: longest - 1] + "…"
    return cut.encode("utf-8", "backslashreplace").decode("utf-8")


def json_line(line: bytes) -> bytes:
    """Escape unprintable characters and CI commands in one line of JSON in UTF-8; only strings contain any.

    `str.splitlines` takes some unprintable characters for the end of a record: U+0085, U+2028 and U+2029.
    """
    text = line.decode("utf-8")
    if text.removesuffix("\n").isprintable() and "##" not in text:
        return line
    escaped = _COMMAND.sub(lambda found: _json_escape(found.group()), text)
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in escaped).encode("utf-8")


def _escape_char(c: str) -> str:
    return c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()


def _escape_match(found: re.Match[str]) -> str:
    return f"\\x{ord(found.group()):02x}"


def _json_escape(c: str) -> str:
    units = c.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _is_xml(c: str) -> bool:
    return not 0xFFFE <= ord(c) & 0xFFFF <= 0xFFFF
