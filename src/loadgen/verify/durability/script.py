"""The script of a case: which writes are sent on which connections, and which fault comes when. Drawn from a tape.

The script is drawn before anything is sent, so that it depends on the tape only. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from loadgen.faults.fault import Fault, Value
from loadgen.faults.kinds import KINDS
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


@dataclass(frozen=True, slots=True)
class Script:
    """What is done in one case."""

    before: tuple[Round, ...]
    fault: Fault | None
    """None where shrinking has left the fault out."""
    during: tuple[Round, ...]
    """The rounds while the fault lasts."""
    after: tuple[Round, ...]


Drawn = Callable[[Tape], dict[str, Value]]
"""Draws the parameters of a fault that do not have their defaults."""


def script(tape: Tape, fault: str, drawn: Drawn, before: Pace, during: Pace, after: Pace) -> Script:
    """Draw a script with a fault of a kind."""
    sequences = count(1)
    first = (*_rounds(tape, before, sequences),)
    faults = [_fault(tape, fault, drawn) for _ in tape.perhaps(FAULT, 1.0)]
    return Script(
        first,
        faults[0] if faults else None,
        (*_rounds(tape, during, sequences),),
        (*_rounds(tape, after, sequences),),
    )


def _fault(tape: Tape, kind: str, drawn: Drawn) -> Fault:
    row = KINDS[kind]
    parameters = row.defaults() | drawn(tape)
    return Fault(kind, row.layer, parameters=parameters, seed=tape.below(1 << 32, "seed of the fault"))


def _rounds(tape: Tape, pace: Pace, sequences: Iterator[int]) -> Iterator[Round]:
    for _ in tape.several(OPERATION, pace.rounds):
        writer = tape.between(1, WRITERS, "writer")
        writes = [_write(tape, pace, writer, next(sequences)) for _ in range(tape.between(1, MOST_WRITES, "writes"))]
        overlaps = tape.chance(0.5, "overlaps") if pace.overlaps else False
        yield Round(writer, (*writes,), not overlaps, tape.choice(pace.pauses_ms, "pause"))


def _write(tape: Tape, pace: Pace, writer: int, sequence: int) -> Write:
    key = key_of(writer, tape.below(KEYS, "key"))
    if tape.chance(DELETIONS, "deletion"):
        return Write(sequence, writer, key, None)
    size = tape.between(*pace.sizes, "bytes")
    ttl_s = tape.choice((0, 0, *TTLS_S), "time to live") if pace.expires else 0
    return Write(sequence, writer, key, value_of(writer, key, sequence, size), ttl_s)
