"""The exceptions of one node, in sentences. No I/O."""

from __future__ import annotations

from loadgen.client.breaker import Refusal
from loadgen.client.errors import (
    BreakerOpen,
    CacheError,
    CacheTimeout,
    ClientClosed,
    ConnectionLost,
    ConnectionRefused,
    PoolExhausted,
    ProtocolError,
    RequestError,
    ServerError,
    TooManyProbes,
)
from loadgen.client.options import Options
from loadgen.client.reply import ErrorReply, Malformed
from loadgen.escape import printable


class Failures:
    """Makes the exceptions of a node. `key` is that of the operation, None for a batch and for a health check."""

    def __init__(self, node: int, name: str, options: Options) -> None:
        self._node = node
        self._name = name
        self._max_size = options.max_size
        self._limit = f"{options.timeout_s:g} s"

    def timeout(self, key: bytes | None, fact: str) -> CacheTimeout:
        """`fact` says what the node did not do."""
        text = f"{self._name} {fact} before the deadline (timeout {self._limit}): the server hangs or is overloaded"
        return CacheTimeout(text, node=self._node, key=key)

    def exhausted(self, key: bytes | None) -> PoolExhausted:
        text = (
            f"all {self._max_size} connections to {self._name} were in use for {self._limit}: the pool is too small"
            " for the load, or the server too slow"
        )
        return PoolExhausted(text, node=self._node, key=key)

    def refused_dial(self, key: bytes | None, why: str) -> ConnectionRefused:
        return ConnectionRefused(f"no connection to {self._name} could be made: {why}", node=self._node, key=key)

    def lost(self, key: bytes | None, why: str) -> ConnectionLost:
        text = f"the connection to {self._name} ended before the reply was complete: {why}"
        return ConnectionLost(text, node=self._node, key=key)

    def malformed(self, key: bytes | None, malformed: Malformed) -> ProtocolError:
        return ProtocolError(f"{self._name} broke the protocol: {malformed}", node=self._node, key=key)

    def closed(self, key: bytes | None) -> ClientClosed:
        return ClientClosed("the client is closed", node=self._node, key=key)

    def refused(self, key: bytes | None, refusal: Refusal) -> CacheError:
        """The breaker did not let the operation pass."""
        if refusal is Refusal.OPEN:
            text = f"the breaker of {self._name} is open: the node failed too often, and is tried again soon"
            return BreakerOpen(text, node=self._node, key=key)
        text = f"the breaker of {self._name} is half-open: its probes are under way"
        return TooManyProbes(text, node=self._node, key=key)

    def replied(self, key: bytes | None, reply: ErrorReply) -> CacheError:
        """The node replied with an error."""
        kind = ServerError if reply.servers else RequestError
        return kind(f"{self._name} replied {printable(reply.text)}", node=self._node, key=key)
