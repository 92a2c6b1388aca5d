"""The API answers as Toxiproxy 2.12.0 does: recorded answers, the real server where there is one, and its client."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toxiproxy_script as script
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound

from loadgen.faults.proxy.client import NewToxic, ProxyApi, ProxyApiError
from loadgen.faults.proxy.managed import ManagedProxy

HOST = "127.0.0.1"
RECORDED = json.loads(Path(__file__).with_name(f"toxiproxy-{script.VERSION}.json").read_text())


@pytest.fixture(scope="module")
def managed() -> Iterator[ManagedProxy]:
    with ManagedProxy(seed=1) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def answers(managed: ManagedProxy) -> list[dict[str, Any]]:
    return script.answers(managed.url)


def without_version(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "answer": None} if answer["request"] == "GET /version" else answer


def test_the_script_is_the_one_that_was_recorded() -> None:
    asked = [f"{step.method} {step.path} {step.body or ''}".strip() for step in script.SCRIPT]
    assert asked == [recorded["request"] for recorded in RECORDED]
    assert len(asked) >= 35


@pytest.mark.parametrize("number", range(len(RECORDED)), ids=[recorded["request"][:60] for recorded in RECORDED])
def test_an_answer_is_toxiproxys(number: int, answers: list[dict[str, Any]]) -> None:
    assert without_version(answers[number]) == without_version(RECORDED[number])


def test_the_real_server_gives_the_recorded_answers() -> None:
    built = script.program()
    if built is None:
        pytest.skip(f"toxiproxy {script.VERSION} is not built here: {script.BUILD}=1 has the tests build it, with Go")
    with script.running(built) as url:
        assert script.answers(url) == RECORDED


def test_toxiproxy_python_works_unchanged(managed: ManagedProxy) -> None:
    server = Toxiproxy()
    server.update_api_consumer(managed.server.host, managed.server.port)
    assert server.running()
    assert b"2.12.0" in server.version()
    proxy = server.create(name="python", upstream=f"{HOST}:1")
    try:
        assert set(server.proxies()) == {"python"}
        proxy.add_toxic(type="latency", attributes={"latency": 1000, "jitter": 5}, toxicity=0.5)
        toxic = server.get_proxy("python").get_toxic("latency_downstream")
        assert (toxic.attributes, toxic.toxicity) == ({"latency": 1000, "jitter": 5}, 0.5)
        with pytest.raises(InvalidToxic):
            proxy.add_toxic(type="none")
        proxy.disable()
        assert not server.get_proxy("python").enabled
        server.reset()
        assert server.get_proxy("python").enabled
        assert server.get_proxy("python").toxics() == {}
        proxy.add_toxic(type="timeout", name="gone", attributes={"timeout": 1})
        proxy.destroy_toxic("gone")
        with pytest.raises(NotFound):
            proxy.destroy_toxic("gone")
        server.populate([{"name": "more", "upstream": f"{HOST}:1", "listen": f"{HOST}:0"}])
        assert set(server.proxies()) == {"more", "python"}
    finally:
        server.destroy_all()
    assert server.proxies() == {}


def raw(managed: ManagedProxy, sent: bytes) -> bytes:
    """Return all that the API answers until it closes the connection."""
    with socket.create_connection((HOST, managed.server.port), timeout=10) as client:
        client.sendall(sent)
        received = b""
        while piece := client.recv(65536):
            received += piece
        return received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"stats\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET /version HTTP/2.0\r\n\r\n", b"400"),
        (b"GET /version HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /version HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", b"400"),
        (b"POST /reset HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /reset HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", b"400"),
        (b"POST /reset HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /reset HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"POST /reset HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 4000, b"431"),
        (b"\xff" * 20000, b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", b"400"),
    ],
)
def test_what_is_no_request_is_answered_and_the_connection_closed(
    managed: ManagedProxy, sent: bytes, status: bytes
) -> None:
    assert raw(managed, sent).startswith(b"HTTP/1.1 " + status)
    assert managed.api.version()


def test_requests_may_come_in_any_pieces_and_follow_each_other(managed: ManagedProxy) -> None:
    body = b'{"name": "pieces", "upstream": "127.0.0.1:1", "listen": "127.0.0.1:0"}'
    requests = (
        b"POST /proxies HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%b\r\n5;x=y\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(body) - 5, body[:-5], body[-5:])
        + b"GET /proxies/pieces HTTP/1.1\r\nHost: x\r\n\r\n"
        + b"DELETE /proxies/pieces HTTP/1.1\r\nhost: x\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((HOST, managed.server.port), timeout=10) as client:
        for at in range(0, len(requests), 7):
            client.sendall(requests[at : at + 7])
        received = b""
        while piece := client.recv(65536):
            received += piece
    statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"201", b"200", b"204"]


def test_a_body_may_wait_for_the_word_to_continue(managed: ManagedProxy) -> None:
    with socket.create_connection((HOST, managed.server.port), timeout=10) as client:
        client.sendall(b"POST /populate HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"[]")
        assert client.recv(100).startswith(b"HTTP/1.1 201")


def test_metrics_are_there_when_they_are_wanted() -> None:
    with ManagedProxy(options=("--proxy-metrics", "-runtime-metrics")) as proxy:
        with socket.create_server((HOST, 0)) as server:
            listen = proxy.api.create('a "quoted" one', f"{HOST}:0", f"{HOST}:{server.getsockname()[1]}")
            with socket.create_connection((HOST, int(listen.split(":")[1]))) as client:
                client.sendall(b"12345")
                upstream, _ = server.accept()
                with upstream:
                    assert upstream.recv(10) == b"12345"
                    connection = http.client.HTTPConnection(HOST, proxy.server.port)
                    connection.request("GET", "/metrics")
                    text = connection.getresponse().read().decode()
                    connection.close()
    labels = f'direction="upstream",listener="{listen}",proxy="a \\"quoted\\" one"'
    assert f"toxiproxy_proxy_received_bytes_total{{{labels}" in text
    assert any(
        line.startswith("toxiproxy_proxy_sent_bytes_total") and line.endswith(" 5") for line in text.splitlines()
    )
    assert "process_resident_memory_bytes" in text


def test_draws_can_be_read_and_a_seed_repeats_them(managed: ManagedProxy) -> None:
    def drawn(seed: int | None) -> list[tuple[object, ...]]:
        before = managed.api.draws()["count"]
        with socket.create_server((HOST, 0)) as server:
            listen = managed.api.create("one", f"{HOST}:0", f"{HOST}:{server.getsockname()[1]}")
            managed.api.add_toxic("one", NewToxic("t", "latency", toxicity=0.5, seed=seed))
            for _ in range(20):
                with socket.create_connection((HOST, int(listen.split(":")[1])), 20) as client:
                    server.accept()[0].close()
                    assert client.recv(1) == b""
            managed.api.delete("one")
        said = managed.api.draws()
        assert said["count"] == before + 20
        return [(draw["connection"], draw["what"], draw["value"]) for draw in said["draws"][-20:]]

    # The seed of the process, where a toxic has none of its own.
    assert managed.api.draws()["seed"] == 1
    first = drawn(1)
    assert [number for number, _, _ in first] == list(range(1, 21))
    assert drawn(None) == first
    assert drawn(4) != first


def test_what_is_no_url_and_who_is_no_proxy_is_said() -> None:
    with pytest.raises(ProxyApiError, match="is no URL of a proxy's API"):
        ProxyApi("ftp://x")
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ProxyApiError, match="does not answer"):
        ProxyApi(f"http://{HOST}:{port}").version()
