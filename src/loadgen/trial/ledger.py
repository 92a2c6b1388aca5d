"""What one caller process has written, and which answers are therefore wrong. Sans-IO: it is told the time.

Each key has one writer process, whose callers read and write the key concurrently; so one ledger knows every write of
its keys. The rule for a read that begins at b, ends at e and returns the value of write s:

- A miss is right: a cache may evict, expire, or begin empty after a restart.
- A value of another key, or of no write that began before e, is wrong.
- A value of an earlier run on the same server is right until a write of this run was acknowledged before b.
- If s was acknowledged at time a, its value is stale when a write (or delete) that began after a was acknowledged
  before b. Two writes that were under way at the same time may have taken effect in either order.
- If s is under way or has failed, its value is right: a write that timed out may take effect at any later time.

A ledger keeps for each key only those acknowledged writes whose values a read may still return, and the most recent
failed writes (`MOST_FAILED`). Where it has forgotten whether a write failed or when it was acknowledged, it takes the
value for right, so that an alarm is never false.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.trial.value import Damaged, Seal, read, sealed

MOST_FAILED = 1_024
"""Failed writes that are remembered for each key."""

MOST_GIVEN_UP = 4_096
"""Failed reads that are remembered, by key, to name the request that a late reply belonged to."""

_S = 1e9


@dataclass(frozen=True, slots=True)
class Write:
    """A write or a delete of a key, under way."""

    key: str
    sequence: int
    """From 1, among the writes and deletes of the key."""
    begun_ns: int


@dataclass(frozen=True, slots=True)
class Read:
    """A read of a key, under way."""

    key: str
    begun_ns: int
    floor_ns: int
    """The latest beginning of a write that had been acknowledged when the read began."""
    floor_acknowledged_ns: int
    floor_sequence: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """A finding on an answer."""

    kind: str
    """One of `observed.WRONG`."""
    found: str


@dataclass(slots=True)
class _History:
    """What is known of the writes of one key."""

    issued: int = 0
    """The newest sequence."""
    open: set[int] = field(default_factory=set)
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
        self._given_up: dict[str, int] = {}

    # ── Writes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, key: str, now_ns: int) -> Write:
        """Begin a write or a delete of a key."""
        history = self._histories.get(key)
        if history is None:
            history = self._histories[key] = _History()
        history.issued += 1
        history.open.add(history.issued)
        return Write(key, history.issued, now_ns)

    def value(self, write: Write, length: int) -> bytes:
        """Return the value of a write, of `length` bytes or a few more."""
        return sealed(Seal(write.key, self.writer, write.sequence, write.begun_ns, self.run), length)

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
        history.open.discard(write.sequence)
        history.failed[write.sequence] = None
        if len(history.failed) > MOST_FAILED:
            oldest = next(iter(history.failed))
            del history.failed[oldest]
            history.forgotten = max(history.forgotten, oldest)

    # ── Reads ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, key: str, now_ns: int) -> Read:
        """Begin a read of a key."""
        history = self._histories.get(key)
        if history is None:
            return Read(key, now_ns, -1, -1, 0)
        return Read(key, now_ns, history.floor_ns, history.floor_acknowledged_ns, history.floor_sequence)

    def gave_up(self, read: Read) -> None:
        """End a read that failed; its reply may still come, and must then not be taken for that of another request."""
        self._given_up.pop(read.key, None)
        self._given_up[read.key] = read.begun_ns
        if len(self._given_up) > MOST_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]

    def judge(self, request: Read, value: bytes | None, now_ns: int) -> Wrong | None:
        """End a read that returned `value`, None for a miss. Return what is wrong with the value; None: nothing."""
        if value is None:
            return None
        try:
            seal = read(value)
        except Damaged as damage:
            return Wrong("damaged", str(damage))
        words = self._words(seal, now_ns)
        if seal.key != request.key:
            return Wrong("other_key", f"{words}{self._late(seal.key, now_ns)}")
        if seal.run != self.run:
            return None if request.floor_ns < 0 else Wrong("stale", f"{words}, of an earlier run")
        history = self._histories.get(request.key)
        if seal.writer != self.writer or history is None or seal.sequence > history.issued:
            return Wrong("unwritten", f"{words}, which nobody wrote")
        if not self._is_superseded(history, request, seal.sequence):
            return None
        later_s = (now_ns - request.floor_acknowledged_ns) / _S
        return Wrong("stale", f"{words}; write {request.floor_sequence} was acknowledged {later_s:.3f} s before")

    @staticmethod
    def _is_superseded(history: _History, request: Read, sequence: int) -> bool:
        if sequence in history.open or sequence in history.failed or sequence in history.acknowledged:
            return False
        # When each superseded write was acknowledged is forgotten, but for the latest.
        return sequence > history.forgotten and history.superseded_ns < request.floor_ns

    def _words(self, seal: Seal, now_ns: int) -> str:
        age_s = (now_ns - seal.written_ns) / _S
        return f"value {seal.sequence} of writer {seal.writer} for key {seal.key}, written {age_s:.3f} s before"

    def _late(self, key: str, now_ns: int) -> str:
        """Return the words on the request that the reply may have belonged to; empty when none of the key failed."""
        begun_ns = self._given_up.get(key)
        if begun_ns is None:
            return ""
        return f"; a get of {key} that had failed began {(now_ns - begun_ns) / _S:.3f} s before"
