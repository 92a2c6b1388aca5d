"""HTTP/1.1 of a server, as far as ours need it: bytes → requests, responses → bytes. No sockets and no clock.

Requests are bounded: a head of 16 KiB and a body of 1 MiB. The format is that of RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

MOST_HEAD_BYTES = 16 * 1024
MOST_BODY_BYTES = 1 << 20

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_PLAIN = "text/plain; charset=utf-8"


class MalformedError(Exception):
    """Bytes that are no request, or too large a one. `status` answers them, and the connection ends."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its body."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in lower case."""
    body: bytes = b""
    keeps_alive: bool = True
    """True when another request may follow on the connection."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self, *, keeps_alive: bool, head_only: bool = False) -> bytes:
        """Return the bytes of the response."""
        headers = {**self.headers}
        if self.content_type:
            headers["Content-Type"] = self.content_type
        if self.status != HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(self.body))
        if not keeps_alive:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if head_only else self.body)


def plain(status: HTTPStatus, text: str) -> Response:
    """Return an error as Go's http.Error writes it."""
    return Response(status, f"{text}\n".encode(), _PLAIN, {"X-Content-Type-Options": "nosniff"})


class RequestReader:
    """The requests of one connection, which may come in any pieces."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.expects_continue = False
        """True when the sender waits for "100 Continue" before it sends the body; to be set to False after that."""
        self._head: _Head | None = None

    @property
    def is_idle(self) -> bool:
        """True when no part of a request has come."""
        return not self._held and self._head is None

    def feed(self, received: bytes) -> None:
        self._held += received

    def next(self) -> Request | None:
        """Return the next request that is complete, or None. Raises MalformedError."""
        if self._head is None:
            self._head = self._read_head()
            if self._head is None:
                return None
            self.expects_continue = self._head.headers.get("expect", "").lower() == "100-continue"
        body = self._read_chunks() if self._head.is_chunked else self._read_body(self._head.length)
        if body is None:
            return None
        head, self._head, self.expects_continue = self._head, None, False
        return Request(head.method, head.target, head.headers, body, head.keeps_alive)

    def _read_head(self) -> _Head | None:
        # Empty lines before a request are ignored (RFC 9112, 2.2).
        while self._held.startswith((b"\r", b"\n")):
            del self._held[:1]
        end = _HEAD_END.search(self._held)
        if (end.end() if end else len(self._held)) > MOST_HEAD_BYTES:
            raise MalformedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if end is None:
            # What is no request gets its answer at the end of its first line.
            if b"\n" in self._held:
                _Head.first_line(bytes(self._held).partition(b"\n")[0])
            return None
        head = _Head.read(bytes(self._held[: end.start()]))
        del self._held[: end.end()]
        return head

    def _read_body(self, length: int) -> bytes | None:
        if len(self._held) < length:
            return None
        body = bytes(self._held[:length])
        del self._held[:length]
        return body

    def _read_chunks(self) -> bytes | None:
        """Return the whole body that came in chunks, or None until the last one has come."""
        body, at = bytearray(), 0
        while True:
            line_end = self._held.find(b"\n", at)
            if line_end < 0:
                if len(self._held) - at > 1024:
                    raise MalformedError(HTTPStatus.BAD_REQUEST)
                return None
            size_text = bytes(self._held[at:line_end]).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size_text):
                raise MalformedError(HTTPStatus.BAD_REQUEST)
            size, at = int(size_text, 16), line_end + 1
            if len(body) + size > MOST_BODY_BYTES:
                raise MalformedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            if size == 0:
                return self._end_chunks(at, bytes(body))
            end = self._held.find(b"\n", at + size)
            if end < 0:
                return None
            body += self._held[at : at + size]
            if self._held[at + size : end].strip():
                raise MalformedError(HTTPStatus.BAD_REQUEST)
            at = end + 1

    def _end_chunks(self, at: int, body: bytes) -> bytes | None:
        """Skip the trailer after the last chunk."""
        while True:
            end = self._held.find(b"\n", at)
            if end < 0:
                if len(self._held) - at > MOST_HEAD_BYTES:
                    raise MalformedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return None
            line, at = self._held[at:end].strip(), end + 1
            if not line:
                del self._held[:at]
                return body


@dataclass(frozen=True, slots=True)
class _Head:
    """The head of a request."""

    method: str
    target: str
    headers: Mapping[str, str]
    length: int
    is_chunked: bool
    keeps_alive: bool

    @staticmethod
    def first_line(line: bytes) -> re.Match[str]:
        """Return method, target and minor version of a request line. Raises MalformedError."""
        found = _REQUEST_LINE.fullmatch(line.decode("latin-1").rstrip("\r"))
        if found is None:
            raise MalformedError(HTTPStatus.BAD_REQUEST)
        return found

    @classmethod
    def read(cls, head: bytes) -> _Head:
        """Decode a head. Raises MalformedError."""
        first, *rest = head.split(b"\n")
        method, target, minor = cls.first_line(first).groups()
        headers: dict[str, str] = {}
        for line in rest:
            found = _HEADER.fullmatch(line.decode("latin-1").rstrip("\r"))
            if found is None:
                raise MalformedError(HTTPStatus.BAD_REQUEST)
            name, value = found[1].lower(), found[2]
            if name == "content-length" and headers.get(name, value) != value:
                raise MalformedError(HTTPStatus.BAD_REQUEST)
            headers[name] = value
        if minor == "1" and "host" not in headers:
            raise MalformedError(HTTPStatus.BAD_REQUEST)
        coding, length = headers.get("transfer-encoding"), headers.get("content-length", "0")
        if coding is not None and coding.lower() != "chunked":
            raise MalformedError(HTTPStatus.NOT_IMPLEMENTED)
        if not (length.isascii() and length.isdigit()):
            raise MalformedError(HTTPStatus.BAD_REQUEST)
        if len(length) > 12 or int(length) > MOST_BODY_BYTES:
            raise MalformedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        connection = headers.get("connection", "").lower()
        keeps_alive = connection != "close" if minor == "1" else connection == "keep-alive"
        return cls(method, target, headers, int(length), coding is not None, keeps_alive)
