"""What the reads of one caller process have in common, whoever writes the key. Sans-IO: told the time.

A miss is right: a cache may evict, expire, or begin empty after a restart. Any other answer is first opened: it must be
a whole value of the key that was asked for. Whether that value is then too old is judged by the ledger for the keys
that this process writes (`trial.ledger`), and by the sightings for the keys that another process writes
(`trial.sightings`).
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.trial.value import Damaged, Seal, read

MOST_GIVEN_UP = 4_096
"""Failed reads that are remembered, by key, to name the request that a late reply belonged to."""

_S = 1e9


@dataclass(frozen=True, slots=True)
class Read:
    """A read of a key, under way."""

    key: str
    begun_ns: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """A finding on an answer."""

    kind: str
    """One of `observed.WRONG`."""
    found: str


class Reads:
    """The reads of one caller process that have failed, and the opening of what the others return."""

    def __init__(self) -> None:
        self._given_up: dict[str, int] = {}

    def gave_up(self, request: Read) -> None:
        """End a read that failed; its reply may still come, and must then not be taken for that of another request."""
        self._given_up.pop(request.key, None)
        self._given_up[request.key] = request.begun_ns
        if len(self._given_up) > MOST_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]

    def opened(self, request: Read, value: bytes, now_ns: int) -> Seal | Wrong:
        """Return the seal of the value that a read returned, or what is wrong with the value whoever wrote the key."""
        try:
            seal = read(value)
        except Damaged as damage:
            return Wrong("damaged", str(damage))
        if seal.key != request.key:
            return Wrong("other_key", f"{words(seal, now_ns)}{self._late(seal.key, now_ns)}")
        return seal

    def _late(self, key: str, now_ns: int) -> str:
        """Return the words on the request that the reply may have belonged to; empty when none of the key failed."""
        begun_ns = self._given_up.get(key)
        if begun_ns is None:
            return ""
        return f"; a get of {key} that had failed began {seconds(now_ns - begun_ns)} before"


def words(seal: Seal, now_ns: int) -> str:
    """Return in words whose value this is, and how old."""
    age = seconds(now_ns - seal.written_ns)
    return f"value {seal.sequence} of writer {seal.writer} for key {seal.key}, written {age} before"


def seconds(length_ns: int) -> str:
    """Return a length of time for findings: "0.500 s"."""
    return f"{length_ns / _S:.3f} s"
