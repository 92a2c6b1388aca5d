"""What a fault did, as values. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.faults.fault import Fault
from loadgen.faults.kinds import KINDS, Fires


@dataclass(frozen=True, slots=True)
class Spell:
    """One time that a fault was on one node. Times are of the monotonic clock, in ns."""

    node: int
    began_ns: int
    """The time at which the interpreter had begun the fault."""
    ended_ns: int | None = None
    """The time at which the interpreter had ended the fault; None while the fault lasts."""
    effects: int | None = None
    """How often the fault took effect in this spell; None where that is not known."""


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
    seen: int | None = None
    """The packets that the fault was about, of which it took `effects`; None for a fault that is not about packets."""

    @property
    def fired(self) -> bool:
        """True when the fault had at least the least effect of its kind (`kinds.Kind.least`), in no idle spell."""
        return not self.failure and self.effects >= KINDS[self.fault.kind].least and not self.idle

    @property
    def idle(self) -> tuple[Spell, ...]:
        """The spells without an effect that should have had one, as the kind takes effect (`kinds.Fires`)."""
        idle = tuple(spell for spell in self.spells if spell.effects == 0)
        match KINDS[self.fault.kind].fires:
            case Fires.EACH:
                return idle
            case Fires.MET if self.fault.parameters.get("toxicity", 1.0) == 1.0:
                met = {spell.node for spell in self.spells if spell.effects != 0}
                return tuple(spell for spell in idle if spell.node not in met)
            case _:
                return ()

    @property
    def counted(self) -> str:
        """The effects in digits, and for packets of how many: "609 of 11,392"."""
        return f"{self.effects:,}" if self.seen is None else f"{self.effects:,} of {self.seen:,}"


@dataclass(frozen=True, slots=True)
class Outage:
    """What faults came to on one node of a load, from their beginning. Times are monotonic, in ns.

    Faults on a node at the same time have one outage; those that come later have others. An outage without a fault
    (`is_planned` is False) begins and ends with the node's first and last failure.
    """

    node: int
    """From 1."""
    began_ns: int
    """The beginning of the first fault."""
    ended_ns: int | None
    """The end of the last fault; None when it could not be ended."""
    first_failed_ns: int | None = None
    """The first request that failed, or the first failed attempt to connect; None when nothing failed."""
    last_failed_ns: int | None = None
    back_ns: int | None = None
    """The time from which the node was back inside the baseline's interval (`stats.recovery`), not before `ended_ns`;
    None when it was not, or when there was no baseline to tell by."""
    until_ns: int | None = None
    """The beginning of the next fault on the node, beyond which nothing of this one was looked for; None: the end."""
    failed: int = 0
    """Requests that failed until the node was back."""
    refused: int = 0
    """Attempts to connect that failed until then."""
    has_baseline: bool = True
    """False when too little was measured before the first fault to tell when the node was back."""
    is_planned: bool = True
    """False when requests failed that no fault explains."""
    name: str = ""
    """The node's name, one of `Snapshot.nodes`; empty where that is not known."""

    @property
    def lasted_ns(self) -> int | None:
        """The time from the first failure to the last; None when nothing failed."""
        if self.first_failed_ns is None or self.last_failed_ns is None:
            return None
        return self.last_failed_ns - self.first_failed_ns

    @property
    def recovered_ns(self) -> int | None:
        """The time from the end of the last fault until the node was back; None when it was not."""
        return None if self.back_ns is None or self.ended_ns is None else self.back_ns - self.ended_ns
