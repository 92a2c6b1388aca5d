"""The log of the writes of a case: what was sent, and what was answered. It is told the time; no I/O.

A key is written on one connection only, its writer's, so that the writes of a key have an order that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loadgen.trial.value import Seal, sealed
from loadgen.verify.durability.dump import Demand, Dumped


@dataclass(frozen=True, slots=True)
class Write:
    """One write: a value that is stored under a key, or the deletion of the key."""

    sequence: int
    """The number of the write in its case, from 1."""
    writer: int
    """The number of the connection, from 1."""
    key: str
    value: bytes | None
    """The value, which says its key, writer and sequence, and has a checksum; None for a deletion."""
    ttl_s: int = 0
    """The time to live of the key in seconds; 0 for ever."""

    @property
    def command(self) -> tuple[bytes, ...]:
        """Return the words of the command."""
        key = self.key.encode()
        if self.value is None:
            return (b"DEL", key)
        return (b"SET", key, self.value, *((b"EX", b"%d" % self.ttl_s) if self.ttl_s else ()))

    def __str__(self) -> str:
        """Return the write as text: "SET w1:k3 #17 (64 bytes)"."""
        if self.value is None:
            return f"DEL {self.key} #{self.sequence}"
        living = f" EX {self.ttl_s}" if self.ttl_s else ""
        return f"SET {self.key} #{self.sequence} ({len(self.value)} bytes){living}"


def key_of(writer: int, number: int) -> str:
    """Return the name of a key of a writer."""
    return f"w{writer}:k{number}"


def value_of(writer: int, key: str, sequence: int, size: int) -> bytes:
    """Return the value of a write, of `size` bytes where its seal has room in them."""
    # No time is written, so that the same case writes the same bytes.
    return sealed(Seal(key, writer, sequence, 0, 0), size)


@dataclass(slots=True)
class Entry:
    """A write that was sent."""

    write: Write
    sent_ns: int
    """The time before the write was sent, by the monotonic clock."""
    acknowledged_ns: int = 0
    """The time after the good reply was read; 0 without one."""
    refusal: str = ""
    """The first word of the error that was answered; empty without one."""

    @property
    def acknowledged(self) -> bool:
        return bool(self.acknowledged_ns)

    def __str__(self) -> str:
        answer = "OK" if self.acknowledged else f"-{self.refusal}" if self.refusal else "no reply"
        return f"{self.write} → {answer}"


class Log:
    """All writes of a case, in the order in which they were sent, and the dumps that were asked for between them."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._steps: list[Entry | Dumped] = []
        self.dumps: list[Dumped] = []
        """The dumps, in the order in which they were asked for."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def sent(self, write: Write, now_ns: int) -> Entry:
        """Note a write that is about to be sent."""
        entry = Entry(write, now_ns)
        self._entries.append(entry)
        self._steps.append(entry)
        return entry

    def asked(self, demand: Demand, now_ns: int) -> Dumped:
        """Note a dump that is about to be asked for."""
        dumped = Dumped(demand, now_ns)
        self.dumps.append(dumped)
        self._steps.append(dumped)
        return dumped

    def lines(self) -> tuple[str, ...]:
        """Return writes and dumps as text, in order."""
        return tuple(map(str, self._steps))

    @property
    def acknowledged(self) -> int:
        """The number of writes with a good reply."""
        return sum(entry.acknowledged for entry in self._entries)
