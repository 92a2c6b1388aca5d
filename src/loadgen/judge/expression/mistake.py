"""What is wrong with an expression: a position and a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in an expression."""

    at: int
    """The position in the text, from 0."""
    sentence: str
    is_unknown: bool = False
    """True for a name, function or selector that does not exist."""

    def __str__(self) -> str:
        """Return the sentence after its column, which counts from 1."""
        return f"column {self.at + 1}: {self.sentence}"


class Malformed(ValueError):
    """A text that is no expression."""

    def __init__(self, at: int, sentence: str) -> None:
        self.mistake = Mistake(at, sentence)
        super().__init__(str(self.mistake))


def cut(word: str) -> str:
    """Return a word of the text for a message, in quotes, without characters that a terminal acts on."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in word[:LONGEST_SHOWN])
    return f'"{shown}{"…" * (len(word) > LONGEST_SHOWN)}"'


def instead(word: str, known: Iterable[str], noun: str) -> str:
    """Return a suggestion for an unknown word: the nearest known one, or all of them."""
    names = list(known)
    lower = {name.lower(): name for name in reversed(names)}
    word = word[:LONGEST_SHOWN]
    if near := lower.get(word.lower()) or next(iter(get_close_matches(word, names, n=1)), ""):
        return f"did you mean {near}?"
    return f"the {noun} are {', '.join(names)}" if names else f"there are no {noun} here"
