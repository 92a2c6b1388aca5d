"""Every shipped server file starts the server that its name promises, and the server answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tomli
from command import wait_until
from places import SERVERS as FOLDER
from real_servers import HOST, START_ATTEMPTS, STOP_TIMEOUT_S, ask, free_port

from loadgen.cli.main import main
from loadgen.config import load, server_plan
from loadgen.server_plan import ServerPlan

FILES = {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}

PING = {
    "resp": (b"PING\r\n", b"+PONG\r\n"),
    "memcache": (b"version\r\n", b"\r\n"),
}


def plan_of(name: str) -> ServerPlan:
    plan = server_plan(load(None, server=FILES[name]), name)
    assert plan is not None
    return plan


def answers(plan: ServerPlan, port: int) -> bool:
    question, end = PING[plan.target.protocol]
    try:
        return ask(port, question, end).startswith((b"+PONG", b"VERSION "))
    except OSError:
        return False


def filled_in(word: str, port: int, folder: Path) -> str:
    return word.replace("{host}", HOST).replace("{port}", str(port)).replace("{dir}", str(folder))


@contextmanager
def started(plan: ServerPlan, folder: Path) -> Iterator[int]:
    """The port of the plan's server, running and answering."""
    for _ in range(START_ATTEMPTS):
        port = free_port()
        command = [filled_in(word, port, folder) for word in plan.command]
        if command[0] == "loadgen":
            command[:1] = [sys.executable, "-m", "loadgen"]
        log = folder / "log.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            wait_until(lambda: process.poll() is not None or answers(plan, port))  # noqa: B023
            # A port is only free until somebody else takes it.
            if process.poll() is None:
                yield port
                return
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)
    raise AssertionError(f"{command} does not start:\n{log.read_text()}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A server's own folder, which one that gives up root can read as well."""
    own = tmp_path / "own"
    own.mkdir(mode=0o755)
    return own


def test_all_that_was_promised_is_there() -> None:
    policies = ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
                "volatile-ttl", "noeviction"]  # fmt: skip
    assert set(FILES) == {"valkey"} | REDIS.keys() | MEMCACHED.keys() | BUILT_IN.keys() | CRUCIBLE.keys()
    assert set(FILES) == {
        *("redis", "redis-aof", "redis-aof-always", "redis-io-threads", "redis-cluster"),
        *(f"redis-{policy}" for policy in policies),
        "valkey",
        *("memcached", "memcached-2-threads", "memcached-large-slabs", "memcached-small-slabs"),
        *("builtin-uvloop", "builtin-asyncio", "builtin-memcache"),
        *("crucible-redis", "crucible-slab", "crucible-heap", "crucible-smoketest"),
    }


@pytest.mark.parametrize("name", FILES)
def test_a_server_file_says_what_it_is_for_and_loads_without_a_warning(name: str) -> None:
    assert re.match(r"# \S+", FILES[name].read_text())
    settings = load(None, server=FILES[name])
    assert settings.warnings == ()
    assert settings.target.server is not None
    assert settings.target.server.port == 0


REDIS = {
    "redis": {"appendonly": "no", "save": "", "maxmemory": "0", "io-threads": "1"},
    "redis-aof": {"appendonly": "yes", "appendfsync": "everysec", "save": ""},
    "redis-aof-always": {"appendonly": "yes", "appendfsync": "always", "save": ""},
    "redis-io-threads": {"appendonly": "no", "io-threads": "2", "io-threads-do-reads": "yes"},
    "redis-cluster": {"appendonly": "no", "save": "", "cluster-enabled": "yes", "cluster-require-full-coverage": "no"},
    **{
        name: {"maxmemory": str(64 * 2**20), "maxmemory-policy": name.removeprefix("redis-"), "appendonly": "no"}
        for name in FILES
        if "maxmemory" in FILES[name].read_text()
    },
}


@pytest.mark.parametrize("name", REDIS)
def test_redis_is_set_up_as_the_file_is_called(name: str, folder: Path) -> None:
    with started(plan_of(name), folder) as port:
        for key, value in {**REDIS[name], "dir": str(folder), "bind": HOST, "daemonize": "no"}.items():
            answer = ask(port, f"CONFIG GET {key}\r\n".encode(), f"\r\n{value}\r\n".encode())
            assert answer.decode().split("\r\n")[2:5:2] == [key, value]


def test_valkey_is_started_as_redis_is() -> None:
    valkey, redis = plan_of("valkey"), plan_of("redis")
    assert valkey == replace(redis, name="valkey", command=("valkey-server", *redis.command[1:]))


@pytest.mark.skipif(shutil.which("valkey-server") is None, reason="valkey-server is not installed")
def test_valkey_is_set_up_as_the_file_is_called(folder: Path) -> None:
    with started(plan_of("valkey"), folder) as port:
        assert b"\r\nvalkey_version:" in ask(port, b"INFO server\r\n", b"availability_zone:\r\n")


MEMCACHED = {
    "memcached": {"num_threads": "4", "item_size_max": str(2**20), "growth_factor": "1.25"},
    "memcached-2-threads": {"num_threads": "2"},
    "memcached-large-slabs": {"item_size_max": str(8 * 2**20), "growth_factor": "1.50"},
    "memcached-small-slabs": {"chunk_size": "32", "growth_factor": "1.15"},
}


@pytest.mark.parametrize("name", MEMCACHED)
def test_memcached_is_set_up_as_the_file_is_called(name: str, folder: Path) -> None:
    with started(plan_of(name), folder) as port:
        answer = ask(port, b"stats settings\r\n", b"END\r\n").decode()
    found = dict(re.findall(r"STAT (\S+) (\S+)\r\n", answer))
    wanted = {**MEMCACHED[name], "maxbytes": str(2**30), "udpport": "0", "inter": HOST}
    assert {key: found[key] for key in wanted} == wanted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start it as somebody else")
def test_memcached_starts_for_those_who_are_not_root(folder: Path) -> None:
    plan = plan_of("memcached")
    somebody = ("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")
    with started(ServerPlan(plan.name, (*somebody, *plan.command), plan.target), folder):
        pass


BUILT_IN = {"builtin-uvloop": "uvloop", "builtin-asyncio": "asyncio", "builtin-memcache": "memcache"}


@pytest.mark.parametrize(("name", "last_word"), BUILT_IN.items())
def test_the_built_in_server_is_set_up_as_the_file_is_called(name: str, last_word: str, folder: Path) -> None:
    plan = plan_of(name)
    assert plan.command[-1] == last_word
    with started(plan, folder):
        pass


# ── crucible: no test needs the program itself ──────────────────────────────────────────────────────────────────────

CRUCIBLE = {
    "crucible-redis": ("segment", "4GB"),
    "crucible-slab": ("slab", "4GB"),
    "crucible-heap": ("heap", "1GB"),
    "crucible-smoketest": ("segment", "64MB"),
}

CRUCIBLE_KEYS = {
    "workers": {"threads", "cpu_affinity"},
    "cache": {"backend", "policy", "heap_size", "segment_size", "slab_size", "max_value_size", "hashtable_power"},
    "listener": {"protocol", "address"},
    "metrics": {"address"},
}
"""What crucible-server reads in its file, as far as the files here use it: it refuses to start with any other key."""


@pytest.mark.parametrize("name", CRUCIBLE)
def test_crucible_is_told_its_port_by_the_file_that_is_its_argument(name: str) -> None:
    plan = plan_of(name)
    assert plan.command == (str(Path.cwd() / "target/release/crucible-server"), "{dir}/server.toml")
    [(file, template)] = plan.files
    told = tomli.loads(template.replace("{host}", HOST).replace("{port}", "7000"))
    assert file == "server.toml"
    assert (told["cache"]["backend"], told["cache"]["heap_size"]) == CRUCIBLE[name]
    assert told["listener"] == [{"protocol": "resp", "address": f"{HOST}:7000"}]
    # Another free port, so that several of them run side by side.
    assert told["metrics"] == {"address": f"{HOST}:0"}
    for table, keys in told.items():
        assert set(keys[0] if isinstance(keys, list) else keys) <= CRUCIBLE_KEYS[table]


@pytest.mark.parametrize("name", CRUCIBLE)
def test_a_program_that_is_not_there_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["run", "--server", name, "--format", "quiet"]) == 3
    assert capsys.readouterr().err == (
        f"loadgen: The program {tmp_path}/target/release/crucible-server of target.server.command is not there, and "
        'its build could not be started: The program "cargo" of target.server.build is not in PATH: install it, or '
        "write its whole path.\n"
    )
