"""What became of the writes of a case, as counts that add over cases. Values; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.algebra import Addable, counted, state


@dataclass(frozen=True, slots=True)
class Survival(Addable):
    """The writes of a case after the restart. `acknowledged` is the sum of survived, lost, revived and wrong."""

    acknowledged: int = counted(0)
    survived: int = counted(0)
    """Those whose effect is there, or that of a later write of the key."""
    lost: int = counted(0)
    """Those whose value is not there, nor that of a later write of the key."""
    revived: int = counted(0)
    """Deletions after which the key has a value again, and times to live that have passed while the key is served."""
    wrong: int = counted(0)
    """Those in whose place a value is served that nobody wrote there."""
    lost_ns: int = state(0, max)
    """The longest time from the acknowledgement of a write that is lost or revived to the end of the server."""
    slowest_ns: int = state(0, max)
    """The longest time from sending a write to its acknowledgement."""
    refused: int = counted(0)
    """Writes that were answered with an error."""
    unanswered: int = counted(0)
    """Writes without a reply, which may be there or not."""
    dumps: int = counted(0)
    """Dumps that the server was told to make: SAVE, BGSAVE, BGREWRITEAOF."""
    dumps_failed: int = counted(0)
    """Those of which the server said that they failed."""
    dumps_cut: int = counted(0)
    """Files of dumps that were under way when the server ended."""
    not_started: int = counted(0)
    """Cases after which the server found the damage to its files, and did not start."""
