"""A fault of a server as a value: what is written around it, how it is drawn, and what the server still promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from loadgen.faults.fault import Value
from loadgen.units import NS_PER_S
from loadgen.verify.durability.dump import Dump
from loadgen.verify.durability.judgement import Promise
from loadgen.verify.durability.persistence import Persistence
from loadgen.verify.durability.script import Demands, Drawn, Pace
from loadgen.verify.kinds.wanted import Wanted
from loadgen.verify.tape import Tape

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
    """The name of its kinds of cases, with the server's persistence behind: "power_cut" is power_cut_always."""
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
    """The part of a case, before or during, that takes longer than the time that the server may lose."""
    keeps_window: bool = False
    """True: the server may lose what its appendfsync allows. False: all that is acknowledged must be there, durable or
    not, as the server's process has handed it to the system. With RDB files, what was not saved may always be lost."""
    rewrites: bool = False
    """True: a server with an append-only file is told to write it anew, so that the fault meets that."""
    rdb: bool = True
    """True: the fault is one of RDB files too."""
    takes_newest: bool = False
    """True: the fault takes the newest writes itself, as many as its parameter `bytes` has room for."""
    may_refuse: bool = False
    """True: a server that finds its file damaged, and does not start, has done right."""

    def judges(self, persistence: Persistence) -> bool:
        """Return True when the fault says something of servers with a persistence."""
        return self.rdb or not persistence.saves

    def paces(self, persistence: Persistence, wanted: Wanted) -> dict[str, Pace]:
        """Return the paces before, during and after the fault."""
        paces = {"before": self.before, "during": self.during, "after": self.after}
        if self.longer_than_window and persistence.window_ns:
            paces[self.longer_than_window] = SLOW
        if persistence.saves or self.rewrites:
            demands = _demands(persistence, self.course)
            paces = {part: replace(pace, demands=demands[part]) for part, pace in paces.items()}
        if not wanted.deletes:
            paces = {part: replace(pace, deletions=0.0) for part, pace in paces.items()}
        return paces if wanted.most is None else _bounded(paces, wanted.most)

    def promise(
        self, persistence: Persistence, parameters: Mapping[str, Value], least_bytes: int, unsaved_ns: int
    ) -> Promise:
        """Return what may be missing after the restart.

        `least_bytes` is the length of the shortest command, and `unsaved_ns` the time from the last dump to the end.
        """
        if persistence.saves:
            return Promise(unsaved_ns, saved=True)
        newest = int(parameters["bytes"]) // least_bytes + 1 if self.takes_newest else 0
        return Promise(persistence.window_ns if self.keeps_window else 0, newest)

    def invariant(self, persistence: Persistence) -> str:
        """Return what must hold, as a sentence."""
        saved = " before its last save" if persistence.saves else ""
        kept = f"a server with {persistence.words} has every write that it acknowledged{saved}"
        if self.may_refuse:
            but = " but those that the fault took" if self.takes_newest and not persistence.saves else ""
            return f"a server whose file is damaged has every write that it acknowledged{saved}{but}, or does not start"
        if self.keeps_window and persistence.window_ns:
            return f"{kept} more than {persistence.window_ns // NS_PER_S} s before it ended"
        return kept


def _demands(persistence: Persistence, course: Course) -> dict[str, Demands]:
    """Return the dumps before, during and after a fault.

    With RDB files there is one before each fault in any case, as nothing is promised without. A fault that ends the
    server meets a dump that a child process makes. A rewrite syncs the file that it ends, so most cases with an
    append-only file have none before the fault: the server's own syncs would not show.
    """
    dumps = persistence.dumps
    if course is Course.LASTS:
        at_once, share = dumps if persistence.saves else (Dump.REWRITE,), 1.0
    else:
        at_once, share = tuple(each for each in dumps if each in (Dump.BGSAVE, Dump.REWRITE)), 0.5
    before = Demands(dumps, 0.05, at=8, at_share=1.0) if persistence.saves else Demands(dumps, 0.015)
    return {
        "before": before,
        "during": Demands(at_once, at=2 * (course is Course.LASTS), at_share=share),
        "after": Demands(dumps, at=2, at_share=0.5),
    }


def _bounded(paces: Mapping[str, Pace], most: int) -> dict[str, Pace]:
    """Return paces with so many writes together, by the rounds that they have."""
    rounds = sum(pace.rounds for pace in paces.values())
    bounds = {part: max(1, most * pace.rounds // rounds) for part, pace in paces.items() if part != "before"}
    bounds["before"] = most - sum(bounds.values())
    return {part: replace(pace, most=bounds[part]) for part, pace in paces.items()}
