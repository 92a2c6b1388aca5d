"""A parsed command line: each option with its value and the flag as typed, and the words without a flag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from loadgen.cli.options.option import Option, Syntax


class Word(NamedTuple):
    """An option as it was typed."""

    option: Option
    spelling: str
    """The spelling of the flag that was typed, for messages."""
    value: Any
    text: str | None = None
    """The value as typed; None for a switch, and where it was left out."""


class Given:
    """The options and the words of a command line, by name; an option that was not given has its default."""

    def __init__(self, syntax: Syntax, words: Sequence[Word], positionals: dict[str, Any]) -> None:
        self.words = tuple(words)
        """The options in the order in which they were typed."""
        self._values: dict[str, Any] = dict(positionals)
        for option in syntax.options():
            off = False if option.kind is None and not option.key else None
            self._values.setdefault(option.name, off if option.default is None else option.default)
        for word in words:
            name = word.option.name
            self._values[name] = [*(self._values[name] or ()), word.value] if word.option.many else word.value

    def __getattr__(self, name: str) -> Any:
        """Return the value of an option, or of a positional."""
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def get(self, name: str) -> Any:
        """Return the value of a name that not every verb has; None when this verb does not have the name."""
        return self._values.get(name)

    def word(self, name: str) -> Word | None:
        """Return the word that gave an option its value; None when the option was not given."""
        return next((word for word in reversed(self.words) if word.option.name == name), None)
