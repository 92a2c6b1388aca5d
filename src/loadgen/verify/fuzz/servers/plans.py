"""The servers that can be given any bytes, by the words that name them. All are started, and bounded in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.protocol import Wire
from loadgen.server_plan import ServerPlan, builtin, loopback

# A payload of 20 bytes makes redis 7.0 map a table of 2**32 places and walk it, for 4 to 8 s, where nothing bounds its
# address space. A system without such a limit runs the server without it.
_BOUNDED = ("sh", "-c", 'ulimit -v 2097152 2> /dev/null; exec "$0" "$@"')
_REDIS = (
    "--bind", "{host}", "--port", "{port}", "--dir", "{dir}", "--daemonize", "no", "--save", "",
    # What a command or a payload may take at most: a client may ask for gigabytes, and that is no bug.
    "--maxmemory", "256mb", "--proto-max-bulk-len", "1mb",
    # Without this, Redis trusts payloads, and its documentation says that a wrong one may end it.
    "--sanitize-dump-payload", "yes",
)  # fmt: skip
_MEMCACHED = ("-l", "{host}", "-p", "{port}", "-U", "0", "-u", "nobody", "-m", "64")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is started."""

    plan: ServerPlan
    program: str
    """What must be installed; empty for loadgen's own."""
    restores: bool = False
    """True when it has RESTORE."""

    @property
    def wire(self) -> Wire:
        return self.plan.target.speaks.wire


SERVERS: Mapping[str, Server] = {
    "redis": Server(
        ServerPlan("redis", (*_BOUNDED, "redis-server", *_REDIS), loopback("resp")), "redis-server", restores=True
    ),
    "valkey": Server(
        ServerPlan("valkey", (*_BOUNDED, "valkey-server", *_REDIS), loopback("resp")), "valkey-server", restores=True
    ),
    "memcached": Server(ServerPlan("memcached", ("memcached", *_MEMCACHED), loopback("memcache")), "memcached"),
    "builtin": Server(builtin("resp", name="builtin"), ""),
    "builtin-memcache": Server(builtin("memcache", name="builtin-memcache"), ""),
}
"""By word, every server."""

FIRST = ("redis", "valkey", "builtin")
"""What is taken when none is named: the first that is installed."""
