"""Pages: what they say of a service's health, and what is said when they cannot be had."""

import socket
import time
from typing import BinaryIO

import pytest
from stub_http import serving

from loadgen.monitors.http import SERIES, parse_health
from loadgen.monitors.json_path import NotThere, parse_path, value_at, written
from loadgen.monitors.kinds import KINDS
from loadgen.monitors.making import make
from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.pages import fetch
from loadgen.monitors.plan import MonitorPlan
from loadgen.web.get import Page

BODY = b'{"status": "ok", "pool": {"idle": 3, "active": "7"}, "nodes": [{"fds": 5}], "up": true, "a.b": 0}'


def page(status: int = 200, body: bytes = BODY, media_type: str = "application/json") -> Page:
    return Page(status, media_type, body)


# ── Places in a document ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("pool.idle", ("pool", "idle")),
        ("$.pool.idle", ("pool", "idle")),
        ("nodes[0].fds", ("nodes", 0, "fds")),
        ('["a.b"]', ("a.b",)),
        ('x["a b"][ 2 ]', ("x", "a b", 2)),
        ("[1]", (1,)),
        ("$", ()),
    ],
)
def test_a_place_is_names_and_numbers(text: str, steps: tuple[str | int, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize("text", ["a..b", "a.", "a[", "a[x]", "a[-1]", "a b", "a[1]b", '["a]'])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no place in a JSON document"):
        parse_path(text)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("pool.busy", 'pool.busy is not there; pool has "idle"'),
        ("nodes[2].fds", "nodes[2] is not there; nodes is a list of 1"),
        ("nodes[1].fds", "nodes[1] is not there; nodes is a list of 1"),
        ("nodes.fds", "nodes.fds is not there; nodes is a list of 1"),
        ("pool.idle.x", "pool.idle.x is not there; pool.idle is 3"),
        ("stat", 'stat is not there; $ has "pool", "nodes"'),
    ],
)
def test_a_place_that_is_not_there_is_told_with_what_is(place: str, sentence: str) -> None:
    with pytest.raises(NotThere) as error:
        value_at({"pool": {"idle": 3}, "nodes": [1]}, parse_path(place))
    assert str(error.value) == sentence


def test_a_place_is_written_as_it_is_read() -> None:
    assert written(parse_path("$.nodes[0].fds")) == "nodes[0].fds"
    assert written(()) == "$"


# ── Health ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "path", "healthy"),
    [
        (200, None, 1), (204, None, 1), (503, None, 0), (404, None, 0),
        (200, "status", 1), (503, "status", 0), (200, "up", 1), (200, "pool.idle", 1), (200, '["a.b"]', 0),
    ],
)  # fmt: skip
def test_a_service_is_healthy_when_its_status_is_good_and_the_page_says_so(
    status: int, path: str | None, healthy: int
) -> None:
    found = parse_health(page(status), parse_path(path) if path else None, {})
    assert found.values == {"status": status, "healthy": healthy}
    assert found.lacking == ""


@pytest.mark.parametrize(("word", "healthy"), [("UP", 1), ("Healthy", 1), ("degraded", 0), ("", 0), ("down", 0)])
def test_words_of_health_are_known_in_any_case(word: str, healthy: int) -> None:
    body = b'{"status": "%b"}' % word.encode()
    assert parse_health(page(200, body), ("status",), {}).values["healthy"] == healthy


def test_the_kind_names_the_series_that_each_page_has() -> None:
    assert KINDS["http"].series == tuple(SERIES)


def test_numbers_are_series_and_one_that_is_not_there_is_told() -> None:
    metrics = {"idle": ("pool", "idle"), "active": ("pool", "active"), "fds": ("nodes", 0, "fds"), "up": ("up",)}
    assert parse_health(page(), None, metrics).values == {
        "status": 200, "healthy": 1, "idle": 3, "active": 7, "fds": 5, "up": 1,
    }  # fmt: skip
    found = parse_health(page(), None, {"idle": ("pool", "idle"), "x": ("pool", "x"), "s": ("status",)})
    assert found.values == {"status": 200, "healthy": 1, "idle": 3}
    assert found.lacking == 'pool.x is not there; pool has "idle", "active"'
    assert parse_health(page(), None, {"s": ("status",)}).lacking == "status is no number"


def test_a_page_that_is_not_json_is_told_unless_its_status_is() -> None:
    html = page(200, b"<html><body>welcome", "text/html")
    with pytest.raises(Unreadable, match=r"^answered HTML, not JSON$"):
        parse_health(html, ("status",), {})
    with pytest.raises(Unreadable, match=r"^answered JSON that is malformed$"):
        parse_health(page(200, b'{"status":'), ("status",), {})
    assert parse_health(html, None, {}).values["healthy"] == 1
    down = parse_health(page(502, b"<html>bad gateway", "text/html"), ("status",), {})
    assert (down.values, down.lacking) == ({"status": 502, "healthy": 0}, "")


# ── Over a real connection ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_monitor_reads_the_page_with_the_user_of_its_address_and_never_shows_it() -> None:
    with serving() as stub:
        stub.answers["/health?full=1"] = (200, "application/json; charset=utf-8", BODY)
        url = f"{stub.url.replace('//', '//me:hush@')}/health?full=1"
        monitor = make(MonitorPlan("http", "http", url=url, path="status", metrics={"idle": "pool.idle"}), UnderLoad())
        found = monitor.read()
        assert (found.values["healthy"], found.values["idle"]) == (1, 3)
        assert found.values.keys() == monitor.series.keys()
        assert stub.headers[0]["Authorization"] == "Basic bWU6aHVzaA=="
        stub.answers["/health?full=1"] = (200, "text/html", b"<html>")
        with pytest.raises(Unreadable) as error:
            monitor.read()
        assert str(error.value) == f"GET {stub.url.replace('//', '//***@')}/health?full=1 answered HTML, not JSON"
        stub.answers["/health?full=1"] = (302, "text/html", b"")
        with pytest.raises(Unreadable, match="answered with a redirect"):
            monitor.read()
        assert "status 302" in monitor.evidence()["page.txt"]
        assert stub.headers[-1]["Accept"] == stub.headers[0]["Accept"]


def test_a_page_that_is_not_metrics_is_named_with_its_address() -> None:
    with serving() as stub:
        stub.answers["/metrics"] = (200, "text/html", b"<html>")
        monitor = make(MonitorPlan("prometheus", "p", url=f"{stub.url}/metrics", metrics={"x": "x"}), UnderLoad())
        with pytest.raises(Unreadable) as error:
            monitor.read()
        assert str(error.value) == f"GET {stub.url}/metrics answered HTML, not metrics"
        stub.answers["/metrics"] = (500, "text/plain", b"x 1\n")
        with pytest.raises(Unreadable, match=r"answered with status 500$"):
            monitor.read()
        stub.answers["/metrics"] = (200, "text/plain; version=0.0.4", b"x 1\n")
        assert monitor.read().values == {"x": 1}
        assert stub.headers[-1]["Accept"].startswith("text/plain")


def says(data: bytes) -> object:
    def answer(out: BinaryIO) -> None:
        out.write(data)

    return answer


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "its answer breaks off"),
        (b"220 mail.example.com ESMTP\r\n", "its answer is not HTTP"),
        (b"", "its answer is not HTTP"),
    ],
)
def test_an_answer_that_is_no_page_is_told(answer: bytes, sentence: str) -> None:
    with serving() as stub:
        stub.answers["/"] = says(answer)  # type: ignore[assignment]
        with pytest.raises(Unreadable) as error:
            fetch(stub.url, 5)
        assert str(error.value) == f"GET {stub.url} cannot be got: {sentence}"


def test_nobody_there_and_an_answer_that_does_not_end_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(
            Unreadable, match=rf"^GET http://127.0.0.1:{port}/x cannot be got: it does not answer in time$"
        ):
            fetch(f"http://127.0.0.1:{port}/x", 0.05)
    with pytest.raises(Unreadable, match=r"cannot be got: nothing listens there$"):
        fetch(f"http://127.0.0.1:{port}/x", 5)


def test_an_answer_that_drips_ends_with_the_time_and_not_with_the_answer() -> None:
    def drip(out: BinaryIO) -> None:
        out.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            out.write(b".")
            time.sleep(0.01)

    with serving() as stub:
        stub.answers["/"] = drip
        with pytest.raises(Unreadable, match=r"cannot be got: it does not answer in time$"):
            fetch(stub.url, 0.1)
