"""The kinds of values that options take: each reads a word, or raises ValueError with a sentence.

The sentence follows the flag that was typed: `-p: 99999 is not a port; ports are 1 to 65535`. The configuration checks
the values of its keys; here they are only converted to the form that they have in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from loadgen import units


@dataclass(frozen=True, slots=True)
class ValueKind:
    """A kind of value: its name in help texts, and its reader. `read` raises ValueError with a sentence."""

    metavar: str
    read: Callable[[str], object]


def _text(word: str) -> str:
    try:
        word.encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8; write it in your terminal's UTF-8 locale") from None
    return word


def _port(word: str) -> int:
    return _number(word, 1, 65535, "a port; ports are 1 to 65535")


def _port_or_any(word: str) -> int:
    return _number(word, 0, 65535, "a port; ports are 1 to 65535, and 0 takes a free one")


def _number(word: str, least: int, most: int, what: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 20 and least <= int(word) <= most):
        raise ValueError(f"{units.shown(word)} is not {what}")
    return int(word)


def _literal(word: str) -> int | float | str:
    """Return a word as TOML would read it: a number if it is one, else text."""
    for read in (int, float):
        try:
            return read(word) if len(word) <= 40 else word
        except ValueError:
            pass
    return _text(word)


def _time(word: str) -> int:
    ns = units.parse_duration(word)
    if ns == 0:
        raise ValueError(f"{units.shown(word)} is no time at all; leave the option out, or write one such as 100ms")
    return ns


def _share(word: str) -> float:
    number, per = (word[:-1], 100) if word.endswith("%") else (word, 1)
    try:
        share = float(number) / per if len(word) <= 40 else 0.0
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise ValueError(f"{units.shown(word)} is not a share; write one above 0 and up to 1, such as 1% or 0.01")
    return share


def _allowance(word: str) -> float:
    """Return a share, which may be 0."""
    return 0.0 if word in ("0", "0%") else _share(word)


def choice(names: Sequence[str]) -> ValueKind:
    """Return the kind of a value that is one of `names`."""

    def read(word: str) -> str:
        if word in names:
            return word
        near = get_close_matches(word.lower()[:40], names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"must be one of {', '.join(names)}, not {units.shown(word)}{hint}")

    return ValueKind("{" + ",".join(names) + "}", read)


def whole(metavar: str, least: int, most: int) -> ValueKind:
    """Return the kind of a whole number within bounds."""
    return ValueKind(metavar, lambda word: _number(word, least, most, f"a whole number from {least} to {most}"))


TEXT = ValueKind("TEXT", _text)
FILE = ValueKind("FILE", lambda word: Path(_text(word)))
FILE_NAME = ValueKind("FILE", _text)
FOLDER = ValueKind("FOLDER", _text)
TIME = ValueKind("TIME", _text)
"""A time for a configuration key, which the configuration reads."""
TIME_NS = ValueKind("TIME", _time)
"""A time of more than 0, read as nanoseconds."""
COUNT = ValueKind("N", units.parse_count)
RATE = ValueKind("N", units.parse_rate)
SIZE = ValueKind("SIZE", units.parse_size)
SHARE = ValueKind("SHARE", _share)
ALLOWANCE = ValueKind("SHARE", _allowance)
LITERAL = ValueKind("VALUE", _literal)
PORT = ValueKind("PORT", _port)
PORT_OR_ANY = ValueKind("PORT", _port_or_any)
