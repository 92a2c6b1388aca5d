"""The protocols, a row each: whatever depends on the protocol asks its row. Values; no I/O.

Limits are from redis.io (proto-max-bulk-len) and from memcached's protocol.txt and its option -I.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Wire(StrEnum):
    """What bytes look like: which codec the load goes through, and how a server is spoken to beside it."""

    RESP = "resp"
    MEMCACHE = "memcache"


@dataclass(frozen=True, slots=True)
class Protocol:
    """A value of `target.protocol`, and what follows from it."""

    name: str
    record_name: str
    """In records: the enum of crucible's benchmark."""
    wire: Wire
    port: int
    """The one that is meant where none is given."""
    version: int = 0
    """Of RESP; 0 for memcache."""
    probe: str = "PING"
    """The command that asks for a sign of life, for people."""
    has_keys: bool = True
    """Whether its requests name keys. Without, nothing is stored, prefilled or hit."""
    authenticates: bool = True
    """Whether a connection can log in."""
    begins_with_hello: bool = False
    """Whether a connection is of this protocol only after a HELLO."""
    knows_hello: bool = True
    longest_key: int | None = None
    """In bytes; None where the configuration's own limit is below the protocol's."""
    longest_value: int = 512 * 2**20
    """In bytes."""

    @property
    def server(self) -> Protocol:
        """The protocol that a server is started with, and asked by whether it is there."""
        return PROTOCOLS[self.wire]

    def question(self, precheck: str) -> str:
        """The command that a connection begins with, for people; empty for none. `precheck` is as in a Plan."""
        if self.begins_with_hello or precheck == "hello":
            return "HELLO"
        return "" if precheck == "none" else self.probe

    def greetings(self, precheck: str, *, authenticated: bool) -> tuple[str, ...]:
        """The requests that a connection of the load begins with, by the names that `_request` has for them.

        `authenticated` says whether there is a password. RESP3's HELLO carries it.
        """
        if self.begins_with_hello:
            return ("hello",)
        asked = {"ping": ("ping",), "hello": ("hello",), "none": ()}[precheck]
        return ("auth", *asked) if authenticated and self.authenticates else asked


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("resp", "Resp", Wire.RESP, 6379, version=2),
        Protocol("resp3", "Resp3", Wire.RESP, 6379, version=3, begins_with_hello=True),
        Protocol(
            "memcache",
            "Memcache",
            Wire.MEMCACHE,
            11211,
            probe="version",
            authenticates=False,
            knows_hello=False,
            longest_key=250,
            # Its longest item, of which it takes some for its own head.
            longest_value=2**30 - 512,
        ),
        Protocol("ping", "Ping", Wire.RESP, 6379, version=2, has_keys=False),
    )
}
"""By name."""
