"""The meaning of an error reply to a greeting, the first request on a connection. Pure functions.

A greeting finds out that a server is there and serves us. An error reply comes from a server that is there, so the
connection is used, unless no later request on the connection can succeed.
"""

from __future__ import annotations

LOADING = ("LOADING",)
"""The server is reading its data set; the greeting is repeated."""

LOCKED = (
    # Redis and its forks; the last two are from before 6.0 and before 2.8.
    "NOAUTH",
    "WRONGPASS",
    "ERR invalid password",
    "ERR operation not permitted",
    # memcached -Y, and with SASL.
    "CLIENT_ERROR unauthenticated",
    "CLIENT_ERROR authentication failure",
    "ERROR authentication required",
    # The binary protocol's status 0x20.
    "AUTH_ERROR",
)
"""The server requires credentials, or other ones than it received."""

CLOSING = (
    # Redis' protected mode, maxclients, and a request that it cannot read.
    "DENIED",
    "ERR max number of clients",
    "ERR Protocol error",
    # memcached's -c.
    "ERROR Too many open connections",
)
"""The server closes the connection after these words."""

TURNED_AWAY = (*LOADING, *LOCKED, *CLOSING)
"""The beginnings of error replies after which no request on the same connection can succeed."""


def is_loading(words: str) -> bool:
    return words.startswith(LOADING)


def is_locked(words: str) -> bool:
    return words.startswith(LOCKED)


def is_turned_away(words: str) -> bool:
    """True when an error reply, without its type byte, means that no request on the connection can succeed."""
    return words.startswith(TURNED_AWAY)
