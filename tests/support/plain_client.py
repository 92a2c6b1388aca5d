"""A blocking RESP2 client for surroundings of tests: words go out, what hiredis reads comes back. Knows no cluster."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Any

import hiredis


class PlainClient:
    """One connection. An error reply is raised as hiredis.ReplyError, a closed connection as ConnectionError."""

    def __init__(
        self, host: str, port: int, password: str = "", context: ssl.SSLContext | None = None, timeout_s: float = 10.0
    ) -> None:
        self._stream = socket.create_connection((host, port), timeout=timeout_s)
        self._reader = hiredis.Reader()
        try:
            if context is not None:
                self._stream = context.wrap_socket(self._stream, server_hostname=host)
            if password:
                self.ask("AUTH", password)
        except BaseException:
            self.close()
            raise

    def ask(self, *words: str | bytes | int) -> Any:
        """The reply to one command; bytes, a number, a list or None."""
        [reply] = self.ask_all([words])
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def text(self, *words: str | bytes | int) -> str:
        return str(self.ask(*words).decode())

    def ask_all(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
        """The replies to several commands that are sent together. An error is a reply here."""
        self._stream.sendall(b"".join(encoded(words) for words in commands))
        replies: list[Any] = []
        while len(replies) < len(commands):
            while (reply := self._reader.gets()) is not False:
                replies.append(reply)
            if len(replies) < len(commands):
                received = self._stream.recv(65536)
                if not received:
                    raise ConnectionError("closed before the reply")
                self._reader.feed(received)
        return replies

    def close(self) -> None:
        self._stream.close()


def encoded(words: Sequence[str | bytes | int]) -> bytes:
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
