"""The script of a case: which writes are sent on which connections, and which fault comes when. Drawn from a tape.

The script is drawn before anything is sent, so that it depends on the tape only. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from loadgen.faults.fault import Fault, Value
from loadgen.faults.kinds import KINDS
from loadgen.verify.durability.dump import Demand, Dump
from loadgen.verify.durability.log import Write, key_of, value_of
from loadgen.verify.tape import FAULT, OPERATION, Tape

WRITERS = 4
"""Connections that write, each keys of its own."""
KEYS = 32
"""Keys of each writer: few enough that some are written twice."""
MOST_WRITES = 8
"""Writes of a round."""
SMALL_BYTES = (64, 512)
"""The sizes of values: a seal, and some filling."""
DELETIONS = 0.1
DELAYS_US = (0, 100, 1_000)
"""Delays of each key of a dump: of some 100 keys, a dump then takes up to 0.1 s."""
TTLS_S = (100, 1_000, 100_000)
"""Times to live: longer than any case takes, so that only a jump of the clock lets one pass."""


@dataclass(frozen=True, slots=True)
class Round:
    """Writes that are sent on one connection at once."""

    writer: int
    """The number of the connection, from 1."""
    writes: tuple[Write, ...]
    waits_for_replies: bool
    """True: nothing is sent on any connection before the replies have been read."""
    pause_ms: int
    """The time after the round in which nothing is sent."""


Step: TypeAlias = Round | Demand
"""What a part of a case is made of."""


@dataclass(frozen=True, slots=True)
class Demands:
    """Which dumps the server is told to make in one part of a case, each in place of a round."""

    dumps: tuple[Dump, ...] = ()
    """All equally likely."""
    share: float = 0.0
    """The share of rounds in whose place there is a dump."""
    at: int = 0
    """The number of the round, from 0, that has a probability of its own."""
    at_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is written in one part of a case, and how fast."""

    rounds: int
    """The rounds of a case that is drawn from a seed."""
    pauses_ms: tuple[int, ...] = (0, 0, 1, 5)
    """The pauses after a round, all equally likely."""
    sizes: tuple[int, int] = SMALL_BYTES
    """The least and the most bytes of a value."""
    overlaps: bool = True
    """True: a writer may send before the replies to others have been read, as far as the tape says so."""
    expires: bool = False
    """True: some keys have a time to live."""
    deletions: float = DELETIONS
    """The share of writes that delete."""
    most: int | None = None
    """The most writes; None: as many as the rounds have."""
    demands: Demands = field(default_factory=Demands)


@dataclass(frozen=True, slots=True)
class Script:
    """What is done in one case."""

    before: tuple[Step, ...]
    fault: Fault | None
    """None where shrinking has left the fault out."""
    during: tuple[Step, ...]
    """What is done while the fault lasts."""
    after: tuple[Step, ...]


Drawn = Callable[[Tape], dict[str, Value]]
"""Draws the parameters of a fault that do not have their defaults."""


def script(tape: Tape, fault: str, drawn: Drawn, before: Pace, during: Pace, after: Pace) -> Script:
    """Draw a script with a fault of a kind."""
    sequences = count(1)
    first = (*_steps(tape, before, sequences),)
    faults = [_fault(tape, fault, drawn) for _ in tape.perhaps(FAULT, 1.0)]
    return Script(
        first,
        faults[0] if faults else None,
        (*_steps(tape, during, sequences),),
        (*_steps(tape, after, sequences),),
    )


def _fault(tape: Tape, kind: str, drawn: Drawn) -> Fault:
    row = KINDS[kind]
    parameters = row.defaults() | drawn(tape)
    return Fault(kind, row.layer, parameters=parameters, seed=tape.below(1 << 32, "seed of the fault"))


def _steps(tape: Tape, pace: Pace, sequences: Iterator[int]) -> Iterator[Step]:
    demands = pace.demands
    left = pace.rounds * MOST_WRITES if pace.most is None else pace.most
    for number in tape.several(OPERATION, pace.rounds):
        if demands.dumps and tape.chance(demands.at_share if number == demands.at else demands.share, "dump"):
            yield Demand(tape.choice(demands.dumps, "kind of dump"), tape.choice(DELAYS_US, "delay of a key"))
        elif left:
            found = _round(tape, pace, sequences, left)
            left -= len(found.writes)
            yield found


def _round(tape: Tape, pace: Pace, sequences: Iterator[int], most: int) -> Round:
    writer = tape.between(1, WRITERS, "writer")
    number = min(most, tape.between(1, MOST_WRITES, "writes"))
    writes = [_write(tape, pace, writer, next(sequences)) for _ in range(number)]
    overlaps = tape.chance(0.5, "overlaps") if pace.overlaps else False
    return Round(writer, (*writes,), not overlaps, tape.choice(pace.pauses_ms, "pause"))


def _write(tape: Tape, pace: Pace, writer: int, sequence: int) -> Write:
    key = key_of(writer, tape.below(KEYS, "key"))
    if tape.chance(pace.deletions, "deletion"):
        return Write(sequence, writer, key, None)
    size = tape.between(*pace.sizes, "bytes")
    ttl_s = tape.choice((0, 0, *TTLS_S), "time to live") if pace.expires else 0
    return Write(sequence, writer, key, value_of(writer, key, sequence, size), ttl_s)
