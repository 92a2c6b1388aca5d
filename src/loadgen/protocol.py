"""The protocols, one row each: all code that depends on the protocol reads its row. Values; no I/O.

Limits are from redis.io (proto-max-bulk-len) and from memcached's protocol.txt and its option -I.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Wire(StrEnum):
    """The family of servers: with the dialect it decides the codec of the load, and of requests beside the load."""

    RESP = "resp"
    MEMCACHE = "memcache"


class Dialect(StrEnum):
    """The commands of memcache that the load speaks; a server may understand all three on one port."""

    TEXT = "text"
    META = "meta"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Protocol:
    """A value of `target.protocol`, and the properties of that protocol."""

    name: str
    record_name: str
    """The name in records: the enum of crucible's benchmark."""
    wire: Wire
    port: int
    """The default port."""
    version: int = 0
    """The version of RESP; 0 for memcache."""
    probe: str = "PING"
    """The command that finds out if a server answers, in words for people."""
    has_keys: bool = True
    """True when requests name keys. Without keys, nothing is stored, prefilled or hit."""
    dialect: Dialect | None = None
    """None for RESP."""
    needs_username: bool = False
    """True when a log-in by password names a user, as well."""
    begins_with_hello: bool = False
    """True when a connection speaks this protocol only after a HELLO."""
    knows_hello: bool = True
    longest_key: int | None = None
    """In bytes; None where the configuration's own limit is below the protocol's."""
    longest_value: int = 512 * 2**20
    """In bytes."""
    ttl_unit_ns: int = 1_000_000
    """The unit of a key's time to live."""
    instead: Mapping[str, str] = field(default_factory=dict)
    """The commands that a mix may have and the protocol lacks, each with the remedy."""

    @property
    def lacks(self) -> tuple[str, ...]:
        """The commands that a mix may have and the protocol lacks."""
        return tuple(self.instead)

    @property
    def creates_counters(self) -> bool:
        """True when an increment creates a counter that is not there."""
        return self.dialect is not Dialect.TEXT

    @property
    def server(self) -> Protocol:
        """The protocol that a server is started with, and that readiness checks use."""
        return self if self.dialect is Dialect.BINARY else PROTOCOLS[self.wire]

    def question(self, precheck: str) -> str:
        """Return the command of a connection's greeting, in words for people; empty for none.

        `precheck` is as in a Target.
        """
        if self.begins_with_hello or precheck == "hello":
            return "HELLO"
        return "" if precheck == "none" else self.probe

    def greetings(
        self,
        precheck: str,
        *,
        authenticated: bool,
        selects: bool = False,
        resets: bool = False,
        tracks: bool = False,
        reads_replicas: bool = False,
    ) -> tuple[str, ...]:
        """Return the requests that a connection of the load begins with, by their names in `_request`.

        `authenticated` is True when there is a password. RESP3's HELLO carries the password. `selects` is True when the
        connection is to have another database than 0. With `resets`, the connection is first reset. With `tracks`, the
        server tracks its keys. With `reads_replicas`, connections to replicas of a cluster say that they only read.
        """
        first, after = (
            ("reset",) * resets,
            (
                *("select",) * selects,
                *("tracking",) * tracks,
                *("readonly",) * reads_replicas,
            ),
        )
        if self.begins_with_hello:
            return (*first, "hello", *after)
        asked = {"ping": ("ping",), "hello": ("hello",), "none": ()}[precheck]
        return (*first, *("auth",) * authenticated, *after, *asked)


_SINGLE_WRITES = {
    "mset": "memcache stores single keys: send set, with connection.pipeline_depth or target.memcache.quiet"
}
_SINGLE_READS = {
    "mget": "this dialect reads single keys: send get, with connection.pipeline_depth or target.memcache.quiet, or set "
    'target.protocol to "memcache"'
}


def _memcache(name: str, record_name: str, dialect: Dialect, probe: str) -> Protocol:
    return Protocol(
        name,
        record_name,
        Wire.MEMCACHE,
        11211,
        probe=probe,
        dialect=dialect,
        needs_username=True,
        knows_hello=False,
        longest_key=250,
        # The longest item, less what memcached needs for the item's header.
        longest_value=2**30 - 512,
        ttl_unit_ns=1_000_000_000,
        instead=_SINGLE_WRITES if dialect is Dialect.TEXT else {**_SINGLE_READS, **_SINGLE_WRITES},
    )


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("resp", "Resp", Wire.RESP, 6379, version=2),
        Protocol("resp3", "Resp3", Wire.RESP, 6379, version=3, begins_with_hello=True),
        _memcache("memcache", "Memcache", Dialect.TEXT, "version"),
        _memcache("memcache-meta", "MemcacheMeta", Dialect.META, "mn"),
        _memcache("memcache-binary", "MemcacheBinary", Dialect.BINARY, "no-op"),
        Protocol("ping", "Ping", Wire.RESP, 6379, version=2, has_keys=False),
    )
}
"""By name."""

ALIASES = {
    "memcache_meta": "memcache-meta",
    "memcachemeta": "memcache-meta",
    "memcache_binary": "memcache-binary",
    "memcachebinary": "memcache-binary",
    "memcache_text": "memcache",
    "memcache-text": "memcache",
}
"""Other spellings of a protocol's name, among them those of cachecannon, crucible and memtier."""
