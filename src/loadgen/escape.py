"""Text from outside, made harmless: one function for each place that it goes to. Pure functions.

From outside is whatever a server, a configuration, a file name, an environment or a command line has said. In every
target, such text stays on its line, moves no cursor, turns no reading direction, gives no command to whatever reads the
output, and is cut to a length.
"""

from __future__ import annotations

import re

LONGEST = 160
"""Characters of a text that are shown, unless the caller says another number."""

LONGEST_IN_JSON = 4096
"""The same in a record, which programs read and people search."""

# A CI system takes some lines of a log for commands. GitHub's begin with `::name`, after blanks, and have another `::`;
# Azure's and TeamCity's, and GitHub's older ones, have `##name[` anywhere. Our line breaks can bring any word to the
# beginning of a line.
_COMMAND = re.compile(r"(?<!\S):(?=:[A-Za-z].*::)|#(?=#\w*\[)")

# In Markdown, what no backslash takes the meaning from. GitHub makes a link of every bare address.
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "://": "&#58;//", "www.": "www&#46;"}

# What an output of ours may hold beside printable characters: its own line ends and colours.
_OURS = re.compile(r"(\n|\x1b\[[0-9;]*m)")


def printable(words: str, longest: int = LONGEST) -> str:
    """For a terminal or a log: on one line, cut to `longest` characters, with `\\x1b` for what is no sign."""
    if len(words) > longest:
        # Cut before the escapes, which can be long, and after.
        words = words[: longest - 1] + "…"
    shown = _COMMAND.sub(_spelled, "".join(map(_sign, words)))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def guarded(text: str) -> str:
    """For a whole output of ours on its way out: only its own line ends and colours are kept as they are."""
    text = _COMMAND.sub(_spelled, text)
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(part if _OURS.fullmatch(part) else "".join(map(_sign, part)) for part in _OURS.split(text))


def markdown(words: str, longest: int = LONGEST) -> str:
    """For a line or a table's cell of Markdown: it becomes no markup, no link, no image and no other cell."""
    plain = re.sub(r"([\\`*_\[\]~@#!])", r"\\\1", " ".join(printable(words, longest).split()))
    for sign, entity in _MARKUP.items():
        plain = plain.replace(sign, entity)
    return plain


def xml(words: str, longest: int = LONGEST) -> str:
    """For an attribute or an element of XML (JUnit, SVG), whose library escapes the markup but not what XML forbids."""
    return "".join(c if _is_xml(c) else f"\\u{ord(c):04x}" for c in printable(words, longest))


def workflow_message(words: str, longest: int = LONGEST) -> str:
    """For the message of a workflow command, as GitHub's own toolkit does it (`packages/core/src/command.ts`)."""
    return printable(words, longest).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(words: str, longest: int = LONGEST) -> str:
    """For a property of a workflow command, such as its title."""
    return workflow_message(words, longest).replace(":", "%3A").replace(",", "%2C")


def json_text(words: str, longest: int = LONGEST_IN_JSON) -> str:
    """For a string of JSON: cut, and with the halves of surrogate pairs, which JSON has no spelling for, escaped."""
    cut = words if len(words) <= longest else words[: longest - 1] + "…"
    return cut.encode("utf-8", "backslashreplace").decode("utf-8")


def json_line(line: bytes) -> bytes:
    """For one line of JSON in UTF-8: what is no sign, which only its strings have, is spelled as an escape.

    `str.splitlines` takes some of these for the end of a record: U+0085, U+2028 and U+2029.
    """
    text = line.decode("utf-8")
    if text.removesuffix("\n").isprintable() and "##" not in text:
        return line
    told = _COMMAND.sub(lambda found: _json_escape(found.group()), text)
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in told).encode("utf-8")


def _sign(c: str) -> str:
    return c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()


def _spelled(found: re.Match[str]) -> str:
    return f"\\x{ord(found.group()):02x}"


def _json_escape(c: str) -> str:
    units = c.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _is_xml(c: str) -> bool:
    return not 0xFFFE <= ord(c) & 0xFFFF <= 0xFFFF
