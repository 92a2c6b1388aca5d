"""The binary file of a history: a header with JSON metadata, then blocks of records, each with its checksum.

    header   "LGHIST1\\n", uint32 length of the metadata, the metadata: a JSON object in UTF-8
    block    uint32 BLOCK, uint32 worker, uint32 number of records, uint32 CRC-32 of the records, the records

All numbers are little-endian; `_operation.pxd` is the record. Several workers append to one file, each block by one
write(2) on a descriptor with O_APPEND, so blocks of workers alternate. A block without records is the last of its
worker: one that was killed has none. What a worker that is killed within write(2) leaves is torn, and blocks of others
may follow it.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from loadgen.errors import OutputError, UsageError
from loadgen.escape import printable
from loadgen.verify.history._operations import RECORD_BYTES, Operations

MAGIC = b"LGHIST1\n"
_KIND = MAGIC[:6]
"""What the files of every version begin with."""
VERSION = 1
"""Of the metadata."""
BLOCK = 0x4B4C_4247
"""The first number of a block: "GBLK"."""

_LENGTH = struct.Struct("<I")
_HEAD = struct.Struct("<IIII")
_MOST_METADATA = 1 << 20
_MOST_RECORDS = 1 << 24
"""The most records of a block: a number that is no length of ours is found before memory is asked for."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a history says of itself."""

    origin: str = ""
    """The program and its version: "loadgen 1.2.0"."""
    clock: str = "monotonic"
    """The clock of its times: monotonic, or virtual in a simulated world."""
    protocol: str = ""
    keys: str = ""
    """The names of keys in words: the pattern that has a key's number in it. Empty: not known."""
    sampling: float = 1.0
    """The share of keys whose operations are recorded. All operations of such a key are."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further fields, for people."""
    workers: int = 0
    """The number of workers, from 0, each of which ends its blocks with an empty one; 0: not known."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A history that was read from a file."""

    operations: Operations
    metadata: Metadata
    blocks: int
    """Those with records."""
    torn_bytes: int = 0
    torn_blocks: int = 0
    """Beginnings of blocks that were being written when their worker ended. They are left out."""
    unclosed: tuple[int, ...] = ()
    """The workers that have no last block: each ended before its time, or still writes."""


def header(metadata: Metadata) -> bytes:
    """Return the header of a file."""
    told = {
        **metadata.more,
        "version": VERSION,
        "origin": metadata.origin,
        "clock": metadata.clock,
        "protocol": metadata.protocol,
        "keys": metadata.keys,
        "sampling": metadata.sampling,
        "workers": metadata.workers,
    }
    text = json.dumps(told).encode()
    return MAGIC + _LENGTH.pack(len(text)) + text


def block(records: bytes | memoryview, worker: int = 0) -> bytes:
    """Return a block of records, which are whole."""
    many, rest = divmod(len(records), RECORD_BYTES)
    if rest:
        raise ValueError(f"{len(records)} bytes are no whole records of {RECORD_BYTES}")
    return _HEAD.pack(BLOCK, worker, many, zlib.crc32(records)) + bytes(records)


def create(path: str | Path, metadata: Metadata) -> int:
    """Create a file with a header, in place of one that was there. Returns its descriptor. Raises OutputError."""
    descriptor = _appending(path, os.O_CREAT | os.O_TRUNC)
    _put(descriptor, header(metadata), path)
    return descriptor


class Writer:
    """Appends blocks of one worker to a file. In a context, an exception leaves the file without its last block."""

    def __init__(self, path: str | Path, metadata: Metadata | None = None, worker: int = 0) -> None:
        """Create the file, in place of one that was there, or open one that `create` has made. Raises OutputError."""
        self._path = path
        self._worker = worker
        self._descriptor = _appending(path) if metadata is None else create(path, metadata)

    def write(self, operations: Operations) -> None:
        """Append a block with these operations, of which there is one at least. Raises OutputError."""
        with memoryview(operations) as records:
            _put(self._descriptor, block(records, self._worker), self._path)

    def close(self) -> None:
        """Append the worker's last block, and close the file. Raises OutputError."""
        try:
            _put(self._descriptor, block(b"", self._worker), self._path)
        finally:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            os.close(self._descriptor)


def _appending(path: str | Path, flags: int = 0) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o666)
    except OSError as error:
        raise _trouble(path, error) from error


def _put(descriptor: int, data: bytes, path: str | Path) -> None:
    try:
        if os.write(descriptor, data) != len(data):
            raise OutputError(f"{printable(str(path))}: the disk is full: the history is not whole")
    except OSError as error:
        raise _trouble(path, error) from error


def _trouble(path: str | Path, error: OSError) -> OutputError:
    return OutputError(f"{printable(str(path))} could not be written: {error.strerror}")


def is_history(path: str | Path) -> bool:
    """True where a file begins as a binary history of any version does. Raises UsageError when it cannot be read."""
    with _opened(path) as stream:
        return stream.read(len(_KIND)) == _KIND


def read(path: str | Path) -> Recorded:
    """Read a history. Raises UsageError for a file that is none, of another version, or damaged, with the place.

    A block that was not written to its end is left out and counted: the last of the file, or one within which another
    begins.
    """
    name = printable(str(path))
    with _opened(path) as stream:
        metadata = _metadata(stream, name)
        size = os.fstat(stream.fileno()).st_size
        at = stream.tell()
        operations = Operations()
        closed: dict[int, bool] = {}
        blocks = torn_blocks = torn_bytes = 0
        # The file may grow while it is read: what stands behind this size is not looked at.
        while at < size:
            try:
                length, worker, many = _block(stream, operations, at, size, name)
                closed[worker] = not many
                blocks += many > 0
            except _Torn as torn:
                length = torn.length
                torn_blocks += 1
                torn_bytes += length
            at += length
    unclosed = tuple(worker for worker in range(metadata.workers) if not closed.get(worker, False))
    return Recorded(operations, metadata, blocks, torn_bytes, torn_blocks, unclosed)


def gathered(blocks: bytes) -> Operations:
    """Return the operations of blocks in memory, which are whole. Raises UsageError where they are not."""
    operations, stream, at = Operations(), BytesIO(blocks), 0
    while at < len(blocks):
        at += _block(stream, operations, at, len(blocks), "the history")[0]
    return operations


def _opened(path: str | Path) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise UsageError(f"{printable(str(path))} could not be read: {error.strerror}") from error


def _metadata(stream: BinaryIO, name: str) -> Metadata:
    magic = stream.read(len(MAGIC))
    if magic != MAGIC:
        if magic[: len(_KIND)] == _KIND:
            version = printable(magic[len(_KIND) :].decode("ascii", "replace").strip())
            raise UsageError(f"{name} is a history of version {version}, and this loadgen reads version 1")
        raise UsageError(f'{name} is no history: it does not begin with "LGHIST1" (offset 0)')
    length = stream.read(_LENGTH.size)
    told: Any = None
    if len(length) == _LENGTH.size and (many := _LENGTH.unpack(length)[0]) <= _MOST_METADATA:
        text = stream.read(many)
        try:
            told = json.loads(text) if len(text) == many else None
        except ValueError:
            told = None
    if not isinstance(told, dict):
        raise UsageError(f"{name}: the metadata at offset {len(MAGIC)} is damaged: no JSON object of the length there")
    if told.pop("version", None) != VERSION:
        raise UsageError(f"{name} is a history of another version, and this loadgen reads version 1")
    own = {each: told.pop(each, default) for each, default in _DEFAULTS.items()}
    of_types = isinstance(own["sampling"], int | float) and isinstance(own["workers"], int)
    if not of_types or any(not isinstance(own[each], str) for each in _TEXTS):
        raise UsageError(f"{name}: the metadata at offset {len(MAGIC)} is damaged: a field has another type")
    return Metadata(**own, more=told)


_TEXTS = ("origin", "clock", "protocol", "keys")
_DEFAULTS: dict[str, Any] = {**dict.fromkeys(_TEXTS, ""), "sampling": 1.0, "workers": 0}


class _Torn(Exception):
    """What stands here is the beginning of a block that was not written to its end, of `length` bytes."""

    def __init__(self, length: int) -> None:
        self.length = length


def _block(stream: BinaryIO, operations: Operations, at: int, size: int, name: str) -> tuple[int, int, int]:
    """Append the operations of the block at an offset. Returns its length, its worker and its number of records.

    Raises _Torn for one that was not written to its end, and UsageError for one that is damaged.
    """
    stream.seek(at)
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size and head[: len(_FIRST)] == _FIRST[: len(head)]:
        raise _Torn(size - at)
    magic, worker, many, crc = _HEAD.unpack(head.ljust(_HEAD.size, b"\0"))
    if magic != BLOCK or many > _MOST_RECORDS:
        # A block that ends within its head is followed by the head of another.
        next_at = _next_block(stream, at, min(at + _HEAD.size, size), size)
        if next_at is not None and head[: min(next_at - at, len(_FIRST))] == _FIRST[: next_at - at]:
            raise _Torn(next_at - at)
        if magic != BLOCK:
            raise UsageError(f"{name}: there is no block at offset {at}, where one must begin: the file is damaged")
        raise UsageError(f"{name}: the block at offset {at} claims {many:,} records: the file is damaged")
    length: int = _HEAD.size + many * RECORD_BYTES
    before = len(operations)
    if size - at >= length:
        operations.grow(many)
        with memoryview(operations) as records:
            own = records[before * RECORD_BYTES :]
            filled = stream.readinto(own)  # type: ignore[attr-defined]
            is_whole = filled == many * RECORD_BYTES and zlib.crc32(own) == crc
            own.release()
        if is_whole:
            _check(operations, before, at, name)
            return length, worker, many
        operations.cut(before)
    if (next_at := _next_block(stream, at, min(at + length, size), size)) is not None:
        raise _Torn(next_at - at)
    if size - at < length:
        raise _Torn(size - at)
    raise UsageError(f"{name}: the checksum of the block at offset {at} is wrong: the file is damaged")


_FIRST = BLOCK.to_bytes(4, "little")


def _next_block(stream: BinaryIO, at: int, until: int, size: int) -> int | None:
    """Return the offset of the first whole block that begins behind `at` and before `until`; None for none."""
    stream.seek(at)
    data = stream.read(until - at + _HEAD.size)
    found = 0
    while (found := data.find(_FIRST, found + 1)) >= 0 and at + found < until:
        if len(data) - found < _HEAD.size:
            return None
        _, _, many, crc = _HEAD.unpack_from(data, found)
        length = _HEAD.size + many * RECORD_BYTES
        if many <= _MOST_RECORDS and at + found + length <= size:
            stream.seek(at + found + _HEAD.size)
            if zlib.crc32(stream.read(many * RECORD_BYTES)) == crc:
                return at + found
    return None


def _check(operations: Operations, before: int, at: int, name: str) -> None:
    """Raise UsageError where a record of the block at an offset is none; its first is `before`."""
    if (found := operations.first_malformed(before)) is not None:
        index, why = found
        place = at + _HEAD.size + (index - before) * RECORD_BYTES
        raise UsageError(f"{name}: the record at offset {place} is none: {why}")
