"""The parser of a command line: words → Given. An error is one sentence that names the flag as typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from loadgen.cli.options.given import Given, Word
from loadgen.cli.options.option import Option, Syntax
from loadgen.errors import UsageError
from loadgen.escape import printable


class HelpWanted(Exception):
    """Raised when the words ask for the verb's help text, and for nothing else."""


def parse(syntax: Syntax, words: Sequence[str]) -> Given:
    """Read a verb's command line. Raises UsageError for the first mistake, HelpWanted for `--help`."""
    return _Parser(syntax, words).given()


class _Parser:
    def __init__(self, syntax: Syntax, words: Sequence[str]) -> None:
        self.syntax = syntax
        self.rest = list(words)
        self.known: Mapping[str, Option] = {
            spelling: option for option in (*syntax.refused, *syntax.options()) for spelling in option.all_spellings
        }
        self.found: list[Word] = []
        self.loose: list[str] = []

    def given(self) -> Given:
        while self.rest:
            word = self.rest.pop(0)
            if word == "--":
                self.loose += self.rest
                break
            if word == "-" or not word.startswith("-"):
                self.loose.append(word)
            else:
                self.flag(word)
        for option in self.syntax.options():
            if option.required and not any(each.option is option for each in self.found):
                raise UsageError(f"{option.spellings[-1]} is missing: {option.what}.")
        return Given(self.syntax, self.found, _placed(self.syntax, self.loose))

    def flag(self, word: str) -> None:
        if word == "--help" or (word == "-h" and ("-h" not in self.known or not self.has_value())):
            raise HelpWanted
        spelling, value = self.split(word)
        option = self.known.get(spelling)
        if option is None:
            raise UsageError(f"{_shown(spelling)}: unknown option{self.hint(spelling)}")
        if option.kind is None:
            if value is not None:
                raise UsageError(f"{spelling}: takes no value, so {_shown(word)} says nothing; write {spelling}.")
        elif value is None:
            value = self.next_value(option, spelling)
        if option.refusal or option.harmless:
            if (value or "") not in option.harmless:
                if sentence := _betrayed(option, value):
                    raise UsageError(f"{spelling} {sentence}.")
                raise UsageError(f"{spelling}: {option.refusal}.")
            self.found.append(Word(option, spelling, value, value))
            return
        if value is None:
            self.found.append(Word(option, spelling, option.sets))
            return
        assert option.kind is not None, "a switch has no value"
        if sentence := _betrayed(option, value):
            raise UsageError(f"{spelling} {sentence}.")
        try:
            self.found.append(Word(option, spelling, option.kind.read(value), value))
        except ValueError as error:
            raise UsageError(ended(f"{spelling}: {error}")) from None

    def split(self, word: str) -> tuple[str, str | None]:
        """Return the flag, and the value in the same word, if any: `--port=1`, or `-p1` where `-p` takes a value."""
        if word in self.known:
            return word, None
        spelling, equals, value = word.partition("=")
        if equals and (word.startswith("--") or spelling in self.known):
            return spelling, value
        short = self.known.get(word[:2])
        if not word.startswith("--") and short is not None and short.kind is not None:
            return word[:2], word[2:]
        return word, None

    def has_value(self) -> bool:
        """True when the next word can be a value: negative numbers and `-` can, flags cannot."""
        if not self.rest:
            return False
        word = self.rest[0]
        return not (word.startswith("--") or word in self.known) if word.startswith("-") else True

    def next_value(self, option: Option, spelling: str) -> str | None:
        if self.has_value() and not (option.bare and self.rest[0].startswith("-")):
            return self.rest.pop(0)
        if option.bare:
            return None
        after = f", and {_shown(self.rest[0])} is an option; write {spelling}=VALUE if it is meant" if self.rest else ""
        raise UsageError(f"{spelling}: needs a value ({option.shown_value}){after}.")

    def offered(self) -> list[str]:
        """Return the long flags that are acted on."""
        return [name for option in self.syntax.options() for name in option.all_spellings if name.startswith("--")]

    def hint(self, spelling: str) -> str:
        word = spelling.lower()[:40]
        for each in self.syntax.positionals:
            if get_close_matches(word, [f"--{each.metavar.lower()}"], cutoff=0.8):
                return f"; {each.metavar} is written without a flag before it."
        near = get_close_matches(word, self.offered(), n=1)
        return f"; did you mean {near[0]}?" if near and len(spelling) > 2 else "; --help lists them."


def ended(sentence: str) -> str:
    """Return the sentence with a full stop, unless it ends in a question mark."""
    return sentence if sentence.endswith("?") else f"{sentence}."


def _betrayed(option: Option, value: str | None) -> str:
    return option.betrays(value) if option.betrays is not None and value is not None else ""


def _placed(syntax: Syntax, loose: Sequence[str]) -> dict[str, Any]:
    """Return the words without a flag, by name. Raises UsageError for too few or too many."""
    rest = list(loose)
    values: dict[str, Any] = {}
    for each in syntax.positionals:
        taken = [rest.pop(0) for _ in range(len(rest) if each.most is None else min(each.most, len(rest)))]
        if len(taken) < each.least:
            raise UsageError(f"{each.metavar} is missing: {each.what}.")
        values[each.name] = (taken[0] if taken else None) if each.most == 1 else taken
    if rest:
        expected = ", ".join(each.metavar for each in syntax.positionals)
        after = f" after {expected}" if expected else ""
        raise UsageError(f"{_shown(rest[0])} is one word too many{after}{'; ' * bool(syntax.stray)}{syntax.stray}.")
    return values


def _shown(word: str) -> str:
    return printable(word, 60)
