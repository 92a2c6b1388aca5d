"""A fault of a server as a value: what is written around it, how it is drawn, and what the server still promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from loadgen.faults.fault import Value
from loadgen.units import NS_PER_S
from loadgen.verify.durability.judgement import Promise
from loadgen.verify.durability.script import Drawn, Pace
from loadgen.verify.tape import Tape

WINDOWS_NS: Mapping[str, int] = {"everysec": 2 * NS_PER_S, "always": 0}
"""By redis' appendfsync, the acknowledged time that may be lost when the server ends: of everysec the second between
two fsyncs, and one of grace, after which redis makes writes wait for a slow fsync (redis.conf, appendfsync)."""

NOTHING = Pace(0)
SHORT = Pace(30)
SLOW = Pace(34, pauses_ms=(10, 50, 100, 150))
"""Longer than the window of everysec in nearly all cases, so that a server that does not fsync is found out."""
IN_ORDER = Pace(30, overlaps=False)
"""Replies are awaited after each round, so that the same case leaves the same bytes in the server's file."""


class Course(Enum):
    """How a fault goes."""

    CRASH = "the server is down from the beginning of the fault, and started at its end"
    AT_REST = "the same, and all replies are awaited before"
    LASTS = "the server runs on; it is killed some time after the end of the fault, and started again"
    CUT_SHORT = "the server runs on, until a power cut ends it while the fault lasts"


def _defaults(tape: Tape) -> dict[str, Value]:
    return {}


@dataclass(frozen=True, slots=True)
class Scene:
    """One fault."""

    name: str
    """The name of its kinds of cases, with the server's appendfsync behind: "power_cut" is power_cut_always."""
    fault: str
    """The kind of the fault, a row of `faults.kinds`."""
    course: Course
    aliases: tuple[str, ...] = ()
    """Further names of the fault on a command line."""
    drawn: Drawn = _defaults
    before: Pace = SHORT
    during: Pace = NOTHING
    after: Pace = NOTHING
    longer_than_window: str = ""
    """The part of a case, before or during, that takes longer than what the server's appendfsync may lose."""
    keeps_window: bool = False
    """True: the server may lose what its appendfsync allows. False: all that is acknowledged must be there, durable or
    not, as the server's process has handed it to the system."""
    takes_newest: bool = False
    """True: the fault takes the newest writes itself, as many as its parameter `bytes` has room for."""
    may_refuse: bool = False
    """True: a server that finds its file damaged, and does not start, has done right."""

    def paces(self, fsync: str) -> dict[str, Pace]:
        """Return the paces before, during and after the fault."""
        paces = {"before": self.before, "during": self.during, "after": self.after}
        return paces | ({self.longer_than_window: SLOW} if self.longer_than_window and WINDOWS_NS[fsync] else {})

    def promise(self, fsync: str, parameters: Mapping[str, Value], least_bytes: int) -> Promise:
        """Return what may be missing after the restart; `least_bytes` is the length of the shortest command."""
        newest = int(parameters["bytes"]) // least_bytes + 1 if self.takes_newest else 0
        return Promise(WINDOWS_NS[fsync] if self.keeps_window else 0, newest)

    def invariant(self, fsync: str) -> str:
        """Return what must hold, as a sentence."""
        kept = f"a server with appendfsync {fsync} has every write that it acknowledged"
        if self.may_refuse:
            but = " but those that the fault took" if self.takes_newest else ""
            return f"a server whose file is damaged has every write that it acknowledged{but}, or does not start"
        if self.keeps_window and WINDOWS_NS[fsync]:
            return f"{kept} more than {WINDOWS_NS[fsync] // NS_PER_S} s before it ended"
        return kept
