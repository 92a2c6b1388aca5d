"""Frames: a stream of bytes cut into pieces, each with a kind and a body. No I/O.

A frame is the length of its body (4 bytes, big-endian), its kind (1 byte) and the body.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

_HEAD = struct.Struct("!IB")

HEAD_BYTES = _HEAD.size

KIND_AT = 4
"""The place of a frame's kind."""

LONGEST = 64 << 20
"""The longest body, in bytes: a plan with its pool of slots and a report of many histograms are far below."""

LONGEST_INTRODUCTION = 64 << 10


class Kind(IntEnum):
    """What a frame's body is."""

    INTRODUCTION = 1
    """The agent's first frame: an `Introduction`, in JSON."""
    CLAIM = 2
    """The leader's answer: a `Claim`, in JSON."""
    ACCEPTED = 3
    """The agent is the leader's from now on: the proof that it knows the token."""
    REFUSED = 4
    """The last frame: the reason, in words."""
    BEAT = 5
    """Nothing but a sign of life; both sides send it."""
    TOLD = 6
    """A message to the agent, pickled."""
    SAID = 7
    """A message of the agent's, pickled."""
    ENDED = 8
    """The agent's last frame: how it ended, in words after its name."""


class FrameError(Exception):
    """Bytes that are no frame."""


class Frame(NamedTuple):
    kind: Kind
    body: bytes


def frame(kind: Kind, body: bytes = b"") -> bytes:
    """Return the bytes of a frame. Raises FrameError for a body that is too long."""
    if len(body) > LONGEST:
        raise FrameError(f"a message of {len(body):,} bytes is longer than {LONGEST:,}")
    return _HEAD.pack(len(body), kind) + body


def begins_introduction(head: bytes) -> bool:
    """Return True if the first `HEAD_BYTES` of a stream, or fewer where it has ended, are those of an introduction."""
    if len(head) != HEAD_BYTES:
        return False
    length, kind = _HEAD.unpack(head)
    return bool(kind == Kind.INTRODUCTION and length <= LONGEST_INTRODUCTION)


class Frames:
    """The frames in a stream of bytes, however the stream is cut."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole with these bytes. Raises FrameError where there is none."""
        self._rest += data
        found, at = [], 0
        while len(self._rest) - at >= _HEAD.size:
            length, kind = _HEAD.unpack_from(self._rest, at)
            if length > LONGEST or kind not in Kind._value2member_map_:
                raise FrameError(f"{bytes(self._rest[at : at + 16])!r} is not how a message of loadgen's begins")
            end = at + _HEAD.size + length
            if len(self._rest) < end:
                break
            found.append(Frame(Kind(kind), bytes(self._rest[at + _HEAD.size : end])))
            at = end
        del self._rest[:at]
        return found
