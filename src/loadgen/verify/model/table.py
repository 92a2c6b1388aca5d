"""The table of the model's commands: a name, how many words a command has, and the function that carries it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.reply import Reply

Handler: TypeAlias = Callable[[Keyspace, Sequence[bytes]], Reply]
"""Carries out a command on a keyspace; the words do not have the command's name. Raises CommandError."""


class Row(NamedTuple):
    """A command."""

    arity: int
    """The number of words with the name; negative for the least number."""
    handler: Handler

    def takes(self, words: int) -> bool:
        """True when a command of this many words, its name included, can be this one."""
        return words == self.arity if self.arity > 0 else words >= -self.arity


class Table(dict[bytes, Row]):
    """The commands of a group, by their names in upper case."""

    def command(self, name: str, arity: int) -> Callable[[Handler], Handler]:
        """Register the decorated function as a command."""

        def registered(handler: Handler) -> Handler:
            self[name.encode()] = Row(arity, handler)
            return handler

        return registered
