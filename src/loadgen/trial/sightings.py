"""What one caller process has read of the keys that another process writes, and which later reads are therefore stale.
Sans-IO: told the time.

The other process's ledger is out of reach; each value brings the part of it that is needed. The value of write n says
which values of its key were *settled*: a range of sequences whose writes had all been acknowledged before n began
(`trial.ledger` says how the range is found). The rule for a read R of this process that returns the value of write v:

    The value is stale when v is in the settled range of a value n that a read Q of this process returned, and Q ended
    before R began.

No correct server is accused. A correct server is a register: each write takes effect at one instant, from its beginning
on, at the latest at its acknowledgement; a read returns, at one instant while it is under way, the value of the write
that took effect last, or nothing. Write v was acknowledged before write n began, so v took effect before n; n took
effect before Q ended, as Q returned it; Q ended before R began. At the instant of R, v had been replaced, by n or by a
write after n, and v takes effect once only. An eviction, an expiry or a restart removes a value, which makes misses and
brings nothing back. A write that failed may take effect at any later time, so it is never in a range, whatever has been
acknowledged since: bytes of a connection that its client has closed may still wait in a proxy or in a stopped server.

All instants are compared within one process: those of v and n by the writer, those of Q and R by the reader. Nothing
follows from the clocks of two processes; the time of a write is for the words alone.

Stale values of which this process has never read a newer one are not found.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.trial.reads import Read, Wrong, seconds, words
from loadgen.trial.value import Range, Seal

MOST_RANGES = 16
"""Settled ranges that are remembered for each key, the newest ones. Between two of them there are failed writes."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a key that another process writes."""

    settled: tuple[Range, ...]
    """Sequences of values that have been replaced, as ranges in their order."""
    newest: int
    """The greatest sequence that has been read."""
    read_ns: int
    """The time at which it was first read."""


@dataclass(frozen=True, slots=True)
class Sighting(Read):
    """A read of a key that another process writes, under way."""

    known: Known
    """What was known when the read began."""


_NOTHING = Known((), 0, 0)


class Sightings:
    """The keys of other writers, as one caller process has read them."""

    def __init__(self, writer: int, run: int) -> None:
        """Begin the sightings of a process, which is itself a writer of other keys, in a run."""
        self.writer = writer
        self.run = run
        self._known: dict[str, Known] = {}

    def read(self, key: str, now_ns: int) -> Sighting:
        """Begin a read of a key."""
        return Sighting(key, now_ns, self._known.get(key, _NOTHING))

    def judge(self, request: Sighting, seal: Seal, now_ns: int) -> Wrong | None:
        """End a read that returned a value with this seal. Return what is wrong with the value; None: nothing."""
        known, found = request.known, words(seal, now_ns)
        if seal.run != self.run:
            return Wrong("stale", f"{found}, of an earlier run") if known.newest else None
        if seal.writer == self.writer:
            return Wrong("unwritten", f"{found}, which nobody wrote")
        self._note(seal, now_ns)
        if any(first <= seal.sequence <= last for first, last in known.settled):
            late = seconds(now_ns - known.read_ns)
            return Wrong("stale", f"{found}; value {known.newest} had been read {late} before")
        return None

    def _note(self, seal: Seal, now_ns: int) -> None:
        before = self._known.get(seal.key, _NOTHING)
        settled = joined(before.settled, seal.settled)
        if seal.sequence > before.newest:
            self._known[seal.key] = Known(settled, seal.sequence, now_ns)
        elif settled != before.settled:
            self._known[seal.key] = Known(settled, before.newest, before.read_ns)


def joined(ranges: tuple[Range, ...], added: Range) -> tuple[Range, ...]:
    """Return ranges and one more as ranges that do not touch, in their order: the last `MOST_RANGES` of them."""
    first, last = added
    if last < first:
        return ranges
    apart = []
    for low, high in ranges:
        if high < first - 1 or low > last + 1:
            apart.append((low, high))
        else:
            first, last = min(first, low), max(last, high)
    return tuple(sorted([*apart, (first, last)]))[-MOST_RANGES:]
