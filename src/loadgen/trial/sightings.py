"""What one caller process knows of the keys that another process writes, and which reads of them are therefore stale.
Sans-IO: told the time.

The other process's ledger is out of reach. Each write says which values of its key were *settled*: a set of sequences
whose writes had all been acknowledged before this write began (`trial.ledger` says how the set is found). The rule for
a read R that returns the value of write v:

    The value is stale when v was settled before a write n that is known to have taken effect before R began: a read of
    this process had returned n's value, and had ended; or n's writer had published on the board that n was acknowledged
    (`trial.board`).

No correct server is accused. A correct server is a register: each write takes effect at one instant, from its beginning
on, at the latest at its acknowledgement; a read returns, at one instant while it is under way, the value of the write
that took effect last, or nothing. Write v was acknowledged before write n began, so v took effect before n; n took
effect before R began. At the instant of R, v had been replaced, by n or by a later write, and v takes effect once only.
An eviction, an expiry or a restart removes a value, which makes misses and brings nothing back. A write that failed may
take effect at any later time, so it is never settled, whatever has been acknowledged since: bytes of a connection that
its client has closed may still wait in a proxy or in a stopped server.

No clock of one process is compared with that of another: v and n are put in their order by their writer; n and R, by
the reader, after it has read n's value or the board. The times of writes are for the words alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.trial.board import Board
from loadgen.trial.known import Known
from loadgen.trial.reads import Read, Wrong, seconds, words
from loadgen.trial.value import Seal


@dataclass(frozen=True, slots=True)
class Sighting(Read):
    """A read of a key that another process writes, under way."""

    known: Known
    """What was known when the read began."""


_NOTHING = Known()


class Sightings:
    """The keys of other writers, as one caller process has read them."""

    def __init__(self, writer: int, run: int, board: Board | None = None) -> None:
        """Begin the sightings of a process, itself the writer of other keys, in a run that has this board, if any."""
        self.writer = writer
        self.run = run
        self._board = board
        self._known: dict[str, Known] = {}

    def read(self, key: str, now_ns: int) -> Sighting:
        """Begin a read of a key."""
        known = self._known.get(key, _NOTHING)
        if self._board is not None:
            known = self._known[key] = known.merged(self._board.known(key))
        return Sighting(key, now_ns, known)

    def judge(self, request: Sighting, seal: Seal, now_ns: int) -> Wrong | None:
        """End a read that returned a value with this seal. Return what is wrong with the value; None: nothing."""
        known, found = request.known, words(seal, now_ns)
        if seal.run != self.run:
            return Wrong("stale", f"{found}, of an earlier run") if known.newest else None
        if seal.writer == self.writer:
            return Wrong("unwritten", f"{found}, which nobody wrote")
        before = self._known.get(seal.key, _NOTHING)
        self._known[seal.key] = before.with_write(seal.sequence, seal.written_ns, seal.settled)
        if any(first <= seal.sequence <= last for first, last in known.settled):
            age = seconds(now_ns - known.begun_ns)
            return Wrong("stale", f"{found}; write {known.newest}, begun {age} before, had taken effect")
        return None
