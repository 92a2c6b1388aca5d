"""A node of a modelled cluster on a host of a world: its listener, its connections, and RESP on them."""

from __future__ import annotations

from collections.abc import Callable

import hiredis

from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import Host
from loadgen.verify.world._streams import Streams, StreamTransport
from loadgen.verify.world.cluster.node import Node, Session
from loadgen.verify.world.redis.resp import reply_bytes


class Conversation:
    """One connection of a client to a node."""

    def __init__(self, node: Callable[[], Node]) -> None:
        self._node = node
        self._session = Session()
        self._reader = hiredis.Reader()
        self._transport: StreamTransport | None = None

    def connection_made(self, transport: StreamTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._reader.feed(data)
        node, replies = self._node(), []
        while (words := self._reader.gets()) is not False:
            replies.append(reply_bytes(node.answer(self._session, words), self._session.version))
        self._transport.write(b"".join(replies))

    def pause_writing(self) -> None:
        """A node keeps what a client does not read."""

    def resume_writing(self) -> None:
        """The client reads again."""

    def eof_received(self) -> None:
        """The connection is closed."""

    def connection_lost(self, error: Exception | None) -> None:
        """Nothing is kept of it."""


class Process:
    """The process of a node, listening. Killing the host ends it; another may then be made there."""

    def __init__(self, host: Host, port: int, node: Callable[[], Node]) -> None:
        self.host = host
        self.streams = Streams(Ground(host))
        self.streams.listen(port, lambda: Conversation(node))
