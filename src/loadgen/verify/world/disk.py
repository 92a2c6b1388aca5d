"""The disk of a simulated host: append-only files whose last bytes are lost when the host loses its power.

A file has what was written, which a process reads back and a killed process leaves behind, and of that the bytes that
an fsync has made durable. A power cut keeps these, and a drawn part of the bytes behind them. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable

Below = Callable[[int, str], int]
"""Draws a number below `n`, 0 being the simplest, at a site."""


class DiskError(Exception):
    """A disk is full, or an fsync failed."""


class File:
    """One append-only file."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._data = bytearray()
        self.durable_bytes = 0
        """The bytes that an fsync has made durable, which no power cut takes."""

    def __len__(self) -> int:
        return len(self._data)

    def read(self) -> bytes:
        return bytes(self._data)

    def append(self, data: bytes) -> None:
        """Write bytes at the end. On a full disk the bytes that fit are written, and DiskError is raised."""
        fitting = data[: self._disk.free_bytes]
        self._data += fitting
        if len(fitting) < len(data):
            raise DiskError("no space left on device")

    def truncate(self, size: int) -> None:
        """Cut the file to its first `size` bytes."""
        del self._data[size:]
        self.durable_bytes = min(self.durable_bytes, size)

    def sync(self) -> None:
        """Make all that was written durable. Raises DiskError while the disk fails."""
        if self._disk.failing:
            raise DiskError("input/output error")
        self.durable_bytes = len(self._data)

    def lose_power(self, below: Below) -> int:
        """Keep what is durable and a drawn part of what is not; return the number of bytes that are lost."""
        volatile = len(self._data) - self.durable_bytes
        # All of it and a part of it are as likely as nothing.
        left = below(3, "what a power cut leaves of an unsynced tail: nothing, all, or a part")
        # Counted from the end: what is torn stays so when there is less before it.
        missing = below(volatile + 1, "bytes that are missing at its end") if left == 2 else 0
        kept = self.durable_bytes + (0, volatile, volatile - missing)[left]
        lost = len(self._data) - kept
        self.truncate(kept)
        self.durable_bytes = kept
        return lost


class Disk:
    """The files of one host, by name."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self.capacity_bytes: int | None = None
        """The size of the disk; None: there is always room."""
        self.failing = False
        """True while every fsync fails."""

    def open(self, name: str) -> File:
        """Return the file of a name, which is made empty where it is absent."""
        return self._files.setdefault(name, File(self))

    def remove(self, name: str) -> None:
        self._files.pop(name, None)

    @property
    def used_bytes(self) -> int:
        return sum(map(len, self._files.values()))

    @property
    def free_bytes(self) -> int:
        """The bytes that can be written. Of a disk without a capacity, more than any program writes."""
        return (1 << 62) if self.capacity_bytes is None else max(0, self.capacity_bytes - self.used_bytes)

    def lose_power(self, below: Below) -> int:
        """End all that is volatile; return the number of bytes that were written and are lost."""
        return sum(file.lose_power(below) for file in self._files.values())
