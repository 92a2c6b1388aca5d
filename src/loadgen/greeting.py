"""How a connection is greeted: what an error means that comes in reply to the first question on it.

The question is asked to find a server that is there and will serve us. An error reply comes from a server that is
there: only those after which no request on the connection can succeed keep it from being used. Pure functions.
"""

from __future__ import annotations

LOADING = ("LOADING",)
"""The server reads its data set, and is asked again."""

LOCKED = (
    # Redis and its kin; the last two before 6.0 and before 2.8.
    "NOAUTH",
    "WRONGPASS",
    "ERR invalid password",
    "ERR operation not permitted",
    # memcached -Y, and with SASL.
    "CLIENT_ERROR unauthenticated",
    "ERROR authentication required",
)
"""The server wants credentials, or others than it was given."""

CLOSING = (
    # Redis' protected mode, maxclients, and a request that it cannot read.
    "DENIED",
    "ERR max number of clients",
    "ERR Protocol error",
    # memcached's -c.
    "ERROR Too many open connections",
)
"""The server closes the connection behind these words."""

TURNED_AWAY = (*LOADING, *LOCKED, *CLOSING)
"""How error replies begin after which no request on the same connection can succeed."""


def is_loading(words: str) -> bool:
    return words.startswith(LOADING)


def is_locked(words: str) -> bool:
    return words.startswith(LOCKED)


def is_turned_away(words: str) -> bool:
    """Whether an error reply, without its type byte, says that no request on the connection can succeed."""
    return words.startswith(TURNED_AWAY)
