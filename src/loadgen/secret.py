"""Masking of a password in text from outside, in each of its spellings. Pure functions.

An error reply may repeat what the server received, and a log the server's command line: verbatim, escaped, as hex or
base64.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

MASK = "***"

LONG = 8
"""A match with this many characters of a password's beginning is not by chance."""

SHORT = 4
"""A password of fewer characters is masked only where it is a whole word, as any text may contain it by chance."""


def masked(text: str, password: str) -> str:
    """Return the text with `***` for each occurrence of the password, and for a beginning of it at the text's end.

    A server may cut what it repeats and go on, so a beginning of LONG characters is masked anywhere in the text.
    """
    if not password or not text:
        return text
    text = _pattern(password).sub(MASK, text)
    for spelling in _spellings(password):
        at = 0
        while len(spelling) > LONG and (at := text.find(spelling[:LONG], at)) >= 0:
            end = at + LONG
            while end < len(text) and end - at < len(spelling) and text[end] == spelling[end - at]:
                end += 1
            text, at = text[:at] + MASK + text[end:], at + len(MASK)
    for spelling in _spellings(password):
        for length in range(len(spelling) - 1, SHORT - 1, -1):
            if text.endswith(spelling[:length]):
                return text[:-length] + MASK
    return text


def without_user(text: str) -> str:
    """Return the text with `***` for the user and password of the URL that it begins with, where it has any."""
    return _USER.sub(rf"\g<1>{MASK}@", text)


def words_without_secrets(words: Sequence[str], password: str) -> list[str]:
    """Return the words of a command line with `***` for the password, and for users and passwords of URLs in them."""
    return [masked(_USERS.sub(rf"\g<1>{MASK}@", word), password) for word in words]


_USERS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s\"']*@")
"""The user of a URL anywhere in a text."""

_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")


@lru_cache(maxsize=16)
def _spellings(password: str) -> tuple[str, ...]:
    """Return the ways in which a program may print the password, the longest first."""
    data = password.encode(errors="surrogateescape")
    ways = {
        password,
        data.decode("latin-1"),
        repr(data)[2:-1],
        repr(password)[1:-1],
        json.dumps(password)[1:-1],
        json.dumps(password, ensure_ascii=False)[1:-1],
        password.encode("unicode_escape", "backslashreplace").decode(),
        "".join(f"\\x{byte:02x}" for byte in data),
        quote(data, safe=""),
        data.hex(),
        data.hex().upper(),
        data.hex(" "),
        base64.b64encode(data).decode(),
    }
    return tuple(sorted(ways, key=len, reverse=True))


@lru_cache(maxsize=16)
def _pattern(password: str) -> re.Pattern[str]:
    ways = "|".join(
        rf"(?<!\w){re.escape(way)}(?!\w)" if len(way) < SHORT else re.escape(way) for way in _spellings(password)
    )
    return re.compile(ways)
