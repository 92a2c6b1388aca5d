"""Payloads of RESTORE as pieces: RDB values of Redis, whose lengths follow from what they hold. No I/O.

A payload here has no footer, which `footed` adds: a wrong version or checksum says nothing about what reads the value.
Sources: rdb.h, rdb.c and listpack.c of Redis 7; CRC-64/Jones is that of "CRC RevEng" (redis).
"""

from __future__ import annotations

from collections.abc import Callable

from loadgen.verify.fuzz.piece import Frame, Numbering, Piece

_VERSION = 10
"""Of Redis 7.0 and Valkey 7.2; newer servers read it."""


# ── Numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _length(number: int) -> bytes:
    """Return a length of RDB, in as few bytes as there can be."""
    if number < 1 << 6:
        return bytes([number])
    if number < 1 << 14:
        return bytes([0x40 | number >> 8, number & 0xFF])
    return b"\x80" + number.to_bytes(4, "big")


_LISTPACK_HEAD = 6


def _listpack_head(body: bytes, entries: int) -> bytes:
    """Return the head of a listpack: its size in bytes, with head and end, and the number of its entries."""
    size = _LISTPACK_HEAD + len(body) + 1
    return size.to_bytes(4, "little") + min(entries, 0xFFFF).to_bytes(2, "little")


NUMBERINGS = (
    Numbering("string", lambda body, pieces: _length(len(body))),
    Numbering("elements", lambda body, pieces: _length(pieces)),
    Numbering("pairs", lambda body, pieces: _length(pieces // 2)),
    Numbering("listpack", _listpack_head),
)
_STRING, _ELEMENTS, _PAIRS, _LISTPACK = range(4)


# ── The reader ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _NotKnown(Exception):
    """Bytes that are read as a text."""


_Value = tuple[Piece, int]
"""A piece, and where the next one begins."""


def read(data: bytes) -> tuple[Piece, ...]:
    """Return a payload as pieces: its type, and the value of it as far as the type is known here."""
    kind, value = data[:1], data[1:]
    known = _TYPES.get(data[0]) if data else None
    if known is not None:
        try:
            piece, end = known(value, 0)
        except (_NotKnown, IndexError):
            pass
        else:
            return (kind, piece, *[value[end:]] * (end < len(value)))
    return (kind, *_bytewise(value))


def _bytewise(data: bytes) -> tuple[bytes, ...]:
    """Return texts of 8 bytes, so that a part of what is not known can be left out."""
    return tuple(data[at : at + 8] for at in range(0, len(data), 8))


def _number(data: bytes, at: int) -> tuple[int, int]:
    match data[at] >> 6:
        case 0:
            return data[at], at + 1
        case 1:
            return (data[at] & 0x3F) << 8 | data[at + 1], at + 2
    raise _NotKnown


def _string(data: bytes, at: int) -> _Value:
    if data[at] >= 0xC0:
        # An integer: 1, 2 or 4 bytes. A compressed string is not known.
        if data[at] > 0xC2:
            raise _NotKnown
        end = at + 1 + (1 << data[at] - 0xC0)
        return data[at:end], end
    size, start = _number(data, at)
    body = data[start : start + size]
    return Frame(_STRING, b"", b"", (body,) if body else (), b""), start + size


def _blob(data: bytes, at: int) -> _Value:
    """Return a string that is a listpack."""
    size, start = _number(data, at)
    return Frame(_STRING, b"", b"", (_listpack(data[start : start + size]),), b""), start + size


def _listpack(data: bytes) -> Piece:
    entries: list[Piece] = []
    at = _LISTPACK_HEAD
    while at < len(data) and data[at] != 0xFF:
        first = data[at]
        if first < 0x80:
            size = 1
        elif first < 0xC0:
            size = 1 + (first & 0x3F)
        elif first < 0xE0:
            size = 2
        elif first == 0xF1:
            size = 3
        else:
            raise _NotKnown
        entries.append(data[at : at + size + 1])
        at += size + 1
    return Frame(_LISTPACK, b"", b"", tuple(entries), b"\xff")


def _double(data: bytes, at: int) -> _Value:
    return data[at : at + 8], at + 8


def _counted(numbering: int, *elements: Callable[[bytes, int], _Value]) -> Callable[[bytes, int], _Value]:
    """Return the reader of a number, and as many times the elements."""

    def read(data: bytes, at: int) -> _Value:
        number, at = _number(data, at)
        found: list[Piece] = []
        for _ in range(number):
            for element in elements:
                piece, at = element(data, at)
                found.append(piece)
        return Frame(numbering, b"", b"", tuple(found), b""), at

    return read


def _node(data: bytes, at: int) -> _Value:
    """Return a node of a quicklist: the kind of its container, and a listpack or an element."""
    container, start = _number(data, at)
    piece, end = (_blob if container == 2 else _string)(data, start)
    assert isinstance(piece, Frame)
    return Frame(_STRING, data[at:start], b"", piece.body, b""), end


_TYPES: dict[int, Callable[[bytes, int], _Value]] = {
    0: _string,
    1: _counted(_ELEMENTS, _string),
    2: _counted(_ELEMENTS, _string),
    4: _counted(_PAIRS, _string, _string),
    5: _counted(_PAIRS, _string, _double),
    11: _string,
    16: _blob,
    17: _blob,
    18: _counted(_ELEMENTS, _node),
}
"""By type of a value: string, list, set, hash, sorted set; set of integers; hash, sorted set and list of listpacks."""


# ── The footer ────────────────────────────────────────────────────────────────────────────────────────────────────────

_POLYNOMIAL = 0x95AC9329AC4BC9B5
"""That of CRC-64/Jones, 0xad93d23594c935a9, with its bits reversed."""


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        found.append(byte)
    return tuple(found)


_TABLE = _table()


def checksum(data: bytes) -> int:
    """Return the CRC-64 of bytes. That of b"123456789" is 0xe9c6d914c4b8d9ca."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def footed(value: bytes) -> bytes:
    """Return a value as RESTORE takes it: with the version of RDB and the checksum of all."""
    versioned = value + _VERSION.to_bytes(2, "little")
    return versioned + checksum(versioned).to_bytes(8, "little")
