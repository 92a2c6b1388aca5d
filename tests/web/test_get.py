"""GET against servers that answer, drip, lie and say nothing: one deadline, one size limit, and words for each."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from loadgen.web.get import NoPageError, get
from loadgen.web.url import checked

Act = Callable[[socket.socket], object]


@contextmanager
def serving(act: Act) -> Iterator[str]:
    """A server of one connection, which does this with it, once the request is read, until the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while not connection.recv(1 << 16).endswith(b"\r\n\r\n"):
                    pass
                act(connection)
                done.wait(60)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/x?y=1"
        finally:
            done.set()
            thread.join(60)


def says(*parts: bytes) -> Act:
    return lambda connection: [connection.sendall(part) for part in parts]


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nTrue",), (200, b"True")),
        ((b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",), (503, b"")),
        ((b"HTTP/1.1 302 Away\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n",), (302, b"")),
        (
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nTru\r\n", b"1\r\ne\r\n0\r\n\r\n"),
            (200, b"True"),
        ),
    ],
)
def test_a_page_is_got_however_it_is_sent(parts: tuple[bytes, ...], answer: tuple[int, bytes]) -> None:
    # The server keeps the connection: the end of the body is where its head says.
    with serving(says(*parts)) as url:
        page = get(url, 30.0)
    assert (page.status, page.body) == answer


def ends(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (says(b"HTTP/1.1 200 OK\r\n"), "it does not answer in time"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nTrue"), "it does not answer in time"),
        (says(b"+PONG\r\n"), "its answer is not HTTP"),
        (ends, "its answer is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000), "more than"),
    ],
)
def test_what_is_no_answer_is_said(act: Act, words: str) -> None:
    with serving(act) as url, pytest.raises(NoPageError, match=words):
        get(url, 0.3, most_bytes=1000)


def test_a_server_that_drips_does_not_move_the_deadline() -> None:
    def drips(connection: socket.socket) -> None:
        for _ in range(10_000):
            try:
                connection.sendall(b"H")
            except OSError:
                return
            if not_yet.wait(0.02):
                return

    not_yet = threading.Event()
    with serving(drips) as url:
        try:
            with pytest.raises(NoPageError, match="in time"):
                get(url, 0.3)
        finally:
            not_yet.set()


def test_a_port_where_nothing_listens_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(NoPageError, match="nothing listens there"):
        get(url)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "redis://h", "http://", "http://h:x/", "http://h:99999/", "http://h/a b", "http://h/é"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no URL"):
        checked(url)
