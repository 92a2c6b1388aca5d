"""Pages that are fetched by HTTP, from a host or from a socket in the Unix domain, within a time and a size."""

from __future__ import annotations

import base64
import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from loadgen.monitors.monitor import Unreadable
from loadgen.secret import without_user

MOST_BYTES = 16 << 20
"""The most bytes of a page: an exporter of a large service reports some megabytes."""

_CHUNK = 1 << 16
_BEGINNING_OF_HTML = (b"<!doctype html", b"<html")


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

    @property
    def named(self) -> str:
        """What the body is, for a sentence: HTML, JSON, a media type."""
        if self.media_type == "text/html" or self.body.lstrip()[:14].lower().startswith(_BEGINNING_OF_HTML):
            return "HTML"
        if self.media_type.endswith("json"):
            return "JSON"
        return self.media_type or "something without a media type"


def fetch(url: str, timeout_s: float, *, accept: str = "*/*") -> Page:
    """Return the page at an address, whatever its status; follow no redirect.

    Raises Unreadable when nothing is answered within the time, or something that is not HTTP, or too much.
    """
    parts = urlsplit(url)
    headers = {"Accept": accept, "Connection": "close"}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    path = parts.path or "/"
    return _got(connection, f"{path}?{parts.query}" if parts.query else path, headers, asked(url), timeout_s)


def fetch_on(socket_path: str, path: str, timeout_s: float, name: str) -> Page:
    """Return a page of the server that listens on a socket in the Unix domain. `name` is the server's in sentences."""
    connection = _OnUnixSocket(socket_path, timeout_s)
    return _got(connection, path, {"Connection": "close"}, f"{name} at {socket_path}", timeout_s)


def asked(url: str) -> str:
    """Return the beginning of a sentence on what an address has answered."""
    return f"GET {without_user(url)}"


class _OnUnixSocket(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _got(
    connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], what: str, timeout_s: float
) -> Page:
    deadline_s = time.monotonic() + timeout_s
    try:
        connection.request("GET", path, headers=dict(headers))
        their_socket = connection.sock
        with connection.getresponse() as response:
            body = b""
            while chunk := response.read1(_CHUNK):
                body += chunk
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError
                if len(body) > MOST_BYTES:
                    raise Unreadable(f"{what} answered more than {MOST_BYTES >> 20} MiB")
                their_socket.settimeout(left_s)
            if response.length:
                raise http.client.IncompleteRead(body, response.length)
            return Page(response.status, response.headers.get_content_type(), body)
    except TimeoutError:
        raise Unreadable(f"{what} had no whole answer within {timeout_s:g} s") from None
    except http.client.RemoteDisconnected:
        raise Unreadable(f"{what} had no answer: the connection was closed") from None
    except http.client.IncompleteRead:
        raise Unreadable(f"{what} had an answer that broke off") from None
    except (http.client.HTTPException, ValueError):
        raise Unreadable(f"{what} had an answer that is not HTTP") from None
    except OSError as error:
        raise Unreadable(f"{what} had no answer: {error.strerror or error}") from None
    finally:
        connection.close()
