"""Acknowledged writes held against what a server has after its restart. Pure: a log and what was found → a judgement.

An acknowledged write has survived when its effect, or that of a later write of its key, is there. A write without a
reply may be there or not. A write that was refused must not be there.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from loadgen.trial.value import Damaged, read
from loadgen.units import NS_PER_S
from loadgen.verify.durability.log import Entry, Write
from loadgen.verify.durability.survival import Survival
from loadgen.verify.reply import quoted

_CRC = slice(2, 6)
"""The place of the checksum in a value (`trial.value`)."""
_CHECKED_FROM = 6


@dataclass(frozen=True, slots=True)
class Promise:
    """What of the acknowledged writes may be missing."""

    window_ns: int = 0
    """Those that were acknowledged in this time before the server ended."""
    newest: int = 0
    """So many of the newest, which the fault itself has taken."""
    saved: bool = False
    """True: the window begins with the last dump that succeeded."""

    def __str__(self) -> str:
        if self.saved:
            return "only those that were acknowledged after the last save"
        if self.newest:
            return f"only the newest {self.newest}"
        return f"only those of the last {_seconds(self.window_ns)}" if self.window_ns else "none"


class Expiry(Enum):
    """Whether a key with a time to live is gone."""

    NOT_YET = "it must be there"
    PERHAPS = "it may be there"
    PASSED = "it must be gone"


Expiries = Callable[[Write], Expiry]


def never(write: Write) -> Expiry:
    """Return what holds where no time to live has passed."""
    return Expiry.NOT_YET


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a promise is broken."""

    name: str
    """The class of the finding: "wrong value served"."""
    words: str
    """The finding with its values."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of all writes."""

    survival: Survival
    findings: tuple[Finding, ...]
    """The gravest first; none when every promise was kept."""


WRONG = "wrong value served"
PHANTOM = "a key nobody wrote"
REFUSED = "a refused write is there"
REVIVED = "revived"
LOST = "lost"
HOLE = "lost before one that survived"
_GRAVITY = (WRONG, PHANTOM, REFUSED, REVIVED, LOST, HOLE)


def judged(
    log: Iterable[Entry],
    found: Mapping[str, bytes],
    promise: Promise,
    ended_ns: int,
    expiries: Expiries = never,
) -> Judgement:
    """Return what became of the writes of a log.

    `found` is every key with its value after the restart, and `ended_ns` the time at which the server ended. The order
    of the writes is that of a log: where a write is lost, each that was sent after its acknowledgement must be lost.
    """
    entries = [*log]
    keys = [_Key(name, of, found.get(name), expiries) for name, of in _by_key(entries).items()]
    findings = [finding for key in keys for finding in key.findings]
    findings += [_phantom(name, found[name]) for name in found.keys() - {key.name for key in keys}]
    lost = [entry for key in keys for entry in key.lost]
    survival = _survival(entries, keys, lost, ended_ns)
    findings += _beyond(lost, promise, ended_ns)
    findings += _holes(lost, keys)
    findings.sort(key=lambda finding: _GRAVITY.index(finding.name))
    return Judgement(survival, tuple(findings))


class _Key:
    """One key: its writes in order, and which of them the value that was found is of."""

    def __init__(self, name: str, entries: Sequence[Entry], found: bytes | None, expiries: Expiries) -> None:
        self.name = name
        self.lost: list[Entry] = []
        """Acknowledged writes of which neither the effect is there, nor that of a later write."""
        self.wrong: Entry | None = None
        """The last acknowledged write, in whose place another value is served."""
        self.served: Entry | None = None
        """The write whose value is there."""
        self.expired: Entry | None = None
        """The write whose value is there although its time to live has passed."""
        self.findings: list[Finding] = []
        last = max((number for number, entry in enumerate(entries) if entry.acknowledged), default=-1)
        place = _place(entries, found, expiries)
        if place is None:
            assert found is not None
            self.wrong = entries[last] if last >= 0 else None
            self.findings.append(_wrong(name, entries[max(last, 0)], found))
            return
        at = entries[place] if place >= 0 else None
        if found is not None and at is not None:
            self.served = at
            if at.refusal:
                self.findings.append(Finding(REFUSED, f"GET {name} has the value of {at}"))
            if expiries(at.write) is Expiry.PASSED:
                self.expired = at
                self.findings.append(Finding(REVIVED, f"GET {name} has the value of {at}, whose time has passed"))
        self.lost = [entry for entry in entries[place + 1 :] if entry.acknowledged]


def _place(entries: Sequence[Entry], found: bytes | None, expiries: Expiries) -> int | None:
    """Return the number of the last write that leaves a key as it was found; -1 when it is as without any write.

    None when no write does.
    """
    for number in range(len(entries) - 1, -1, -1):
        write = entries[number].write
        if entries[number].refusal and (found is None or write.value != found):
            continue
        if write.value == found or (found is None and expiries(write) is not Expiry.NOT_YET):
            return number
    return -1 if found is None else None


def _by_key(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.write.key, []).append(entry)
    return found


def _survival(entries: Sequence[Entry], keys: Sequence[_Key], lost: Sequence[Entry], ended_ns: int) -> Survival:
    counts = Survival(
        acknowledged=sum(entry.acknowledged for entry in entries),
        lost=sum(entry.write.value is not None for entry in lost),
        revived=sum(entry.write.value is None for entry in lost)
        + sum(key.expired is not None and key.expired.acknowledged for key in keys),
        wrong=sum(key.wrong is not None for key in keys),
        # A reply that was under way when the server ended is read after that.
        lost_ns=max([0, *(ended_ns - entry.acknowledged_ns for entry in lost)]),
        slowest_ns=max((entry.acknowledged_ns - entry.sent_ns for entry in entries if entry.acknowledged), default=0),
        refused=sum(bool(entry.refusal) for entry in entries),
        unanswered=sum(not entry.acknowledged and not entry.refusal for entry in entries),
    )
    survived = counts.acknowledged - counts.lost - counts.revived - counts.wrong
    return replace(counts, survived=survived)


def _beyond(lost: Sequence[Entry], promise: Promise, ended_ns: int) -> Iterator[Finding]:
    """Yield the lost write that is the farthest beyond what may be missing."""
    too_old = [entry for entry in lost if ended_ns - entry.acknowledged_ns > promise.window_ns]
    if len(too_old) <= promise.newest:
        return
    oldest = min(too_old, key=lambda entry: entry.acknowledged_ns)
    name = REVIVED if oldest.write.value is None else LOST
    age = _seconds(ended_ns - oldest.acknowledged_ns)
    yield Finding(
        name,
        f"{oldest.write} was acknowledged {age} before the end of the server, and is {name}; {len(lost)} acknowledged "
        f"writes are missing, of which {len(too_old)} must not be: {promise} may be",
    )


def _seconds(ns: int) -> str:
    return f"{ns / NS_PER_S:.3g} s"


def _holes(lost: Sequence[Entry], keys: Sequence[_Key]) -> Iterator[Finding]:
    """Yield a lost write that was acknowledged before one was sent that survived: no log has such a hole."""
    served = [key.served for key in keys if key.served is not None]
    if not lost or not served:
        return
    first, latest = min(lost, key=lambda entry: entry.acknowledged_ns), max(served, key=lambda entry: entry.sent_ns)
    if first.acknowledged_ns < latest.sent_ns:
        yield Finding(HOLE, f"{first.write} is lost, and {latest.write} is there, which was sent after its reply")


def _wrong(name: str, expected: Entry, found: bytes) -> Finding:
    """Return what is wrong with a value that no write of its key has."""
    write = expected.write
    due = f"writer {write.writer}, sequence {write.sequence}"
    due += f", expected CRC {write.value[_CRC].hex()}" if write.value is not None else ", which deleted it"
    try:
        seal = read(found)
        said = f"that of {seal.key} by writer {seal.writer}, sequence {seal.sequence}"
    except Damaged as error:
        said = f"{error}; its bytes have CRC {zlib.crc32(found[_CHECKED_FROM:]):08x}"
    return Finding(WRONG, f"GET {name} ({due}) is {said}")


def _phantom(name: str, value: bytes) -> Finding:
    try:
        seal = read(value)
        said = f"the value of {seal.key} by writer {seal.writer}, sequence {seal.sequence}"
    except Damaged as error:
        said = str(error)
    return Finding(PHANTOM, f'the server has the key "{quoted(name.encode("latin-1"))}", with {said}')
