"""The binary file of a history: a header with JSON metadata, then blocks of records, each with its checksum.

    header   "LGHIST1\\n", uint32 length of the metadata, the metadata: a JSON object in UTF-8
    block    uint32 BLOCK, uint32 worker, uint32 number of records, uint32 CRC-32 of the records, the records

All numbers are little-endian; `_operation.pxd` is the record. Several writers append to one file, each block by one
write(2) on a descriptor with O_APPEND, so blocks of workers alternate, and only the last can be torn.
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


@dataclass(frozen=True, slots=True)
class Recorded:
    """A history that was read from a file."""

    operations: Operations
    metadata: Metadata
    blocks: int
    torn_bytes: int
    """What stood behind the last whole block: the beginning of one that was being written when its writer ended."""


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
    }
    text = json.dumps(told).encode()
    return MAGIC + _LENGTH.pack(len(text)) + text


def block(records: bytes | memoryview, worker: int = 0) -> bytes:
    """Return a block of records, which are whole."""
    many, rest = divmod(len(records), RECORD_BYTES)
    if rest:
        raise ValueError(f"{len(records)} bytes are no whole records of {RECORD_BYTES}")
    return _HEAD.pack(BLOCK, worker, many, zlib.crc32(records)) + bytes(records)


class Writer:
    """Appends blocks to a file that it has created, replacing one that was there."""

    def __init__(self, path: str | Path, metadata: Metadata, worker: int = 0) -> None:
        """Create the file. Raises OutputError."""
        self._path = path
        self._worker = worker
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._trouble(error) from error
        self._put(header(metadata))

    def write(self, operations: Operations) -> None:
        """Append a block with these operations. Raises OutputError."""
        with memoryview(operations) as records:
            self._put(block(records, self._worker))

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, data: bytes) -> None:
        try:
            if os.write(self._descriptor, data) != len(data):
                raise OutputError(f"{printable(str(self._path))}: the disk is full: the history is not whole")
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> OutputError:
        return OutputError(f"{printable(str(self._path))} could not be written: {error.strerror}")


def is_history(path: str | Path) -> bool:
    """True where a file begins as a binary history of any version does. Raises UsageError when it cannot be read."""
    with _opened(path) as stream:
        return stream.read(len(_KIND)) == _KIND


def read(path: str | Path) -> Recorded:
    """Read a history. Raises UsageError for a file that is none, of another version, or damaged, with the place.

    A block that was not written to its end, the last of the file, is left out and counted.
    """
    name = printable(str(path))
    with _opened(path) as stream:
        metadata = _metadata(stream, name)
        size = os.fstat(stream.fileno()).st_size
        at = stream.tell()
        operations = Operations()
        blocks = torn = 0
        # The file may grow while it is read: what stands behind this size is not looked at.
        while at < size:
            taken = _block(stream, operations, at, size, name)
            if not taken:
                torn = size - at
                break
            at += taken
            blocks += 1
    return Recorded(operations, metadata, blocks, torn)


def gathered(blocks: bytes) -> Operations:
    """Return the operations of blocks in memory, which are whole. Raises UsageError where they are not."""
    operations, stream, at = Operations(), BytesIO(blocks), 0
    while at < len(blocks):
        taken = _block(stream, operations, at, len(blocks), "the history")
        if not taken:
            raise UsageError(f"the history: the block at offset {at} is not whole")
        at += taken
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
    if not isinstance(own["sampling"], int | float) or any(not isinstance(own[each], str) for each in _TEXTS):
        raise UsageError(f"{name}: the metadata at offset {len(MAGIC)} is damaged: a field has another type")
    return Metadata(**own, more=told)


_TEXTS = ("origin", "clock", "protocol", "keys")
_DEFAULTS: dict[str, Any] = {**dict.fromkeys(_TEXTS, ""), "sampling": 1.0}


def _block(stream: BinaryIO, operations: Operations, at: int, size: int, name: str) -> int:
    """Append the operations of a block at an offset. Returns its length; 0 for one that was not written to its end."""
    if size - at < _HEAD.size:
        return 0
    magic, _, many, crc = _HEAD.unpack(stream.read(_HEAD.size))
    if magic != BLOCK:
        raise UsageError(f"{name}: there is no block at offset {at}, where one must begin: the file is damaged")
    if many > _MOST_RECORDS:
        raise UsageError(f"{name}: the block at offset {at} claims {many:,} records: the file is damaged")
    length: int = _HEAD.size + many * RECORD_BYTES
    if size - at < length:
        return 0
    before = len(operations)
    operations.grow(many)
    with memoryview(operations) as records:
        filled = stream.readinto(records[before * RECORD_BYTES :])  # type: ignore[attr-defined]
        if filled != many * RECORD_BYTES or zlib.crc32(records[before * RECORD_BYTES :]) != crc:
            raise UsageError(f"{name}: the checksum of the block at offset {at} is wrong: the file is damaged")
    if (found := operations.first_malformed(before)) is not None:
        index, why = found
        place = at + _HEAD.size + (index - before) * RECORD_BYTES
        raise UsageError(f"{name}: the record at offset {place} is none: {why}")
    return length
