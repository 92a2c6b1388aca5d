"""The greeting is a question, not a condition: a server that answers is used, whatever it says to a PING."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from command import Finished
from config_problems import problem
from faulty_server import FaultyServer, Peer, Script, answers, good_reply, never_answers
from in_process import invoked_load
from real_servers import RealServer

from loadgen import greeting
from loadgen.judge.diagnosis import with_remedy
from loadgen.server_plan import ServerPlan, loopback
from loadgen.target.server import ManagedServer

SHORT = ("--duration", "200ms", "--warmup", "0s", "--threads", "1")
NONE = ("--set", 'target.precheck="none"')
HELLO = ("--set", 'target.precheck="hello"')


def ran(script: Script, *arguments: str) -> Finished:
    """A short load on a server with this script."""
    with FaultyServer(script) as server:
        return invoked_load(server.port, *SHORT, *arguments)


def closes_on(*commands: bytes) -> Script:
    """Closes the connection on a command that it does not know, as twemproxy does."""

    def script(peer: Peer) -> None:
        for request in peer.requests():
            if request[0] in commands:
                return
            peer.send(good_reply(request))

    return script


def counted(script: Script, seen: list[bytes]) -> Script:
    """Notes the first request of each connection."""

    def both(peer: Peer) -> None:
        original = peer.requests

        def requests() -> object:
            for number, request in enumerate(original()):
                if number == 0:
                    seen.append(request[0])
                yield request

        peer.requests = requests  # type: ignore[assignment,method-assign]
        script(peer)

    return both


def good(finished: Finished) -> None:
    assert finished.status == 0, finished.stderr
    assert finished.counts["ok"] > 0
    assert finished.result["errors"] == 0


# ── Errors from a live server ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("to", "reply", "words", "arguments"),
    [
        (b"PING", "MISCONF Errors writing to the AOF file: No space left on device", "let the server save", ()),
        (b"HELLO", "ERR unknown command 'HELLO'", "", HELLO),
        (b"AUTH", "ERR Client sent AUTH, but no password is set", "leave target.password out", ("--password", "x")),
        (b"version", "SERVER_ERROR not supported", "", ("--protocol", "memcache")),
    ],
)
def test_an_error_after_which_requests_succeed_is_a_warning(
    to: bytes, reply: str, words: str, arguments: tuple[str, ...]
) -> None:
    line = reply.encode() if "memcache" in arguments else b"-" + reply.encode()
    finished = ran(answers(line + b"\r\n", to=to), *arguments)
    good(finished)
    [warning] = [w for w in finished.result["verdict"]["warnings"] if "answered the greeting" in w]
    assert reply[:50] in warning
    assert words in warning
    assert 'target.precheck = "none" skips' in warning


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("MISCONF Errors writing to the AOF file: No space left on device", "let the server save"),
        ("NOPERM this user has no permissions to run the 'ping' command", "allow this user"),
        ("BUSY Redis is busy running a script", "wait for the server's script"),
        ("ERR unknown command 'PING'", ""),
        ("ERROR", ""),
    ],
)
def test_an_error_of_a_live_server_turns_nobody_away(words: str, remedy: str) -> None:
    assert not greeting.is_turned_away(words)
    assert remedy in with_remedy(words)


def test_an_error_after_which_no_request_succeeds_turns_away() -> None:
    assert all(greeting.is_turned_away(f"{words} for a reason") for words in greeting.TURNED_AWAY)


@pytest.mark.parametrize("words", ["NOAUTH", "ERR max number of clients", "CLIENT_ERROR unauthenticated"])
def test_an_error_after_which_none_can_is_said_and_ends_the_run(words: str) -> None:
    memcache = words.startswith(("CLIENT_ERROR", "ERROR"))
    reply = words.encode() if memcache else b"-" + words.encode()
    arguments = ("--protocol", "memcache") if memcache else ()
    script = answers(reply + b" for a reason\r\n", to=b"version" if memcache else b"PING")
    finished = ran(script, "--set", "connection.connect_timeout=300ms", *arguments)
    assert finished.status == 3
    assert f'rejected the connection: "{words} for a reason"' in finished.complaint


def test_an_error_in_reply_to_hello_ends_a_run_that_asked_for_resp3() -> None:
    finished = ran(answers(b"-ERR unknown command 'HELLO'\r\n", to=b"HELLO"), "--protocol", "resp3", *NONE)
    assert finished.status == 3
    assert 'set target.protocol to "resp"' in finished.complaint


def test_a_user_who_may_only_get_and_set_is_served() -> None:
    with RealServer.redis() as server:
        server.client().execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+get", "+set")
        finished = invoked_load(server.port, *SHORT, "--user", "app", "--password", "pw")
        good(finished)
        assert "NOPERM" in " ".join(finished.result["verdict"]["warnings"])
        quiet = invoked_load(server.port, *SHORT, *NONE, "--user", "app", "--password", "pw")
        good(quiet)
        assert "NOPERM" not in " ".join(quiet.result["verdict"]["warnings"])
        wrong = invoked_load(server.port, *SHORT, *NONE, "--user", "app", "--password", "no")
    assert (wrong.status, "WRONGPASS" in wrong.complaint) == (3, True)


def test_renamed_commands_are_no_obstacle_to_a_managed_server_either() -> None:
    renamed = ("--rename-command", "PING", "x-ping", "--rename-command", "INFO", "x-info")
    command = ("redis-server", "--port", "{port}", "--save", "", *renamed)
    with ManagedServer(ServerPlan("redis", command, loopback("resp"))) as server:
        finished = invoked_load(server.port, *SHORT)
    good(finished)
    assert finished.records[0]["identity"] is None


# ── Servers that close the connection ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("protocol", "question"), [("resp", b"PING"), ("memcache", b"version")])
def test_a_proxy_that_closes_on_the_question_is_asked_by_a_get(protocol: str, question: bytes) -> None:
    finished = ran(closes_on(question, b"INFO"), "--protocol", protocol, "--connections", "3")
    good(finished)
    assert finished.result["conns_failed"] == 0
    assert finished.result["conns_active"] == 3
    [warning] = [w for w in finished.result["verdict"]["warnings"] if "was greeted by a GET" in w]
    assert f"closes a connection on {question.decode()}, as proxies do" in warning


def test_backfill_owes_nothing_to_that_get() -> None:
    """The key of the greeting is the keyspace's first, and only the load's misses are written."""
    writes: list[bytes] = []

    def script(peer: Peer) -> None:
        for request in peer.requests():
            if request[0] in (b"PING", b"INFO"):
                return
            if request[0] == b"SET":
                writes.append(request[1])
            peer.send(b"$1\r\nx\r\n" if request[1:2] != [b"0" * 16] else b"$-1\r\n")

    # Key 0 is in no other request: this load has the keys 0 and 1 only, and asks for neither for want of time.
    finished = ran(script, "--backfill", "--keys", "1000000000000", "--set", "workload.commands.set=0")
    assert finished.status == 0
    assert writes == []


def test_a_server_that_closes_on_everything_is_said_with_both_ways_out() -> None:
    finished = ran(closes_on(b"PING", b"GET", b"INFO"))
    assert finished.status == 3
    assert "closes every connection before it answers" in finished.complaint
    assert 'if it only does not know PING, set target.precheck = "none"' in finished.complaint


def test_a_connection_that_goes_during_the_load_is_greeted_the_same_way() -> None:
    def script(peer: Peer) -> None:
        for number, request in enumerate(peer.requests()):
            if request[0] in (b"PING", b"INFO") or number == 50:
                return
            peer.send(good_reply(request))

    seen: list[bytes] = []
    finished = ran(counted(script, seen), "--connections", "1", "--duration", "700ms")
    assert finished.counts["ok"] > 0
    assert seen.count(b"GET") >= 2
    # One PING finds it out; the connections that follow know.
    assert seen.count(b"PING") == 1


# ── Without a question ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (HELLO, b"HELLO"),
        ((*NONE, "--password", "x"), b"AUTH"),
        ((*NONE, "--protocol", "memcache"), b"get"),
    ],
)
def test_a_connection_begins_with_the_question_that_was_chosen(arguments: tuple[str, ...], first: bytes) -> None:
    seen: list[bytes] = []
    finished = ran(counted(answers_all, seen), "--set", "workload.commands.set=0", *arguments)
    good(finished)
    assert first in seen
    assert set(seen) <= {first, b"INFO", b"AUTH", b"version"}


def answers_all(peer: Peer) -> None:
    for request in peer.requests():
        peer.send(good_reply(request))


def test_a_server_that_wants_a_password_on_the_load_ends_it() -> None:
    reply = b"-NOAUTH Authentication required.\r\n"
    finished = ran(answers(reply), *NONE, "--duration", "30s", "--set", "general.interval=100ms")
    assert finished.status == 3
    assert f'rejects every request with "{reply[1:-2].decode()}": set target.' in finished.complaint


def test_a_server_that_does_not_answer_the_load_is_no_good_without_a_question_either() -> None:
    finished = ran(never_answers, *NONE, "--request-timeout", "50ms")
    assert finished.status != 0


def test_hello_is_nothing_for_memcache(tmp_path: Path) -> None:
    assert "memcache does not have" in problem(tmp_path, '[target]\nprotocol = "memcache"\nprecheck = "hello"\n')
    assert '"ping"' in problem(tmp_path, '[target]\nprecheck = "info"\n')


# ── Replies that say null ───────────────────────────────────────────────────────────────────────────────────────────


def test_null_in_every_form_is_a_miss() -> None:
    forms = itertools.cycle([b"*-1\r\n", b"$-1\r\n", b"_\r\n"])

    def script(peer: Peer) -> None:
        for request in peer.requests():
            peer.send(next(forms) if request[0] == b"GET" else good_reply(request))

    finished = ran(script, "--connections", "1")
    good(finished)
    assert finished.result["misses"] > 3
    assert finished.result["hits"] == 0
    assert finished.counts["corrupt"] == 0


def test_a_value_of_another_key_is_seen_and_said() -> None:
    def script(peer: Peer) -> None:
        for request in peer.requests():
            value = b"VALUE %016x 0 2\r\nhi\r\nEND\r\n" % 1 if request[0] == b"get" else good_reply(request)
            peer.send(value)

    finished = ran(script, "--protocol", "memcache", "--keys", "1000000")
    assert finished.status != 0
    assert finished.counts["corrupt"] > 0
    reasons = " ".join(finished.result["verdict"]["reasons"])
    assert "replies are out of step: the value of another key came" in reasons
    assert re.search(r"'VALUE 0000000000000001 0 2.*' in reply to 'get [0-9a-f]{16}", reasons)
