"""The questions a server must answer before any load: real servers answer them, and each wrong answer is shown."""

from __future__ import annotations

import re
import threading

import pytest
from builtin_servers import built_in
from faulty_server import (
    FaultyServer,
    Peer,
    Script,
    answers,
    closes,
    good_reply,
    never_answers,
    says,
)
from real_servers import RealServer, free_port
from runs import memcached_stats, plan

from loadgen.errors import TargetError
from loadgen.target.talk.sanity import Question, check, greet

PATIENCE_S = 0.3
"""For answers that never come."""
ANSWERED_S = 30.0
"""For those that come, however busy the machine is."""


def protocol(name: str) -> str:
    return f"target.protocol={name}"


def complaint(script: Script, name: str = "resp", *settings: str, patience_s: float = ANSWERED_S) -> str:
    """What is said of a server with this script."""
    with FaultyServer(script) as server:
        with pytest.raises(TargetError) as raised:
            check(plan(server.port, protocol(name), *settings).target, patience_s)
    words = str(raised.value)
    assert words.startswith(f"127.0.0.1:{server.port} ")
    return words


def stores(peer: Peer, instead: dict[bytes, bytes] | None = None) -> None:
    """A small server that is right, but for the commands that are answered by something else instead."""
    kept: dict[bytes, bytes] = {}
    for request in peer.requests():
        match request:
            case [word, *_] if instead and word in instead:
                peer.send(instead[word])
            case [b"SET", key, value, b"EX", ttl]:
                assert 0 < int(ttl) <= 60
                kept[key] = value
                peer.send(b"+OK\r\n")
            case [b"GET", key]:
                peer.send(b"$%d\r\n%b\r\n" % (len(kept[key]), kept[key]))
            case [b"DEL", key]:
                peer.send(b":%d\r\n" % (kept.pop(key, None) is not None))
            case _:
                peer.send(good_reply(request))


def resets_once_asked(peer: Peer) -> None:
    """Before that, it might be connecting that fails."""
    next(peer.requests())
    peer.reset()


@pytest.mark.parametrize("name", ["resp", "resp3", "ping"])
def test_redis_is_sane_and_keeps_nothing_of_ours(name: str) -> None:
    with RealServer.redis() as server:
        words = check(plan(server, protocol(name)).target)
        calls = server.client().info("commandstats")
        assert server.client().dbsize() == 0
    asked = {"resp": "PING, SET, GET", "resp3": "HELLO, PING, SET, GET", "ping": "PING"}[name]
    assert words == f"{asked} answered right"
    assert ("cmdstat_del" in calls) == (name != "ping")


def test_memcached_is_sane_and_keeps_nothing_of_ours() -> None:
    with RealServer.memcached() as server:
        assert check(plan(server, protocol("memcache")).target) == "version, set, get answered right"
        stats = memcached_stats(server.port)[0]
    assert (stats["total_items"], stats["curr_items"]) == (1, 0)


@pytest.mark.parametrize("name", ["resp", "resp3", "memcache", "ping"])
def test_the_built_in_server_is_sane(name: str) -> None:
    with built_in("memcache" if name == "memcache" else "resp") as server:
        assert check(plan(server.port, protocol(name)).target).endswith("answered right")


@pytest.mark.parametrize("name", ["resp", "resp3"])
def test_a_password_is_sent_and_never_shown(name: str) -> None:
    with RealServer.redis() as server:
        server.client().config_set("requirepass", "secret-1")
        check(plan(server, protocol(name), "target.password=secret-1").target)
        with pytest.raises(TargetError, match="WRONGPASS") as wrong:
            check(plan(server, protocol(name), "target.password=secret-2").target)
        with pytest.raises(TargetError, match="NOAUTH"):
            check(plan(server, protocol(name)).target)
    assert "secret" not in str(wrong.value)


def test_every_endpoint_is_asked() -> None:
    with RealServer.redis() as right, FaultyServer(answers(b"+NO\r\n", to=b"GET")) as wrong:
        both = plan(right, f'target.endpoints=["127.0.0.1:{right.port}", "127.0.0.1:{wrong.port}"]')
        with pytest.raises(TargetError, match=f"127.0.0.1:{wrong.port} answered GET"):
            check(both.target)


def test_a_small_server_that_is_right_passes() -> None:
    with FaultyServer(stores) as server:
        assert check(plan(server.port).target) == "PING, SET, GET answered right"


@pytest.mark.parametrize(
    ("name", "to", "reply", "asked", "due"),
    [
        ("resp", b"PING", b"-LOADING reading\r\n", "PING", r"'\+PONG\\r\\n'"),
        ("resp", b"PING", b"+PONK\r\n", "PING", r"'\+PONG\\r\\n'"),
        ("resp", b"SET", b"-OOM no room\r\n", "SET loadgen:smoke:[0-9a-f]+", r"'\+OK\\r\\n'"),
        ("resp", b"GET", b"$-1\r\n", "GET loadgen:smoke:[0-9a-f]+", r"'\$36\\r\\n.*"),
        ("resp", b"GET", b"$5\r\nsmoke\r\n", "GET loadgen:smoke:[0-9a-f]+", r"'\$36\\r\\n.*"),
        ("resp3", b"HELLO", b"-NOPROTO sorry\r\n", "HELLO", r"'%'…'\\r\\n\+PONG\\r\\n'"),
        ("resp", b"PING", b"+PONG\r\n+PONG\r\n", "PING", r"'\+PONG\\r\\n'"),
        ("memcache", b"version", b"-ERR no\r\n", "version", r"'VERSION '…'\\r\\n'"),
        ("memcache", b"set", b"NOT_STORED\r\n", "set loadgen:smoke:[0-9a-f]+", r"'STORED\\r\\n'"),
        ("memcache", b"get", b"END\r\n", "get loadgen:smoke:[0-9a-f]+", r"'VALUE loadgen:smoke:.*"),
    ],
)
def test_a_wrong_answer_is_shown_beside_the_one_that_was_due(
    name: str, to: bytes, reply: bytes, asked: str, due: str
) -> None:
    words = complaint(answers(reply, to=to), name)
    # A PING goes with the HELLO, to which it is answered in the same breath.
    shown = re.escape(repr(reply)[1:-1])
    assert re.fullmatch(rf"127.0.0.1:\d+ answered {asked} with {shown}.*, where {due} was due\.", words), words


@pytest.mark.parametrize(
    ("name", "to", "reply"),
    [
        ("resp", b"PING", b"-NOPERM this user has no permissions to run the 'ping' command\r\n"),
        ("resp", b"PING", b"-MISCONF Errors writing to the AOF file: No space left on device\r\n"),
        ("resp", b"PING", b"-ERR unknown command 'PING'\r\n"),
    ],
)
def test_a_greeting_that_is_refused_is_said_and_the_rest_is_judged(name: str, to: bytes, reply: bytes) -> None:
    def script(peer: Peer) -> None:
        stores(peer, {to: reply})

    with FaultyServer(script) as server:
        greet(plan(server.port, protocol(name)).target)
        words = check(plan(server.port, protocol(name)).target)
    assert words == f"SET, GET answered right; PING was answered with {repr(reply)[1:]}"


@pytest.mark.parametrize(
    ("name", "greeting", "words"),
    [("resp", b"PING", "GET, SET answered right"), ("memcache", b"version", "get, set answered right")],
)
def test_a_server_that_closes_the_connection_on_a_greeting_is_asked_by_a_get(
    name: str, greeting: bytes, words: str
) -> None:
    kept: dict[bytes, bytes] = {}

    def script(peer: Peer) -> None:
        for request in peer.requests():
            match request:
                case [word, *_] if word == greeting:
                    return
                case [b"SET", key, value, *_] | [b"set", key, _, _, _, value]:
                    kept[key] = value.removesuffix(b"\r\n")
                    peer.send(b"+OK\r\n" if name == "resp" else b"STORED\r\n")
                case [b"GET", key]:
                    peer.send(b"$%d\r\n%b\r\n" % (len(kept[key]), kept[key]) if key in kept else b"$-1\r\n")
                case [b"get", key]:
                    value = b"VALUE %b 0 %d\r\n%b\r\n" % (key, len(kept[key]), kept[key]) if key in kept else b""
                    peer.send(value + b"END\r\n")
                case _:
                    peer.send(good_reply(request))

    with FaultyServer(script) as server:
        greet(plan(server.port, protocol(name)).target)
        assert check(plan(server.port, protocol(name)).target) == words


def test_an_answer_that_is_right_but_for_one_byte_is_wrong() -> None:
    def script(peer: Peer) -> None:
        value = b""
        for request in peer.requests():
            if request[0] == b"SET":
                value = request[2]
            changed = bytes([value[0] ^ 1]) + value[1:] if value else b""
            peer.send(b"$%d\r\n%b\r\n" % (len(changed), changed) if request[0] == b"GET" else good_reply(request))

    assert " answered GET " in complaint(script)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (never_answers, r"did not answer PING within 0\.3 s, where"),
        (closes, r"did not answer PING before .*, where"),
        (resets_once_asked, r"did not answer PING before the connection broke \(Connection reset by peer\), where"),
        (says(b"+PO", closes), r"answered PING with '\+PO' before .*, where"),
        (says(b"\x15\x03\x01", never_answers), r"answered PING with '\\x15\\x03\\x01' within 0\.3 s, where"),
    ],
)
def test_silence_is_told_from_an_answer(script: Script, words: str) -> None:
    assert re.search(words, complaint(script, patience_s=PATIENCE_S))


def test_the_key_is_deleted_even_where_its_get_is_answered_wrong() -> None:
    deleted: list[bytes] = []

    def script(peer: Peer) -> None:
        for request in peer.requests():
            if request[0] == b"DEL":
                deleted.append(request[1])
            peer.send(b"$-1\r\n" if request[0] == b"GET" else good_reply(request))

    words = complaint(script)
    [key] = deleted
    assert f"GET {key.decode()} " in words


def test_each_check_has_a_key_of_its_own() -> None:
    keys: set[bytes] = set()

    def script(peer: Peer) -> None:
        for request in peer.requests():
            keys.update(request[1:2])
            peer.send(good_reply(request))

    assert len({complaint(script) for _ in range(3)}) == len(keys) == 3


def test_what_a_server_says_cannot_move_the_cursor() -> None:
    assert "\x1b" not in complaint(says(b"-ERR \x1b[2J\r\n"), patience_s=PATIENCE_S)


def test_a_greeting_finds_out_who_is_not_there() -> None:
    port = free_port()
    with pytest.raises(TargetError, match=rf"127\.0\.0\.1:{port} cannot be reached \(Connection refused\)"):
        greet(plan(port).target)
    with RealServer.redis() as server:
        greet(plan(server).target)
        assert "cmdstat_set" not in server.client().info("commandstats")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (Question("PING", b"", b"+PONG\r\n"), b"+PONG\r\n"),
        (Question("GET", b"", b"$2\r\n\r\n\r\n"), b"$2\r\n\r\n\r\n"),
        (Question("version", b"", b"VERSION ", b"\r\n"), b"VERSION 1.6.18\r\n"),
        (Question("HELLO", b"", b"%", b"\r\n+PONG\r\n"), b"%1\r\n$5\r\nproto\r\n:3\r\n+PONG\r\n"),
    ],
)
def test_an_answer_is_right_only_when_it_is_whole(question: Question, answer: bytes) -> None:
    assert [question.judge(answer[:n]) for n in range(len(answer))] == [None] * len(answer)
    assert question.judge(answer) is True
    assert question.judge(b"-" + answer) is False


@pytest.mark.parametrize("begin", [b"x", b"%", b"%1\r\n"])
def test_an_endless_answer_is_given_up(begin: bytes) -> None:
    question = Question("HELLO", b"", b"%", b"\r\n+PONG\r\n")
    assert [question.judge(begin + b"x" * n) for n in (1000, 1_000_000)] == [None, False]


def test_an_answer_that_comes_in_drops_is_not_waited_for_beyond_patience() -> None:
    dropped = threading.Event()

    def script(peer: Peer) -> None:
        for _ in range(1000):
            peer.send(b"x")
            dropped.wait(PATIENCE_S / 10)

    with FaultyServer(script) as server:
        with pytest.raises(TargetError, match=r"answered PING with 'x+' within 0\.3 s"):
            check(plan(server.port).target, PATIENCE_S)
        dropped.set()
