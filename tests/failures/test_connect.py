"""A server that is absent, of another kind or unwilling: exit status 3 before any load, and one sentence."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from collections.abc import Callable, Sequence

import pytest
from command import Running, load, settings, short
from faulty_server import (
    FaultyServer,
    Script,
    answers,
    by_connection,
    closes,
    good_reply,
    never_answers,
    polite,
    resets,
    says,
)
from in_process import invoked, invoked_load
from real_servers import RealServer, free_port

# Of a server that says something, however busy the machine is.
PATIENT = settings(connect_timeout="3s")


def complaint_about(script: Script, *arguments: str, patience: Sequence[str] = PATIENT) -> str:
    """What is said about a server that no connection can be made to."""
    with FaultyServer(script) as server:
        finished = invoked_load(server.port, *patience, *arguments)
    assert finished.status == 3
    assert "result" not in {record["type"] for record in finished.records}
    line = finished.complaint
    assert f"127.0.0.1:{server.port} " in line
    return line


# ── Nobody there ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_host_is_named() -> None:
    finished = invoked("run", "--host", "no-such-host.invalid", "--port", "6379")
    assert finished.status == 3
    assert "no-such-host.invalid" in finished.complaint
    assert "check its spelling" in finished.complaint


@pytest.mark.parametrize("protocol", ["resp", "memcache"])
def test_a_refused_connection_names_both_ways_out(protocol: str) -> None:
    port = free_port()
    finished = invoked_load(port, "--protocol", protocol)
    assert finished.status == 3
    assert f"Nothing is listening on 127.0.0.1:{port} (connection refused)." in finished.complaint
    assert "Start a server" in finished.complaint
    assert "--embedded" in finished.complaint


def test_a_name_is_told_with_its_address() -> None:
    port = free_port()
    assert f"localhost:{port} (127.0.0.1)" in invoked_load(port, host="localhost").complaint


def test_one_of_two_servers_that_is_not_there_is_named() -> None:
    absent = free_port()
    with FaultyServer(polite()) as server:
        endpoints = f'target.endpoints=["127.0.0.1:{server.port}", "127.0.0.1:{absent}"]'
        finished = invoked_load(server.port, "--set", endpoints)
    assert finished.status == 3
    assert f"127.0.0.1:{absent}" in finished.complaint
    assert str(server.port) not in finished.complaint


def test_a_port_that_accepts_and_never_answers_is_given_up_after_the_connect_timeout() -> None:
    line = complaint_about(never_answers, patience=settings(connect_timeout="300ms"))
    assert "did not answer within 0.3 s" in line
    assert "connection.connect_timeout" in line


def test_many_connections_to_a_silent_server_wait_once_and_not_in_turns() -> None:
    # 1000 connections are four rounds of 256: only the first may wait, or the run would take four timeouts.
    with FaultyServer(never_answers) as server:
        finished = invoked_load(server.port, *settings(connect_timeout="1s"), "--connections", "1000")
    assert finished.status == 3
    # One more asks which server it is.
    assert server.accepted <= 1 + 256


@pytest.mark.parametrize("script", [closes, resets])
def test_a_server_that_only_hangs_up_is_named(script: Script) -> None:
    assert "closes every connection before it answers" in complaint_about(script)


# ── Another protocol ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", ["resp3", "ping"])
def test_a_memcached_under_resp_is_recognised(protocol: str) -> None:
    with RealServer.memcached() as server:
        finished = invoked_load(server.port, "--protocol", protocol)
    assert finished.status == 3
    assert f"does not speak {protocol}, it sent 'ERROR" in finished.complaint
    assert 'set target.protocol to "memcache"' in finished.complaint


def test_a_redis_under_memcache_is_recognised() -> None:
    with RealServer.redis() as server:
        finished = invoked_load(server.port, "--protocol", "memcache")
    assert finished.status == 3
    assert 'does not speak memcache, it sent "-ERR unknown command' in finished.complaint
    assert 'set target.protocol to "resp"' in finished.complaint


def test_what_is_no_cache_at_all_is_shown() -> None:
    line = complaint_about(says(b"HTTP/1.1 400 Bad Request\r\n\r\n", closes))
    assert "does not speak resp, it sent 'HTTP/1.1 400" in line
    assert "check target.endpoints and target.protocol" in line


def test_a_tls_port_is_recognised_by_its_alert() -> None:
    assert "it wants TLS" in complaint_about(says(b"\x15\x03\x03\x00\x02\x02\x46", closes))


def test_a_server_that_does_not_know_hello_is_told_apart() -> None:
    line = complaint_about(answers(b"-ERR unknown command 'HELLO'\r\n", b"HELLO"), "--protocol", "resp3")
    assert 'set target.protocol to "resp"' in line


def test_words_from_a_server_cannot_move_the_cursor() -> None:
    with FaultyServer(answers(b"-ERR \x1b[2J\x07gone\r\n")) as server:
        finished = invoked_load(server.port, *PATIENT)
    assert finished.status == 1
    assert "\\x1b[2J\\x07gone" in finished.complaint
    assert "\x1b" not in finished.stderr


# ── Turned away ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("protocol", "arguments", "words"),
    [
        ("resp", [], "NOAUTH"),
        ("resp", ["--password", "wrong"], "WRONGPASS"),
        ("resp3", [], "NOAUTH"),
        ("resp3", ["--user", "nobody", "--password", "secret"], "WRONGPASS"),
    ],
)
def test_wrong_credentials_are_told_in_the_servers_words(protocol: str, arguments: list[str], words: str) -> None:
    with RealServer.redis() as server:
        server.client().config_set("requirepass", "secret")
        # The pipeline's one slot must be enough for AUTH and PING.
        finished = invoked_load(server.port, "--protocol", protocol, "--pipeline", "1", *arguments)
    assert finished.status == 3
    assert f'rejected the connection: "{words}' in finished.complaint
    assert "target.username and target.password" in finished.complaint


def test_right_credentials_are_enough_at_depth_1() -> None:
    with RealServer.redis() as server:
        server.client().config_set("requirepass", "secret")
        finished = invoked_load(server.port, "--pipeline", "1", "--password", "secret")
        assert finished.status == 0
        calls = server.client(password="secret").info("commandstats")
    assert calls["cmdstat_ping"]["calls"] == finished.result["totals"]["commands"]["ping"]["sent"] == 2


def test_a_needless_password_is_told() -> None:
    refusal = b"-ERR AUTH <password> called without any password configured\r\n"
    with FaultyServer(answers(refusal, b"AUTH")) as server:
        finished = invoked_load(server.port, "-a", "x")
    assert finished.status == 0
    assert "leave target.password out" in " ".join(finished.result["verdict"]["warnings"])


def test_a_server_that_stays_loading_is_given_up_after_the_connect_timeout() -> None:
    with FaultyServer(answers(b"-LOADING Redis is loading the dataset in memory\r\n")) as server:
        finished = invoked_load(server.port, *settings(connect_timeout="6s", request_timeout="200ms"))
    assert finished.status == 3
    assert "the server is loading its data set" in finished.stderr
    assert 'rejected the connection: "LOADING' in finished.complaint
    assert "try again when the server has read its data set" in finished.complaint
    # It was asked more than once.
    assert server.accepted > 1 + 2


def test_a_server_that_is_loading_is_waited_for() -> None:
    with RealServer.redis("--enable-debug-command", "yes") as server:
        admin = server.client(socket_timeout=60)
        admin.execute_command("DEBUG", "POPULATE", "2000")
        admin.config_set("loading-process-events-interval-bytes", "1024")
        admin.config_set("key-load-delay", "500")  # µs a key: a second in all
        loading = threading.Thread(target=lambda: admin.execute_command("DEBUG", "RELOAD"))
        with Running(*short(server.port), *settings(connect_timeout="30s")) as running:
            loading.start()
            finished = running.finish()
        loading.join()
    assert finished.status == 0
    assert finished.counts["ok"] == finished.counts["planned"] > 0


def test_misconf_is_told_with_its_way_out() -> None:
    with RealServer.redis("--save", "3600 1") as server:
        # Nothing can be renamed to a folder.
        (server.folder / "dump.rdb").mkdir()
        admin = server.client()
        admin.set("key", "value")
        admin.bgsave()
        while admin.info("persistence")["rdb_last_bgsave_status"] == "ok":
            pass
        finished = invoked_load(server.port)
        # Told to end, it would try to save once more.
        server.kill()
    # GETs are answered, and SETs are not: the run is judged by its share of failed requests.
    [warning] = [words for words in finished.result["verdict"]["warnings"] if "answered the greeting" in words]
    assert "MISCONF" in warning
    assert "stop-writes-on-bgsave-error" in warning


def hog(server: RealServer, request: bytes, reply: bytes) -> contextlib.ExitStack:
    """Takes all of a server's connections, up to the first on which a request has another reply."""
    taken = contextlib.ExitStack()
    answer = reply
    while answer.startswith(reply):
        connection = taken.enter_context(socket.create_connection((server.host, server.port)))
        connection.sendall(request)
        answer = connection.recv(100)
    return taken


def test_maxclients_reached_is_told_with_its_way_out() -> None:
    with RealServer.redis("--maxclients", "3") as server, hog(server, b"PING\r\n", b"+PONG"):
        finished = invoked_load(server.port)
    assert finished.status == 3
    assert 'rejected the connection: "ERR max number of clients reached"' in finished.complaint
    assert "raise the server's maxclients" in finished.complaint


@pytest.mark.parametrize(("accepted", "status"), [((), 1), (("--max-failures", "100%"), 0)])
def test_maxclients_that_leaves_some_connections_is_a_failure_unless_accepted(accepted, status) -> None:
    with RealServer.redis("--maxclients", "3") as server:
        finished = invoked_load(server.port, "--connections", "5", *accepted)
    assert finished.status == status
    assert finished.counts["ok"] == finished.counts["planned"] > 0
    verdict = finished.result["verdict"]
    assert bool(verdict["failed_because"]) is (status == 1)
    said = [words for words in [*verdict["failed_because"], *verdict["warnings"]] if "max number of clients" in words]
    assert said
    assert "2 of 5 connections" in said[0]


def test_a_memcached_that_is_full_is_told_with_its_way_out() -> None:
    with RealServer.memcached("-c", "20") as server, hog(server, b"version\r\n", b"VERSION"):
        finished = invoked_load(server.port, "--protocol", "memcache")
    assert finished.status == 3
    assert "start the server with a larger -c" in finished.complaint


# ── This machine ────────────────────────────────────────────────────────────────────────────────────────────────────


def limited(soft: int, hard: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_too_many_connections_for_the_hard_limit_says_how_to_raise_it() -> None:
    finished = load(free_port(), "--connections", "200", preexec_fn=limited(128, 128))
    assert finished.status == 3
    line = finished.complaint
    assert "200 connections in one worker need 232 open files, and the hard limit is 128" in line
    assert "ulimit -n 232" in line
    assert "general.threads" in line


def test_the_soft_limit_is_raised_without_a_word() -> None:
    arguments = ["--connections", "200"]
    finished = load(None, *arguments, preexec_fn=limited(64, 1024))
    assert (finished.status, finished.stderr) == (0, "")
    assert finished.result["conns_active"] == 200


# ── Names and addresses ─────────────────────────────────────────────────────────────────────────────────────────────


def test_localhost_works() -> None:
    with RealServer.redis() as server:
        assert invoked_load(server.port, host="localhost").status == 0


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_an_ipv6_address_works() -> None:
    with FaultyServer(polite(), host="::1") as server:
        finished = invoked_load(server.port, host="::1")
    assert finished.status == 0
    assert finished.records[0]["target"] == f"[::1]:{server.port}"
    assert finished.counts["ok"] == finished.counts["planned"] > 0


def test_an_address_of_one_link_only_is_taken_with_its_scope() -> None:
    # Nobody listens there; but that is found out by trying, and the address is the one that was asked for.
    host = f"fe80::1%{socket.if_indextoname(1)}"
    finished = invoked_load(free_port(), host=host)
    assert finished.status == 3
    assert f"[{host}]" in finished.complaint
    assert "failed" not in finished.complaint


def test_a_connection_that_fails_at_first_joins_the_load() -> None:
    # The first asks which server it is; the second greets in vain, and the third is let in.
    script = by_connection(polite(), says(b"-ERR busy\r\n", closes), polite())
    with FaultyServer(script) as server:
        finished = invoked_load(server.port, "--duration", "1s")
    assert finished.status == 0
    warnings = finished.result["verdict"]["warnings"]
    assert any('answered the greeting with "ERR busy"' in warning for warning in warnings)
    assert finished.result["conns_active"] == 2


def test_good_replies_are_good() -> None:
    # What the faults are told apart from.
    assert good_reply([b"GET", b"0"]) == b"$-1\r\n"
    with FaultyServer(polite()) as server:
        assert invoked_load(server.port).status == 0
