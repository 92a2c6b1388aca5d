"""A small HTTP server on a thread, on a port of loopback or a socket in the Unix domain, with answers that a test sets.

A path that has no answer is 404. An answer is a status, a media type and a body, or a function that is given the
connection and says what it likes.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO

Answer = tuple[int, str, bytes] | Callable[[BinaryIO], None]


class Stub:
    """What the server answers, by path with its query, and the requests that it got."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        """The beginning of the address of each page, on a port."""


@contextmanager
def serving(unix: Path | None = None) -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stub.paths.append(self.path)
            stub.headers.append(dict(self.headers.items()))
            answer = stub.answers.get(self.path, (404, "application/json", b'{"message": "not found"}'))
            if callable(answer):
                answer(self.wfile)  # type: ignore[arg-type]
                return
            status, media_type, body = answer
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "stub"

        def log_message(self, *_: object) -> None:
            pass

    kind = socketserver.ThreadingTCPServer if unix is None else socketserver.ThreadingUnixStreamServer
    with kind(("127.0.0.1", 0) if unix is None else str(unix), Handler) as server:
        server.daemon_threads = True
        # A client that gives up is what some tests are about.
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if unix is None:
            stub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
