"""What one caller process has written, and which answers are therefore wrong. Sans-IO: it is told the time.

Each key has one writer process, whose callers read and write the key concurrently; so one ledger knows every write of
its keys. The rule for a read that begins at b, ends at e and returns the value of write s:

- A value of no write that began before e is wrong.
- A value of an earlier run on the same server is right until a write of this run was acknowledged before b.
- If s was acknowledged at time a, its value is stale when a write (or delete) that began after a was acknowledged
  before b. Two writes that were under way at the same time may have taken effect in either order.
- If s is under way or has failed, its value is right: a write that timed out may take effect at any later time.

A ledger keeps for each key only those acknowledged writes whose values a read may still return, and the most recent
failed writes (`MOST_FAILED`). Where it has forgotten whether a write failed or when it was acknowledged, it takes the
value for right, so that an alarm is never false.

For the readers in other processes each value says which sequences of its key are settled (`trial.sightings`): the
newest consecutive ones that had all been acknowledged before the write of the value began. A write under way holds them
up. A write that failed is left out for ever, and the next sequence begins another range. A delete brings no value, so
that its sequence counts as settled at once, whatever becomes of the delete.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.trial.reads import Read, Wrong, seconds, words
from loadgen.trial.value import NONE_SETTLED, Range, Seal, sealed

MOST_FAILED = 1_024
"""Failed writes that are remembered for each key."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write or a delete of a key, under way."""

    key: str
    sequence: int
    """From 1, among the writes and deletes of the key."""
    begun_ns: int
    settled: Range
    """The settled sequences of the key when the write began."""


@dataclass(frozen=True, slots=True)
class OwnRead(Read):
    """A read of a key that this process writes, under way."""

    floor_ns: int
    """The latest beginning of a write that had been acknowledged when the read began."""
    floor_acknowledged_ns: int
    floor_sequence: int


@dataclass(slots=True)
class _History:
    """What is known of the writes of one key."""

    issued: int = 0
    """The newest sequence."""
    open: set[int] = field(default_factory=set)
    """The sequences of writes under way that bring a value."""
    ended: int = 0
    """The greatest sequence up to which no write is under way."""
    settled: Range = NONE_SETTLED
    """The last consecutive sequences up to `ended` of which none failed."""
    failed: dict[int, None] = field(default_factory=dict)
    """The sequences of failed writes, in the order of their ends."""
    forgotten: int = 0
    """Of a sequence up to this one, it may have been forgotten that the write failed."""
    acknowledged: dict[int, int] = field(default_factory=dict)
    """The times of acknowledgement of writes that were not superseded when the newest write was acknowledged."""
    superseded_ns: int = -1
    """The latest acknowledgement of a write that has been superseded."""
    floor_ns: int = -1
    """The latest beginning of an acknowledged write."""
    floor_acknowledged_ns: int = -1
    floor_sequence: int = 0


class Ledger:
    """The writes of one caller process, and the judgement of what its reads return."""

    def __init__(self, writer: int, run: int) -> None:
        """Begin a ledger of a writer process in a run, which has a number that no earlier run on the servers had."""
        self.writer = writer
        self.run = run
        self._histories: dict[str, _History] = {}

    # ── Writes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, key: str, now_ns: int) -> Write:
        """Begin a write of a value to a key."""
        write = self.delete(key, now_ns)
        self._histories[key].open.add(write.sequence)
        return write

    def delete(self, key: str, now_ns: int) -> Write:
        """Begin a delete of a key."""
        history = self._histories.get(key)
        if history is None:
            history = self._histories[key] = _History()
        self._settle(history)
        history.issued += 1
        return Write(key, history.issued, now_ns, history.settled)

    @staticmethod
    def _settle(history: _History) -> None:
        """Bring `ended` and `settled` to what is known now."""
        while history.ended < history.issued and (sequence := history.ended + 1) not in history.open:
            history.ended = sequence
            if sequence in history.failed or sequence <= history.forgotten:
                continue
            first, last = history.settled
            history.settled = (first if last == sequence - 1 else sequence, sequence)

    def value(self, write: Write, length: int) -> bytes:
        """Return the value of a write, of `length` bytes or a few more."""
        seal = Seal(write.key, self.writer, write.sequence, write.begun_ns, self.run, write.settled)
        return sealed(seal, length)

    def acknowledged(self, write: Write, now_ns: int) -> None:
        """End a write that the client has reported as done."""
        history = self._histories[write.key]
        history.open.discard(write.sequence)
        history.acknowledged[write.sequence] = now_ns
        if write.begun_ns <= history.floor_ns:
            return
        history.floor_ns, history.floor_sequence = write.begun_ns, write.sequence
        history.floor_acknowledged_ns = now_ns
        for sequence, ended_ns in list(history.acknowledged.items()):
            if ended_ns < history.floor_ns:
                del history.acknowledged[sequence]
                history.superseded_ns = max(history.superseded_ns, ended_ns)

    def failed(self, write: Write) -> None:
        """End a write of which the client does not report that it was done; it may take effect later."""
        history = self._histories[write.key]
        if write.sequence not in history.open:
            return  # A delete, which no value is of.
        history.open.discard(write.sequence)
        history.failed[write.sequence] = None
        if len(history.failed) > MOST_FAILED:
            oldest = next(iter(history.failed))
            del history.failed[oldest]
            history.forgotten = max(history.forgotten, oldest)

    # ── Reads ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, key: str, now_ns: int) -> OwnRead:
        """Begin a read of a key."""
        history = self._histories.get(key)
        if history is None:
            return OwnRead(key, now_ns, -1, -1, 0)
        return OwnRead(key, now_ns, history.floor_ns, history.floor_acknowledged_ns, history.floor_sequence)

    def judge(self, request: OwnRead, seal: Seal, now_ns: int) -> Wrong | None:
        """End a read that returned a value with this seal. Return what is wrong with the value; None: nothing."""
        found = words(seal, now_ns)
        if seal.run != self.run:
            return None if request.floor_ns < 0 else Wrong("stale", f"{found}, of an earlier run")
        history = self._histories.get(request.key)
        if seal.writer != self.writer or history is None or seal.sequence > history.issued:
            return Wrong("unwritten", f"{found}, which nobody wrote")
        if not self._is_superseded(history, request, seal.sequence):
            return None
        late = seconds(now_ns - request.floor_acknowledged_ns)
        return Wrong("stale", f"{found}; write {request.floor_sequence} was acknowledged {late} before")

    @staticmethod
    def _is_superseded(history: _History, request: OwnRead, sequence: int) -> bool:
        if sequence in history.open or sequence in history.failed or sequence in history.acknowledged:
            return False
        # When each superseded write was acknowledged is forgotten, but for the latest.
        return sequence > history.forgotten and history.superseded_ns < request.floor_ns
