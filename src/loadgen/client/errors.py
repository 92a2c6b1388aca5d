"""The exceptions of the client, one type per failure mode. No I/O.

A miss is no error. Each exception carries the node and the key of its operation as attributes. The text of an exception
never contains the key, since keys can be secret.
"""

from __future__ import annotations

from typing import ClassVar


class CacheError(Exception):
    """An operation failed. The base of every exception that the client raises for an operation."""

    failure: ClassVar[str] = "other"
    """The class of the failure, one of `loadgen.trial.observed.ERRORS`."""

    def __init__(self, text: str, *, node: int | None = None, key: bytes | None = None) -> None:
        super().__init__(text)
        self.node = node
        """The index of the node, from 0, in the order in which the client was given the nodes; None where no node was
        chosen."""
        self.key = key
        """The key of the operation; None for a batch and for an operation without a key."""


class CacheTimeout(CacheError, TimeoutError):
    """The deadline of the operation passed while it was connecting, or while its reply was awaited.

    The server may have carried out the operation.
    """

    failure = "timeout"


class ConnectionRefused(CacheError, ConnectionError):
    """No connection could be made, for another cause than time: refused, unreachable, or an unknown name.

    Nothing was sent.
    """

    failure = "refused"


class ConnectionLost(CacheError, ConnectionError):
    """The connection ended before the reply was complete. The server may have carried out the operation.

    With `pipeline`, the client also ends a connection for the sake of another operation on it.
    """

    failure = "lost"


class BreakerOpen(CacheError):
    """The node's breaker is open: it refuses every operation until its timeout has passed. Nothing was sent."""

    failure = "breaker_open"


class TooManyProbes(CacheError):
    """The node's breaker is half-open, and all of its probes are under way. Nothing was sent."""

    failure = "breaker_open"


class PoolExhausted(CacheError):
    """The deadline passed while every connection of the node's pool was in use. Nothing was sent."""

    failure = "pool_exhausted"


class ServerError(CacheError):
    """The server replied SERVER_ERROR: it could not carry out the operation."""

    failure = "server"


class RequestError(CacheError):
    """The server replied CLIENT_ERROR or ERROR: it refused the operation as wrong, or does not know the command."""

    failure = "server"


class ProtocolError(CacheError):
    """The reply was not one of the protocol, or not one to the operation. The connection is closed.

    The server may have carried out the operation.
    """

    failure = "protocol"


class ClientClosed(CacheError):
    """The client is closed, or was closed before the operation began to be carried out."""

    failure = "cancelled"


class BadKey(CacheError, ValueError):
    """The key cannot be sent: it is empty, longer than 250 bytes, or has a blank or a control character in it.

    Nothing was sent, and no breaker counts the operation.
    """
