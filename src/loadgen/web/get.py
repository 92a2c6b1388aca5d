"""GET, which blocks: one deadline for all of it, from the look-up of the name to the last byte, and one size limit.

Redirections are not followed: what is asked for is what is read.
"""

from __future__ import annotations

import base64
import http.client
import io
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import SplitResult, unquote

from loadgen.escape import printable
from loadgen.version import __version__
from loadgen.web.url import parts_of

TIMEOUT_S = 5.0
MOST_BYTES = 8 << 20
"""A `/metrics` of a large program has some hundred kilobytes."""


class NoPageError(Exception):
    """There is no answer. The text says why, as the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a GET was answered with."""

    status: int
    media_type: str
    """Without parameters, in lower case: `text/plain`."""
    body: bytes

    @property
    def is_good(self) -> bool:
        """True for a status that says that the request succeeded."""
        return 200 <= self.status < 300


def get(url: str, timeout_s: float = TIMEOUT_S, most_bytes: int = MOST_BYTES, accept: str = "*/*") -> Page:
    """Return the page at a URL, with the user and password that the URL may have, whatever its status.

    `accept` are the media types that are asked for. Raises NoPageError, and ValueError as `parts_of` does.
    """
    parts = parts_of(url)
    until_s = time.monotonic() + timeout_s
    host, port = cast(str, parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    shown = f"[{host}]" if ":" in host else host
    request = _request(path, f"{shown}{f':{parts.port}' if parts.port else ''}", accept, _authorization(parts))
    try:
        with socket.create_connection((host, port), timeout_s) as plain:
            if parts.scheme == "https":
                plain.settimeout(_left_s(until_s))
                with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure:
                    return _asked(secure, request, until_s, most_bytes)
            return _asked(plain, request, until_s, most_bytes)
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        raise NoPageError(_words(error)) from None


def get_on(
    socket_path: str, path: str, timeout_s: float = TIMEOUT_S, most_bytes: int = MOST_BYTES, accept: str = "*/*"
) -> Page:
    """Return a page of the server that listens on a socket in the Unix domain. Raises NoPageError."""
    until_s = time.monotonic() + timeout_s
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(socket_path)
            return _asked(connection, _request(path, "localhost", accept), until_s, most_bytes)
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        raise NoPageError(_words(error)) from None


def _request(path: str, host: str, accept: str, further: str = "") -> str:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: loadgen/{__version__}\r\nAccept: {accept}\r\n"
        f"{further}Connection: close\r\n\r\n"
    )


def _authorization(parts: SplitResult) -> str:
    """Return the header line with the user and password of a URL; empty where the URL has none."""
    if parts.username is None:
        return ""
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"


def _asked(connection: socket.socket, request: str, until_s: float, most_bytes: int) -> Page:
    connection.settimeout(_left_s(until_s))
    connection.sendall(request.encode("ascii"))
    response = http.client.HTTPResponse(cast(socket.socket, _Source(connection, until_s)))
    response.begin()
    body = response.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise NoPageError(f"it answers with more than {most_bytes >> 20} MiB")
    if response.length:
        raise NoPageError("its answer breaks off")
    return Page(response.status, response.headers.get_content_type(), body)


class _Source:
    """What http.client takes for a socket: its reads end at the deadline."""

    def __init__(self, connection: socket.socket, until_s: float) -> None:
        self._connection, self._until_s = connection, until_s

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Bytes(self._connection, self._until_s))


class _Bytes(io.RawIOBase):
    def __init__(self, connection: socket.socket, until_s: float) -> None:
        self._connection, self._until_s = connection, until_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left_s(self._until_s))
        return self._connection.recv_into(buffer)


def _left_s(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, http.client.IncompleteRead):
        return "its answer breaks off"
    if isinstance(error, http.client.HTTPException):
        return "its answer is not HTTP"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)
