"""The interface of a server under verification. Values and protocols; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from loadgen.protocol import Wire
from loadgen.verify.reply import Reply
from loadgen.verify.step import Step


class Restart(Enum):
    """How a server is ended before it is started again."""

    KILL = "SIGKILL"
    """The process is killed: what it has written to its files stays, durable or not."""
    POWER_CUT = "power cut"
    """The process is killed, and its files lose what was not yet durable."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a subject can do beside answering."""

    restarts: frozenset[Restart] = frozenset()
    """How it can be restarted with its data."""
    one_null: bool = False
    """True when the subject does not tell a null array from a null."""


class Subject(Protocol):
    """A server under verification. For use by one thread."""

    @property
    def name(self) -> str:
        """The word that names the subject on a command line, such as "redis" or an address."""

    @property
    def identity(self) -> str:
        """Its name and version in its own words: "redis 7.0.15"."""

    @property
    def wire(self) -> Wire: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def ask(self, steps: Sequence[Step]) -> list[Reply]:
        """Carry out steps in order, and return the reply to each.

        A server that does not answer, or answers in another protocol, gives NoReply to that step and to all after it.
        """

    def reset(self, keys: Sequence[bytes]) -> None:
        """Remove keys, and begin with fresh connections. A managed server that has ended is started again.

        Raises TargetError when the subject cannot be reached.
        """

    def restart(self, how: Restart) -> int:
        """End the server as `how` says, start it again with its files, and return the bytes that a power cut took.

        Raises TargetError, with the last line of its log, when it does not start again or serves nothing then.
        """
