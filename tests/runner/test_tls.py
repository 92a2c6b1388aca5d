"""Loads over TLS on real servers: they add up, the servers count the same, and what is asked beside them is encrypted.

redis-server wants a client certificate here, so that each connection shows one; memcached knows none.
"""

import contextlib
import json
import re
import socket
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority, Certified
from command import settings
from in_process import invoked, invoked_load
from real_nodes import RealNode, Tls
from real_servers import RealServer
from runs import described, measure, plan

import loadgen
from loadgen.events import Event, Result, Sample
from loadgen.monitors.monitor import UnderLoad
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.redis import RedisMonitor
from loadgen.target.talk import clients, identity, memory, ready, sanity
from loadgen.verify.subject.server import ServerSubject


class Files:
    """An authority, a server's certificate and a client's, where every user can read them."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        authority = Authority(folder)
        self.authority = authority.certificate
        self.server: Certified = authority.sign("localhost", "IP:127.0.0.1", "DNS:localhost")
        self.client: Certified = authority.sign("client")

    def settings(self, *, mutual: bool = True) -> list[str]:
        given = {"tls": True, "tls_ca_file": str(self.authority)}
        if mutual:
            given |= {"tls_cert": str(self.client.certificate), "tls_key": str(self.client.key)}
        return [f"target.{key}={json.dumps(value)}" for key, value in given.items()]

    def flags(self) -> list[str]:
        client = ["--cert", str(self.client.certificate), "--key", str(self.client.key)]
        return ["--tls", "--cacert", str(self.authority), *client]


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with tempfile.TemporaryDirectory(prefix="loadgen-tls-") as folder:
        yield Files(Path(folder))


@pytest.fixture(scope="module")
def redis(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealNode]:
    own = Tls(files.server.certificate, files.server.key, files.authority, clients_have_certificates=True)
    with RealNode(tmp_path_factory.mktemp("redis"), tls=own) as node:
        yield node


@pytest.fixture(scope="module")
def memcached(files: Files) -> Iterator[RealServer]:
    def words(port: int, folder: Path) -> list[str]:
        own = f"ssl_chain_cert={files.server.certificate},ssl_key={files.server.key}"
        return ["-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1", "-u", "nobody", "-Z", "-o", own]

    with RealServer("memcached", words, lambda port: stats(files, port)["pid"]) as server:
        yield server


def stats(files: Files, port: int) -> dict[str, int]:
    context = ssl.create_default_context(cafile=str(files.authority))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"stats\r\n")
        said = b""
        while b"END\r\n" not in said:
            said += connection.recv(65536)
    return {name: int(value) for name, value in re.findall(r"STAT (\w+) (\d+)\r\n", said.decode())}


def redis_calls(node: RealNode) -> dict[str, int]:
    return {
        name.removeprefix("cmdstat_"): int(value.split("calls=")[1].split(",")[0])
        for name, value in node.info("commandstats").items()
        if name.removeprefix("cmdstat_") in ("get", "set", "del")
    }


def counted(result: Result, **theirs: str) -> dict[str, int]:
    """What was sent, by the names that a server has for commands, without commands that were not sent."""
    sent = {name: tally.sent for name, tally in result.overall.tallies.items() if name in ("get", "set", "delete")}
    return {theirs.get(name, name): count for name, count in sent.items() if count}


@pytest.mark.parametrize("depth", [1, 1000])
def test_redis_counts_what_was_sent(redis: RealNode, files: Files, depth: int) -> None:
    redis.ask("CONFIG", "RESETSTAT")
    mix = ["workload.commands.delete=10", f"connection.pipeline_depth={depth}"]
    result = measure(redis.port, *files.settings(), *mix)
    assert result.measured.total.ok > 0
    assert redis_calls(redis) == counted(result, delete="del")


def test_values_of_a_mebibyte_go_out_and_come_back_whole(redis: RealNode, files: Files) -> None:
    redis.ask("CONFIG", "RESETSTAT")
    large = ["workload.values.length=1048576", "workload.keyspace.count=4", "workload.prefill=true"]
    once = ["general.requests=60", "general.warmup=0s", "general.duration=60s", "connection.pipeline_depth=4"]
    result = measure(redis.port, *files.settings(), *large, *once)
    assert result.measured.total.ok == 60
    assert result.measured.rx_bytes >= result.measured.tallies["get"].ok << 20
    assert redis_calls(redis) == counted(result)
    redis.ask("FLUSHALL")


def test_memcached_counts_what_was_sent(memcached: RealServer, files: Files) -> None:
    before = stats(files, memcached.port)
    result = measure(memcached.port, 'target.protocol="memcache"', *files.settings(mutual=False))
    after = stats(files, memcached.port)
    assert counted(result) == {name: after[f"cmd_{name}"] - before[f"cmd_{name}"] for name in ("get", "set")}


def test_lost_connections_resume_their_sessions(redis: RealNode, files: Files) -> None:
    """Every connection is closed by the server once: each reconnect resumes, and every request is accounted for."""

    def close_all(event: Event) -> None:
        if isinstance(event, Sample) and not closed:
            closed.append(int(redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")))

    closed: list[int] = []
    long = ["general.duration=0.6s", "general.interval=0.1s", "verdict.failures=1", "verdict.connections=1"]
    result = loadgen.run(described(redis.port, *files.settings(), *long), on_event=close_all)
    assert closed[0] >= 4
    assert result.unaccounted == 0
    assert result.overall.connections.reconnects >= 4
    assert result.overall.connections.resumed == result.overall.connections.reconnects


def test_a_server_that_is_killed_leaves_nothing_unaccounted(redis: RealNode, files: Files) -> None:
    def restart(event: Event) -> None:
        if isinstance(event, Sample) and not killed:
            killed.append(True)
            redis.kill()
            redis.start()

    killed: list[bool] = []
    long = ["general.duration=1s", "general.interval=0.1s", "verdict.failures=1", "verdict.connections=1"]
    deep = ["connection.pipeline_depth=100", "workload.values.length=5000"]
    result = loadgen.run(described(redis.port, *files.settings(), *long, *deep), on_event=restart)
    assert result.unaccounted == 0
    assert result.overall.connections.reconnects >= 4


def test_what_is_asked_beside_the_load_is_encrypted(redis: RealNode, files: Files) -> None:
    target = plan(redis.port, *files.settings()).target
    assert re.match(r"redis \d", identity.identify(target))
    assert ready.ask(target).state is ready.State.READY
    assert ready.instance(target) == ready.Instance(redis.pid, redis.info("server")["run_id"])
    assert "answered right" in sanity.check(target)
    assert memory.used_bytes(target)
    assert clients.connected(target)
    with contextlib.closing(RedisMonitor(MonitorPlan("redis", "redis"), UnderLoad(target))) as monitor:
        assert monitor.read().values
    with contextlib.closing(ServerSubject("tls", target)) as subject:
        assert subject.refusal() is None


def test_memcached_is_asked_by_tls_too(memcached: RealServer, files: Files) -> None:
    target = plan(memcached.port, 'target.protocol="memcache"', *files.settings(mutual=False)).target
    assert re.match(r"memcached \d", identity.identify(target))
    assert ready.ask(target).state is ready.State.READY
    assert "answered right" in sanity.check(target)
    assert memory.used_bytes(target) is not None


# ── Servers and plans that do not fit ───────────────────────────────────────────────────────────────────────────────

QUICK = settings(connect_timeout="400ms")


def test_plain_text_to_a_port_with_tls_is_named(redis: RealNode) -> None:
    finished = invoked_load(redis.port, *QUICK)
    assert finished.status == 3
    assert "want TLS (target.tls, --tls)" in finished.complaint


def test_tls_to_a_port_with_plain_text_is_named(files: Files) -> None:
    with RealServer.memcached() as server:
        finished = invoked_load(server.port, *QUICK, "--protocol", "memcache", *files.flags())
    assert finished.status == 3
    # memcached answers only if a byte of the greeting happens to be a line's end.
    assert "plain text" in finished.complaint
    assert "leave target.tls" in finished.complaint


def test_a_certificate_that_nobody_here_trusts_is_named(redis: RealNode) -> None:
    finished = invoked_load(redis.port, *QUICK, "--tls")
    assert finished.status == 3
    assert f"TLS with 127.0.0.1:{redis.port} failed: the server's certificate comes from" in finished.complaint
    assert "by target.tls_verify = false (--insecure)." in finished.complaint


def test_a_missing_client_certificate_is_named(redis: RealNode, files: Files) -> None:
    finished = invoked_load(redis.port, *QUICK, "--tls", "--cacert", str(files.authority))
    assert finished.status == 3
    assert "the server wants a client certificate: name" in finished.complaint


def test_a_file_that_is_not_there_is_a_mistake_of_the_command(redis: RealNode) -> None:
    finished = invoked("run", "-p", str(redis.port), "--tls", "--cacert", "/no/such.pem", "--cert", "/no/such.crt")
    assert finished.status == 2
    assert "--cacert: names /no/such.pem, which cannot be read" in finished.stderr
    assert "--cert: names /no/such.crt, which cannot be read" in finished.stderr
