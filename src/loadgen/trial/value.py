"""The seal of a value: bytes that say whose value this is, and that nothing of the value was changed. Pure; no clock.

A sealed value is a header, the key, and filling up to the wanted length:

    magic (2 bytes) · CRC-32 of all that follows (4) · length of the value (4) · run (4) · writer (2) · sequence (8) ·
    time written (8) · first settled (8) · last settled (8) · length of the key (1) · the key · filling

All numbers are big-endian. There are no settled sequences where the last is less than the first. The filling depends on
the sequence, so that two values of one key differ in every part.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_HEADER = struct.Struct("!2sIIIHQQQQB")
_CHECKED = struct.Struct("!IIHQQQQB")
_MAGIC = b"\xa7L"
"""No text begins with these bytes: the first is no character of ASCII, and no beginning of one of UTF-8."""
_CHECKED_FROM = 6
"""The offset from which the checksum counts."""

LONGEST_KEY = 250
"""The longest key of memcache, in bytes."""

Range = tuple[int, int]
"""The first and the last of consecutive sequences; none where the last is less than the first."""

NONE_SETTLED: Range = (1, 0)


class Damaged(ValueError):
    """Bytes that are no sealed value, with the reason."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What a value says of itself."""

    key: str
    writer: int
    """The number of the caller process that wrote the value, from 1."""
    sequence: int
    """The number of the write among the writes of the key, from 1."""
    written_ns: int
    """The time at which the write began, by the monotonic clock of the host."""
    run: int
    """The number of the run, which distinguishes a value of an earlier run on the same server."""
    settled: Range = NONE_SETTLED
    """Sequences of the key whose values had all been acknowledged before this write began, so that none of them can
    follow this value (`trial.sightings`)."""


def least_length(key: str) -> int:
    """Return the length of the shortest value of a key, in bytes."""
    return _HEADER.size + len(key)


def sealed(seal: Seal, length: int) -> bytes:
    """Return a value of `length` bytes, or of the least length of the key where that is more.

    Raises ValueError for a key that is longer than 250 bytes or not ASCII.
    """
    key = seal.key.encode("ascii")
    if len(key) > LONGEST_KEY:
        raise ValueError(f"The key is longer than {LONGEST_KEY} bytes.")
    length = max(length, _HEADER.size + len(key))
    filling = _filling(seal.sequence, length - _HEADER.size - len(key))
    numbers = (length, seal.run, seal.writer, seal.sequence, seal.written_ns, *seal.settled, len(key))
    checked = _CHECKED.pack(*numbers) + key + filling
    return _MAGIC + zlib.crc32(checked).to_bytes(4) + checked


def read(value: bytes) -> Seal:
    """Return the seal of a value. Raises Damaged when the bytes are no whole, unchanged value."""
    if len(value) < _HEADER.size or value[:2] != _MAGIC:
        raise Damaged(f"{len(value)} bytes that are no sealed value")
    _, checksum, length, run, writer, sequence, written_ns, first, last, key_length = _HEADER.unpack_from(value)
    if length != len(value):
        raise Damaged(f"{len(value)} bytes of a value of {length}")
    if zlib.crc32(memoryview(value)[_CHECKED_FROM:]) != checksum:
        raise Damaged(f"a value of {length} bytes with the wrong checksum")
    key = value[_HEADER.size : _HEADER.size + key_length]
    return Seal(key.decode("ascii"), writer, sequence, written_ns, run, (first, last))


def _filling(sequence: int, length: int) -> bytes:
    pattern = b"%x." % sequence
    return (pattern * (length // len(pattern) + 1))[:length]
