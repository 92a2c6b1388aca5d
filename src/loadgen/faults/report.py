"""What a fault did, as values. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.faults.fault import Fault
from loadgen.faults.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Spell:
    """One time that a fault was on one node. Times are of the monotonic clock, in ns."""

    node: int
    began_ns: int
    """The time at which the interpreter had begun the fault."""
    ended_ns: int | None = None
    """The time at which the interpreter had ended the fault; None while the fault lasts."""


@dataclass(frozen=True, slots=True)
class FaultReport:
    """What one fault did, over all of its spells."""

    fault: Fault
    spells: tuple[Spell, ...] = ()
    effects: int = 0
    """How often the fault took effect, by a counter of its own: packets dropped, connections cut, signals delivered …
    The kind's row names what is counted."""
    failure: str = ""
    """Why the fault could not be carried out, in a sentence; empty when it was."""

    @property
    def fired(self) -> bool:
        """True when the fault had at least the least effect of its kind (`kinds.Kind.least`)."""
        return not self.failure and self.effects >= KINDS[self.fault.kind].least
