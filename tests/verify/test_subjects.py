"""Subjects by the words that name them, and what is said of words that name none."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from in_process import invoked
from places import ROOT
from real_servers import RealServer

from loadgen.errors import TargetError, UsageError
from loadgen.protocol import Wire
from loadgen.target import port
from loadgen.verify.reply import NoReply
from loadgen.verify.step import Step
from loadgen.verify.subject import named


@pytest.mark.parametrize(
    ("word", "protocol", "host", "number"),
    [
        ("127.0.0.1:7000", "resp", "127.0.0.1", 7000),
        ("127.0.0.1", "resp", "127.0.0.1", 6379),
        ("localhost", "resp", "localhost", 6379),
        ("cache.example:1", "resp", "cache.example", 1),
        ("redis://cache:7000", "resp", "cache", 7000),
        ("memcache://127.0.0.1", "memcache", "127.0.0.1", 11211),
        ("[::1]:7000", "resp", "::1", 7000),
    ],
)
def test_an_address_has_a_protocol_and_a_port(word: str, protocol: str, host: str, number: int) -> None:
    target = named.address(word)
    [endpoint] = target.endpoints
    assert (target.protocol, endpoint.address, endpoint.port) == (protocol, host, number)


@pytest.mark.parametrize("word", ["reddis", "", ":", "h:99999", "h:x", "http://h:80", "redis:"])
def test_a_word_that_names_no_server_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is no server to verify: write redis, valkey"):
        named.checked(word)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["oracle", "reddis"], '"reddis" is no server to verify'),
        (["oracle", "redis", "memcached"], "redis speaks resp, and memcached memcache: name two servers of one"),
        (["oracle", "redis", "--redis", "h:1"], "--redis and a word without a flag both name the same server"),
        (["oracle", "redis", "model", "--filter", "lissts"], 'oracle has no test "lissts"; there are oracle_strings,'),
        (["oracle", "redis", "model", "--filter", "counters"], "no group named is of that"),
        (["properties", "--filter", "incr_monotonik"], 'properties has no test "incr_monotonik"; did you mean'),
        (["properties", "--subject", "reddis"], '"reddis" is no server to verify'),
        (["oracle", "-o", "100"], "-o is the file of the results; for operations of oracle write --ops 100, for the"),
        (
            ["properties", "--seed", str(2**64 - 1), "--seeds", "2"],
            "no seed is larger than 184467440737095516",
        ),
        (["oracle", "model", "model", "--seed", str(2**64 - 1), "--ops", "900"], "and 2 begin with this one; name a"),
        (["properties", "redis"], "redis is one word too many; a server is named by --subject."),
        (["replay", "--seed", "1", "--test", "stress"], "stress is loads and no cases: its report has the command"),
        (["replay", "--seed", "1", "--test", "connection_drop"], "a fault of clients: `loadgen chaos --faults conn"),
        (["replay", "--seed", "1", "--test", "x"], "and each of their tests."),
    ],
)
def test_words_that_name_nothing_end_with_one_sentence(words: list[str], said: str) -> None:
    done = invoked(*words)
    assert done.status == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", [["oracle", "model", "{}"], ["properties", "--subject", "{}", "--filter", "incr"]])
def test_an_address_that_is_no_server_ends_with_one_sentence(verb: list[str]) -> None:
    where = f"127.0.0.1:{port.free('127.0.0.1')}"
    done = invoked(*(word.format(where) for word in verb))
    assert done.status == 3
    assert f"The server at {where} does not answer (Connection refused): start one there, or " in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_oracle_agrees_with_itself_and_says_how_far() -> None:
    done = invoked("oracle", "model", "model", "--ops", "450", "--format", "json")
    summary = json.loads(done.stdout)["summary"]
    assert done.status == 0
    assert summary["total"] == summary["passed"] == 9
    assert summary["compatibility"]["all"] == 100
    assert len(summary["compatibility"]) == 10


def test_a_filter_takes_a_name_with_and_without_its_is() -> None:
    for name in ("incr_monotonic", "incr_is_monotonic"):
        done = invoked("properties", "--subject", "model", "--filter", name, "--seeds", "3", "--format", "json")
        assert {each["name"] for each in json.loads(done.stdout)["results"]} == {"incr_is_monotonic"}


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that answers the first words of each connection like this, and closes it."""

    class Once(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Once) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("scheme", "answer", "said"),
    [
        ("", b"ERROR\r\n", "does not speak RESP (it answered a reply that begins with b'E'): name another, or"),
        ("", b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak RESP (it answered a reply that begins with b'H')"),
        ("memcache://", b"$-1\r\n", "does not speak memcache (it answered b'$-1' where VALUE or END is due)"),
        ("", b"-NOAUTH Authentication required.\r\n", "asks for a password (NOAUTH Authentication required): name"),
        ("", b"-LOADING the data\r\n", "refuses what cases ask (LOADING the data): name"),
        ("", b"", "does not answer (it closed the connection): start one there"),
    ],
)
def test_a_server_that_cannot_be_asked_is_one_sentence(scheme: str, answer: bytes, said: str) -> None:
    with answering(answer) as port:
        word = f"{scheme}127.0.0.1:{port}"
        with pytest.raises(TargetError) as caught, named.opened(named.Wanted(word, named.wire_of(word)), print):
            pass
    assert str(caught.value).startswith(f"The server at 127.0.0.1:{port} {said}")
    assert str(caught.value).count(". ") == 0


def test_a_server_that_closes_the_connection_gives_no_reply_to_that_and_what_follows() -> None:
    with named.opened(named.Wanted("builtin", Wire.RESP), lambda progress: None) as subject:
        steps = [Step((b"SET", b"{loadgen}:a", b"1")), Step((b"QUIT",)), Step((b"GET", b"{loadgen}:a"))]
        replies = subject.ask(steps)
        assert [isinstance(reply, NoReply) for reply in replies] == [False, False, True]
        assert subject.ask(steps[-1:]) == [b"1"]


def test_a_server_at_an_address_is_left_without_the_keys_of_cases() -> None:
    with RealServer.redis() as server:
        client = server.client()
        client.set("mine", "1")
        done = invoked("oracle", "model", f"127.0.0.1:{server.port}", "--ops", "100", "--filter", "lists")
        assert done.status == 0, done.stderr
        assert client.keys() == [b"mine"]
        assert client.info("commandstats")["cmdstat_rpush"]["calls"] > 0


def test_the_seeds_that_once_found_something_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = invoked("seeds", "test", "--format", "json")
    summary = json.loads(done.stdout)["summary"]
    assert done.status == 0, done.stdout
    assert summary["passed"] == summary["total"] >= 2
