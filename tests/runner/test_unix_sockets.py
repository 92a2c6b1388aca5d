"""Loads over Unix sockets and on databases: servers count what was sent, and nothing tells a password."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest
from in_process import invoked
from real_servers import RealServer
from runs import SETTINGS, plan, redis_calls, redis_calls_of, sent, sets, stores

import loadgen
from loadgen.config.loader import parse_override
from loadgen.events import Result
from loadgen.judge import diagnosis
from loadgen.monitors.monitor import UnderLoad
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.whose import process_of
from loadgen.plan import Endpoint, Target
from loadgen.target.talk import counters, sanity
from loadgen.target.talk.identity import identify

PASSWORD = "unix-s3cret-word"
"""Long enough to be found wherever it is printed."""

USERS = f"user bench on >{PASSWORD} ~* +@all\nuser deaf on >{PASSWORD} ~* -@all +ping +auth +select +hello\n"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    users = tmp_path_factory.mktemp("redis") / "users.acl"
    users.write_text(USERS + "user default on nopass ~* &* +@all\n")
    with RealServer.redis("--unixsocket", "r.sock", "--aclfile", str(users)) as server:
        yield server


@pytest.fixture
def path(redis: RealServer) -> str:
    redis.redis().config_resetstat()
    redis.redis().flushall()
    return str(redis.folder / "r.sock")


def measured(target: str | loadgen.Server, *settings: str) -> Result:
    given = {".".join(key): value for key, value in map(parse_override, [*SETTINGS, *settings])}
    result = loadgen.run(loadgen.Plan(target=target, settings=given))
    assert result.valid, result.invalid_because
    assert result.unaccounted == 0
    assert all((tally.not_ok, tally.received) == (0, tally.sent) for tally in result.overall.tallies.values())
    return result


# ── The accounts ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", ["resp", "resp3"])
def test_what_a_user_sends_to_a_database_over_a_socket_is_what_redis_counts(
    redis: RealServer, path: str, protocol: str
) -> None:
    client = redis.redis(protocol=2, driver_info=None)
    before = redis_calls(redis)
    url = f"redis+unix://bench:{PASSWORD}@{path}?db=3"
    result = measured(url, f"target.protocol={protocol}", "workload.prefill=true", "workload.keyspace.count=500")
    asked = sent(result)
    calls = redis_calls(redis)
    found = {name: calls[name] - before.get(name, 0) for name in redis_calls_of(asked)}
    assert found == redis_calls_of(asked)
    greetings = {name: count for name, count in asked.items() if name in ("auth", "hello", "select", "ping") and count}
    assert greetings == ({"hello": 4, "select": 4} if protocol == "resp3" else {"auth": 4, "select": 4, "ping": 4})
    assert set(client.info("keyspace")) == {"db3"}
    assert client.info("keyspace")["db3"]["keys"] == 500
    assert result.overall.total.misses == 0


def test_values_that_are_taken_off_a_socket_unread_are_all_there(path: str) -> None:
    large = ("workload.values.length=300kb", "workload.keyspace.count=8", "workload.prefill=true")
    result = measured(f"unix:{path}", *large, "workload.commands.set=1", "workload.commands.get=1")
    assert result.overall.total.misses == 0
    assert result.overall.tallies["get"].hits > 8


def test_a_memcached_that_loadgen_starts_on_a_socket_counts_what_was_sent() -> None:
    # It makes its socket as the user that it becomes, in the folder that loadgen's user has made.
    user = " -u root" if os.geteuid() == 0 else ""
    server = loadgen.Server.command(f"memcached -s {{socket}} -t 1{user}", protocol="memcache")
    with server:
        endpoint = server._started.endpoint
        assert str(endpoint).startswith("unix:/")
        before = counters.read(endpoint, "memcache")
        result = measured(server, "target.protocol=memcache", "workload.prefill=true", "workload.commands.delete=1")
        after = counters.read(endpoint, "memcache")
        assert before is not None
        assert after is not None
        asked = sent(result)
        assert after.since(before) == {**{name: asked[name] for name in ("get", "set", "delete")}, "increment": 0}
        assert not server._started.restarted()


def test_what_is_mirrored_to_two_sockets_is_what_both_count_together(redis: RealServer, path: str) -> None:
    with loadgen.Server.command("redis-server --port 0 --unixsocket {socket} --save ''") as other:
        targets = [f"unix:{path}", other.endpoint]
        given = {".".join(key): value for key, value in map(parse_override, SETTINGS)}
        mirrored = loadgen.Plan(
            target=targets, settings={**given, "workload.prefill": True, "target.sharding": "mirrored"}
        )
        result = loadgen.run(mirrored)
        assert result.valid, result.invalid_because
        held = stores([redis])[0]
        assert len(held) == 2000
        reading = counters.read(other._started.endpoint, "resp")
        calls = redis_calls(redis)
        assert reading is not None
        # The same to each: the prefill, and the mix in its order, as far as each server came.
        assert calls["set"] + reading.operations["set"] == sent(result)["set"]
        assert calls["get"] + reading.operations["get"] == sent(result)["get"]


# ── Beside the load ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_asked_beside_a_load_is_asked_over_the_socket(redis: RealServer, path: str) -> None:
    target = Target("resp", (Endpoint.at_path(path),), username="bench", password=PASSWORD, database=2)
    assert identify(target).startswith("redis ")
    assert "SELECT" in sanity.check(target)
    assert "cmdstat_select" in redis.redis().info("commandstats")
    monitor = MonitorPlan(kind="process", name="p", every_ns=1, timeout_ns=1, server=target)
    assert process_of(monitor, UnderLoad(target))() == redis.pid


def test_the_next_address_is_asked_where_nothing_listens_on_the_first(redis: RealServer) -> None:
    endpoint = Endpoint("cache", redis.port, "127.0.0.9", ("127.0.0.1",))
    assert identify(Target("resp", (endpoint,))).startswith("redis ")


# ── Bad input ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("-s {folder}", 3, "is a folder and no Unix socket"),
        ("-s {file}", 3, "is a file and no Unix socket"),
        ("-s {folder}/none", 3, "There is no Unix socket at"),
        ("-s {left}", 3, "Nothing is listening on unix:"),
        ("-s {path} --dbnum 16", 3, '"ERR DB index is out of range": correct target.database (--dbnum)'),
        ("-s {path} --user bench -a wrong", 3, '"WRONGPASS'),
        ("-u redis+unix://deaf:{password}@{path}", 3, 'rejects every request with "NOPERM'),
        ("-s {path} --protocol memcache", 3, "it is a RESP server"),
        ("-s {path} --protocol memcache --dbnum 1", 2, "is for RESP only"),
        ("-s {path} --dbnum -1", 2, "is not a whole number from 0 to 2147483647"),
        ("-u redis://127.0.0.1:0", 2, "has port 0, and ports are 1 to 65535"),
        ("-u http://127.0.0.1", 2, "begins with http://, which names no server here"),
        ("-u redis://:{password}@h --password other", 2, "target.password says otherwise"),
        ("-s /{long}", 2, "the path of a Unix socket has at most 107"),
    ],
)
def test_a_wrong_socket_user_or_database_is_told_in_one_sentence(
    path: str, tmp_path: Path, words: str, status: int, said: str
) -> None:
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    names = {"folder": tmp_path, "file": tmp_path / "file", "left": tmp_path / "left", "path": path,
             "password": PASSWORD, "long": "x" * 120}  # fmt: skip
    finished = invoked("-n", "100", "-c", "2", "--threads", "1", *words.format(**names).split())
    assert finished.status == status, finished.stderr
    assert said in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert PASSWORD not in finished.stderr


def test_a_socket_that_this_user_may_not_write_to_is_blamed_on_its_permissions() -> None:

    told = plan(1).at(Endpoint.at_path("/run/r.sock"))
    words = diagnosis.why_not(told, told.target.endpoints[0], {"unreachable": 4}, {"unreachable": "Permission denied"})
    assert words == "unix:/run/r.sock cannot be reached (Permission denied): check the permissions of the socket."


# ── Secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Watch:
    """Reads the command lines of every process that this one starts, while it is open."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.01):
            for child in me.children(recursive=True):
                try:
                    self.seen.add("\0".join([*child.cmdline(), *child.environ().values()]))
                except psutil.Error:
                    continue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.parametrize("way", ["url", "file"])
def test_no_output_no_record_and_no_command_line_has_the_password(path: str, tmp_path: Path, way: str) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    ways = {
        "url": ["-u", f"redis+unix://bench:{PASSWORD}@{path}?db=1"],
        "file": ["-s", path, "--user", "bench", *sets(f"target.password_file={tmp_path / 'password'}")],
    }
    outputs = [tmp_path / "run.ndjson", tmp_path / "run.json"]
    with Watch() as watch:
        finished = invoked("-n", "2000", "-c", "2", "--threads", "1", "--format", "verbose",
                           "-o", str(outputs[0]), "--json", str(outputs[1]), *ways[way])  # fmt: skip
    assert finished.status == 0, finished.stderr
    texts = [finished.stdout, finished.stderr, *(each.read_text() for each in outputs)]
    assert all(texts[:1] + texts[2:]), "every output has something"
    assert not [text for text in texts if PASSWORD in text]
    assert watch.seen, "a worker was seen"
    assert not [words for words in watch.seen if PASSWORD in words]
    config = json.loads(outputs[1].read_text().splitlines()[0])
    assert config["type"] == "config"
    assert config["target"] == f"unix:{path}"
    assert config.get("database", 0) == (1 if way == "url" else 0)
    if way == "url":
        shown = invoked("config", "quick-test", *sets(f'target.endpoints=["{ways[way][1]}"]'))
        assert f'endpoints = ["unix:{path}"]' in shown.stdout
        assert PASSWORD not in shown.stdout + shown.stderr
