"""One connection for questions to a server, with one deadline and one limit on the bytes received.

This file knows bytes and time. The meaning of the bytes is for `resp`, `memcache` and the callers.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from enum import Enum
from functools import lru_cache
from types import TracebackType
from typing import Self

from loadgen import tls as tls_of
from loadgen.plan import Endpoint, TlsPlan

MOST_BYTES = 1 << 18
"""The most bytes received in one conversation: Redis' whole INFO is some 7 KB, memcached's `stats` 3 KB."""

_CHUNK = 1 << 16

# A timeout of 0 would not wait at all.
_SHORTEST_S = 0.001


class Silence(Enum):
    """The reason for a missing answer."""

    REFUSED = "nothing listens there"
    CLOSED = "it closed the connection"
    BROKEN = "the connection broke"
    TLS = "TLS failed"
    LATE = "it accepts connections and says nothing"
    ENDLESS = "it says more than any answer can have"


class NoAnswerError(Exception):
    """The conversation is over. `words` says why, as the rest of a sentence."""

    def __init__(self, silence: Silence, words: str = "") -> None:
        self.silence = silence
        self.words = words or silence.value
        super().__init__(self.words)


class Conversation:
    """A conversation with one server, as a context manager that connects on `__enter__`, and encrypts as `tls` says.

    `timeout_s` runs from the construction to the end, over connecting, sending and everything received, unless `allow`
    begins it anew. Each method raises NoAnswerError.
    """

    def __init__(
        self, endpoint: Endpoint, timeout_s: float, most_bytes: int = MOST_BYTES, tls: TlsPlan | None = None
    ) -> None:
        self.received = 0
        """The bytes received so far."""
        self._endpoint, self._tls = endpoint, tls
        self._deadline_s = time.monotonic() + timeout_s
        self._most_bytes = most_bytes
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        try:
            self._socket = connected(self._endpoint, self._left_s())
            if self._tls is not None:
                self._secure(self._tls)
        except OSError as error:
            raise self._no_answer(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor of the connection, which is readable when `hear` has something to return."""
        assert self._socket is not None
        return self._socket.fileno()

    def allow(self, timeout_s: float, most_bytes: int | None = None) -> None:
        """Restart the deadline for the next question, and with `most_bytes` the limit on the bytes received."""
        self._deadline_s = time.monotonic() + timeout_s
        if most_bytes is not None:
            self._most_bytes = self.received + most_bytes

    def tell(self, request: bytes) -> None:
        """Send the whole request."""
        connection = self._connection()
        try:
            # The timeout of sendall covers the whole request.
            connection.sendall(request)
        except OSError as error:
            raise self._no_answer(error) from None

    def hear(self) -> bytes:
        """Return the next bytes, at least one."""
        if self.received >= self._most_bytes:
            raise NoAnswerError(Silence.ENDLESS)
        connection = self._connection()
        try:
            heard = connection.recv(min(_CHUNK, self._most_bytes - self.received))
        except OSError as error:
            raise self._no_answer(error) from None
        if not heard:
            raise NoAnswerError(Silence.CLOSED)
        self.received += len(heard)
        return heard

    def _secure(self, plan: TlsPlan) -> None:
        """Have the handshake, as a part of connecting. Raises NoAnswerError."""
        plain = self._connection()
        try:
            self._socket = _context(plan).wrap_socket(plain, server_hostname=tls_of.name_of(plan, self._endpoint.host))
        except OSError as error:
            plain.close()
            if isinstance(error, ssl.SSLEOFError):
                raise NoAnswerError(Silence.TLS, tls_of.CLOSED) from None
            if isinstance(error, TimeoutError):
                raise NoAnswerError(Silence.LATE, tls_of.SILENT) from None
            raise

    def _connection(self) -> socket.socket:
        assert self._socket is not None
        self._socket.settimeout(self._left_s())
        return self._socket

    def _left_s(self) -> float:
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise NoAnswerError(Silence.LATE)
        return left_s

    def _no_answer(self, error: OSError) -> NoAnswerError:
        if self._tls is not None and isinstance(error, ssl.SSLError):
            return NoAnswerError(Silence.TLS, tls_of.sentence(error, tls_of.name_of(self._tls, self._endpoint.host)))
        return _no_answer(error)


@lru_cache(maxsize=4)
def _context(plan: TlsPlan) -> ssl.SSLContext:
    return tls_of.context(plan)


def connected(endpoint: Endpoint, timeout_s: float) -> socket.socket:
    """Return a connection to a server, made at the first of its addresses that accepts one within `timeout_s`.

    Each address has an equal part of the time that is left. Raises OSError, that of the last address.
    """
    if endpoint.path:
        return _to_path(endpoint.path, timeout_s)
    end_s = time.monotonic() + timeout_s
    *others, last = endpoint.addresses
    for place, address in enumerate(others):
        left_s = (end_s - time.monotonic()) / (len(others) + 1 - place)
        with contextlib.suppress(OSError):
            return socket.create_connection((address, endpoint.port), max(left_s, _SHORTEST_S))
    return socket.create_connection((last, endpoint.port), max(end_s - time.monotonic(), _SHORTEST_S))


def _to_path(path: str, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _no_answer(error: OSError) -> NoAnswerError:
    if isinstance(error, TimeoutError):
        return NoAnswerError(Silence.LATE)
    words = error.strerror or str(error)
    return NoAnswerError(Silence.REFUSED if isinstance(error, ConnectionRefusedError) else Silence.BROKEN, words)
