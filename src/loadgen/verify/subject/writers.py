"""Connections that write to a server, and note in a log what was sent and what was answered."""

from __future__ import annotations

import select
import time
from collections import deque

from loadgen.plan import Endpoint
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.verify.durability.log import Entry, Log
from loadgen.verify.durability.script import Round
from loadgen.verify.reply import Error
from loadgen.verify.subject import resp

PATIENCE_S = 10.0
"""The longest time for a connection, and for the replies to what was sent: longer than any fault delays them."""
_UNBOUNDED = 1 << 62


class _Connection:
    """One connection, and the writes whose replies are still to come."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.open = deque[Entry]()
        self._conversation = Conversation(endpoint, PATIENCE_S, _UNBOUNDED)
        self._conversation.__enter__()
        self._decoder = resp.Decoder()

    def send(self, request: bytes) -> None:
        self._conversation.allow(PATIENCE_S)
        self._conversation.tell(request)

    def fileno(self) -> int:
        return self._conversation.fileno()

    def read(self) -> None:
        """Read some replies; wait for the first. Raises NoAnswerError, and NotRespError."""
        self._decoder.feed(self._conversation.hear())
        while self.open and (reply := self._decoder.reply()) is not None:
            entry = self.open.popleft()
            if isinstance(reply, Error):
                entry.refusal = reply.code.decode(errors="replace")
            else:
                entry.acknowledged_ns = time.monotonic_ns()

    def close(self) -> None:
        self._conversation.__exit__(None, None, None)


class Writers:
    """The connections of one case. A connection that broke is opened again for its next round."""

    def __init__(self, endpoint: Endpoint, log: Log) -> None:
        self._endpoint = endpoint
        self._log = log
        self._connections: dict[int, _Connection] = {}

    def carry_out(self, each: Round) -> None:
        """Send the writes of a round, and read the replies that come until its end."""
        self.send(each)
        if each.waits_for_replies:
            self.collect()
        self._read(each.pause_ms / 1000)

    def send(self, each: Round) -> None:
        """Send the writes of a round. Where the server takes no connection, nothing is sent and nothing noted."""
        try:
            connection = self._connections.get(each.writer) or _Connection(self._endpoint)
            self._connections[each.writer] = connection
            # Noted before they are sent: a part of what was not sent whole may have arrived.
            connection.open.extend(self._log.sent(write, time.monotonic_ns()) for write in each.writes)
            connection.send(b"".join(resp.encoded(write.command) for write in each.writes))
        except NoAnswerError:
            self._drop(each.writer)

    def collect(self) -> None:
        """Read all replies that come. Writes on a connection that ends have no reply."""
        self._read(PATIENCE_S, whole=True)

    def _read(self, time_s: float, *, whole: bool = False) -> None:
        """Read replies as they come, for a time; with `whole`, no longer than until all have come."""
        deadline = time.monotonic() + time_s
        while True:
            waiting = {connection: writer for writer, connection in self._connections.items() if connection.open}
            if whole and not waiting:
                return
            left_s = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([*waiting], [], [], left_s)
            for connection in ready:
                try:
                    connection.read()
                except (NoAnswerError, resp.NotRespError):
                    self._drop(waiting[connection])
            if not ready and not left_s:
                return

    def close(self) -> None:
        for writer in [*self._connections]:
            self._drop(writer)

    def _drop(self, writer: int) -> None:
        if (connection := self._connections.pop(writer, None)) is not None:
            connection.close()
