"""A property of servers as a value: its commands, the law over their replies, and whether the server is restarted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from loadgen.protocol import Wire
from loadgen.verify.grammar.groups import Group
from loadgen.verify.reply import Reply
from loadgen.verify.step import Command, Step
from loadgen.verify.subject.subject import Restart

Law: TypeAlias = Callable[[Sequence[Step], Sequence[Reply]], str]
"""Returns how the replies to some steps break a law, in a sentence without its full stop; empty when they do not."""

State: TypeAlias = tuple[str, Callable[[Step, Reply], bool]]
"""A state that cases are to reach, as words, and what tells a step and its reply in which a case has reached it."""


@dataclass(frozen=True, slots=True)
class Property:
    """A property."""

    name: str
    invariant: str
    """What must hold, as a sentence."""
    group: Group
    needs: tuple[bytes, ...]
    """The commands without which there is nothing to judge."""
    law: Law | None = None
    restart: Restart | None = None
    """How the server is ended, and started again with its data, before its state is compared."""
    last: tuple[tuple[Command, int], ...] = ()
    """Commands after those that are drawn, each with the time to wait after it, in ms."""
    states: tuple[State, ...] = ()
    """Without these, that the property holds says little."""
    wire: Wire = Wire.RESP

    @property
    def needs_drawn(self) -> tuple[bytes, ...]:
        """The needed commands that are drawn, as none of the last commands is the same."""
        last = {command[0] for command, _ in self.last}
        return tuple(name for name in self.needs if name not in last)
