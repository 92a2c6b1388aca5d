"""memcache's binary protocol on a conversation: one request, one reply (memcached's protocol_binary.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from loadgen.target.talk.conversation import Conversation

GET, SET, DELETE, VERSION, STAT, LOG_IN = 0x00, 0x01, 0x04, 0x0B, 0x10, 0x21
NOT_FOUND, AUTH_ERROR = 0x01, 0x20

LONGEST_BODY = 65536
"""The longest body of a reply that is read."""

_HEADER = struct.Struct("!BBHBBHII8s")
_REQUEST, _RESPONSE = 0x80, 0x81


@dataclass(frozen=True, slots=True)
class Message:
    """A reply."""

    opcode: int
    status: int
    """0: the request was carried out."""
    key: bytes
    value: bytes
    body: bytes
    """Extras, key and value."""

    @property
    def words(self) -> str:
        """The value as text; of an error, as an error reply of the load's connections begins."""
        text = self.value.decode(errors="backslashreplace")
        return f"AUTH_ERROR {text}".rstrip() if self.status == AUTH_ERROR else text


def request(opcode: int, key: bytes = b"", value: bytes = b"", extras: bytes = b"") -> bytes:
    """Return a request, whose opaque and CAS are 0."""
    body = extras + key + value
    return _HEADER.pack(_REQUEST, opcode, len(key), len(extras), 0, 0, len(body), 0, bytes(8)) + body


def log_in(username: str, password: str) -> bytes:
    """Return the request that logs in by SASL PLAIN."""
    return request(LOG_IN, b"PLAIN", b"\0" + username.encode() + b"\0" + password.encode())


def first(heard: bytes) -> tuple[Message, bytes] | None:
    """Return the first reply of the bytes, and what is behind it; None while it is not whole.

    Raises ValueError for bytes that are no reply.
    """
    if heard and heard[0] != _RESPONSE:
        raise ValueError("not memcache's binary protocol")
    if len(heard) < _HEADER.size:
        return None
    _, opcode, key_bytes, extras_bytes, _, status, body_bytes, _, _ = _HEADER.unpack_from(heard)
    if body_bytes > LONGEST_BODY or body_bytes < key_bytes + extras_bytes:
        raise ValueError("a reply longer than any that was asked for")
    if len(heard) < _HEADER.size + body_bytes:
        return None
    body, rest = heard[_HEADER.size : _HEADER.size + body_bytes], heard[_HEADER.size + body_bytes :]
    key = body[extras_bytes : extras_bytes + key_bytes]
    return Message(opcode, status, key, body[extras_bytes + key_bytes :], body), rest


def answers(conversation: Conversation, asked: bytes) -> list[Message]:
    """Return the replies to a request: one, or of STAT the listing up to its end, which has an empty key.

    Raises NoAnswerError when one does not come, and ValueError for bytes that are no reply.
    """
    conversation.tell(asked)
    found: list[Message] = []
    heard = b""
    while True:
        while (taken := first(heard)) is None:
            heard += conversation.hear()
        message, heard = taken
        found.append(message)
        if message.opcode != STAT or message.status or not message.key:
            return found
