"""One connection to a server: the shell around `http`, with deadlines and bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from loadgen.web.http import MalformedError, Request, RequestReader, Response, plain

REQUEST_TIMEOUT_S = 15.0
"""The longest that a request may take to come: Toxiproxy's."""

IDLE_TIMEOUT_S = 60.0
"""The longest that a connection may be idle between requests: Toxiproxy's."""

WRITE_TIMEOUT_S = 30.0
"""The longest that a peer may leave responses unread: Toxiproxy's."""


class Conversation(asyncio.Protocol):
    """Requests of one connection, answered one after the other by `respond`."""

    def __init__(self, respond: Callable[[Request], Response]) -> None:
        self._respond = respond
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._waits_for_request = False
        """True while the deadline is that of a request under way: further pieces do not move it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._set_deadline(REQUEST_TIMEOUT_S)

    def connection_lost(self, error: Exception | None) -> None:
        self._set_deadline(None)
        self._transport = None

    def pause_writing(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()
        self._set_deadline(WRITE_TIMEOUT_S)

    def resume_writing(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._set_deadline(IDLE_TIMEOUT_S)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._reader.feed(data)
        try:
            self._answer(transport)
        except MalformedError as error:
            answer = plain(error.status, f"{error.status.value} {error}")
            transport.write(answer.encoded(keeps_alive=False))
            transport.close()

    def _answer(self, transport: asyncio.Transport) -> None:
        """Answer every request that is complete. Raises MalformedError."""
        while (request := self._reader.next()) is not None:
            self._waits_for_request = False
            response = self._respond(request)
            transport.write(response.encoded(keeps_alive=request.keeps_alive, head_only=request.method == "HEAD"))
            if not request.keeps_alive:
                transport.close()
                return
        if self._reader.expects_continue:
            self._reader.expects_continue = False
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._reader.is_idle:
            self._waits_for_request = False
            self._set_deadline(IDLE_TIMEOUT_S)
        elif not self._waits_for_request:
            self._waits_for_request = True
            self._set_deadline(REQUEST_TIMEOUT_S)

    def _set_deadline(self, timeout_s: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if timeout_s is not None and self._transport is not None:
            self._deadline = asyncio.get_running_loop().call_later(timeout_s, self._transport.abort)
