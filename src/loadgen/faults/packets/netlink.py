"""Messages of the kernel's packet queues, as bytes (include/uapi/linux/netfilter/nfnetlink_queue.h). No socket.

Numbers of netlink's own headers are in the host's byte order, those of the queue in network order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

NETLINK_NETFILTER = 12
_SUBSYSTEM = 3 << 8
_PACKET, _VERDICT, _CONFIG = _SUBSYSTEM | 0, _SUBSYSTEM | 1, _SUBSYSTEM | 2
_ERROR = 2
_REQUEST, _ACK = 1, 4

_CFG_COMMAND, _CFG_PARAMETERS, _CFG_LENGTH = 1, 2, 3
_BIND = 1
_COPY_META, _COPY_PACKET = 1, 2
_PACKET_HEADER, _VERDICT_HEADER, _PAYLOAD = 1, 2, 10
_TYPE_BITS = 0x3FFF

_HEADER = struct.Struct("=IHHII")
_GENERIC = struct.Struct("!BBH")
_ATTRIBUTE = struct.Struct("=HH")


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that waits for a verdict."""

    number: int
    hook: int
    payload: bytes
    """The IP packet; empty unless the queue was opened for payloads."""


def opening(queue: int, length: int, *, payloads: bool) -> bytes:
    """Return the messages that open a queue: bind it, say how much of a packet is copied, and how many may wait."""
    mode, size = (_COPY_PACKET, 0xFFFF) if payloads else (_COPY_META, 0)
    settings = [
        (_CFG_COMMAND, struct.pack("!BBH", _BIND, 0, 0)),
        (_CFG_PARAMETERS, struct.pack("!IB", size, mode)),
        (_CFG_LENGTH, struct.pack("!I", length)),
    ]
    return b"".join(_message(_CONFIG, queue, [setting], _ACK) for setting in settings)


def verdict(queue: int, packet: int, number: int) -> bytes:
    """Return the message with the verdict over a packet."""
    return _message(_VERDICT, queue, [(_VERDICT_HEADER, struct.pack("!II", number, packet))], 0)


def packets(received: bytes) -> Iterator[Packet]:
    """Yield the packets of a datagram from the kernel. Raises OSError when the kernel reports an error."""
    at = 0
    while at + _HEADER.size <= len(received):
        length, kind, _, _, _ = _HEADER.unpack_from(received, at)
        body = received[at + _HEADER.size : at + length]
        if kind == _ERROR and (number := -struct.unpack_from("=i", body)[0]):
            raise OSError(number, "the kernel refused the packet queue")
        if kind == _PACKET:
            attributes = dict(_attributes(body[_GENERIC.size :]))
            number, _, hook = struct.unpack_from("!IHB", attributes[_PACKET_HEADER])
            yield Packet(number, hook, attributes.get(_PAYLOAD, b""))
        at += max(_aligned(length), _HEADER.size)


def _message(kind: int, queue: int, attributes: list[tuple[int, bytes]], flags: int) -> bytes:
    body = _GENERIC.pack(0, 0, queue) + b"".join(_attribute(*each) for each in attributes)
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 0, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (_aligned(length) - length)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        yield kind & _TYPE_BITS, body[at + _ATTRIBUTE.size : at + length]
        at += max(_aligned(length), _ATTRIBUTE.size)


def _aligned(length: int) -> int:
    return length + 3 & ~3
