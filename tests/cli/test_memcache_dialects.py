"""Real runs against a real memcached, by its text and meta commands and its binary protocol: each with replies and
quiet, over log-ins, with what the server itself counted."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from builtin_servers import built_in
from counted import snapshot_of
from engines import engine_of
from in_process import invoked
from real_servers import HOST, RealServer, ask
from runs import memcached_stats, plan, profile_of

from loadgen.phase import COUNTED
from loadgen.plan import Endpoint, Plan, Target
from loadgen.snapshot import Snapshot
from loadgen.target.talk import counters, memory, ready, sanity
from loadgen.target.talk.identity import identify

MIXED = (
    "workload.commands.get=6",
    "workload.commands.set=3",
    "workload.commands.delete=1",
    "general.requests=4000",
    "workload.keyspace.count=500",
)
DIALECTS = ("memcache", "memcache-meta", "memcache-binary")
STATISTICS = ("cmd_get", "get_hits", "cmd_set", "delete_hits", "delete_misses")


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with RealServer.memcached("-m", "64") as server:
        yield server


def counts(port: int) -> dict[str, int]:
    return {name: memcached_stats(port)[0][name] for name in STATISTICS}


async def led(told: Plan) -> dict[str, Snapshot]:
    heard: asyncio.Queue[str] = asyncio.Queue()
    engine, load = engine_of(told, heard.put_nowait), told.load
    lengths = load.warmup_ns, load.window_ns, profile_of(told), load.requests
    steps = {
        "connected": engine.connect,
        "written": engine.write_keys,
        "drained": lambda: engine.load(time.monotonic_ns(), *lengths),
    }
    try:
        for end, begin in steps.items():
            if end == "written" and not told.workload.prefill:
                continue
            begin()
            assert await asyncio.wait_for(heard.get(), 60) == end
        return {phase: snapshot_of(engine.counts(phase)) for phase in COUNTED}
    finally:
        engine.close()


def run(server: RealServer, *settings: str) -> tuple[Snapshot, dict[str, Snapshot]]:
    """Lead the only worker of a run in this process, and return its counts, of all phases together and of each.

    On a healthy server, every request of every command is answered well, noops too.
    """
    phases = uvloop.run(led(plan(server, "workload.prefill=false", *settings)))
    overall = sum(phases.values(), Snapshot())
    for command, tally in overall.tallies.items():
        assert (tally.ok, tally.sent) == (tally.planned, tally.planned), (command, tally)
    return overall, phases


def ours(overall: Snapshot) -> dict[str, int]:
    """What the server must have counted, by our own outcomes."""
    get, delete = overall.tally("get"), overall.tally("delete")
    return {
        "cmd_get": get.sent,
        "get_hits": get.hits,
        "cmd_set": overall.tally("set").sent + overall.tally("backfill").sent,
        "delete_hits": delete.hits,
        "delete_misses": delete.misses,
    }


FORMS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "quiet": ("target.memcache.quiet=true",),
    "one by one": ("target.memcache.quiet=true", "connection.pipeline_depth=1", "general.requests=400"),
    "at a rate": ("target.memcache.quiet=true", "workload.rate_limit=20000", "general.requests=2000"),
    "drained": ("target.memcache.quiet=true", "connection.refill=drained", "workload.backfill_on_miss=true"),
    "large": ("target.memcache.quiet=true", "workload.values.length=20000", "general.requests=400"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("protocol", DIALECTS)
def test_the_server_counted_what_was_sent_and_how_each_request_ended(
    server: RealServer, protocol: str, form: str
) -> None:
    before = counts(server.port)
    overall, phases = run(server, *MIXED, f"target.protocol={protocol}", "workload.prefill=true", *FORMS[form])
    counted = {name: count - before[name] for name, count in counts(server.port).items()}
    expected = ours(overall)
    if protocol == "memcache" and form != "plain":
        # A delete with noreply is not answered at all: we cannot know if there was something to delete.
        deletes = counted.pop("delete_hits") + counted.pop("delete_misses")
        assert deletes == expected.pop("delete_hits") + expected.pop("delete_misses")
    assert counted == expected
    noops = overall.tally("noop").sent
    assert noops > 0 if form != "plain" else noops == 0
    # The prefill, whose writes are answered, goes without.
    assert phases["prefill"].tally("set").hits == 500
    assert phases["prefill"].commands == ("set",)


@pytest.mark.parametrize(
    "settings",
    [
        ("target.memcache.base64_keys=true", "target.memcache.return_key=true", 'workload.keyspace.prefix="user:"'),
        ('target.memcache.get_flags="vtfshl"', "target.memcache.return_key=true", "target.memcache.opaque=false"),
        ('target.memcache.get_flags="s"', "target.memcache.quiet=true", "workload.values.ttl=60s"),
    ],
)
def test_every_form_of_a_meta_request_is_understood(server: RealServer, settings: tuple[str, ...]) -> None:
    before = counts(server.port)
    overall, _ = run(server, *MIXED, "target.protocol=memcache_meta", *settings)
    assert {name: count - before[name] for name, count in counts(server.port).items()} == ours(overall)
    assert overall.tally("get").hits > 0


def test_the_key_of_a_binary_hit_is_asked_for_and_compared(server: RealServer) -> None:
    settings = ("target.protocol=memcachebinary", "target.memcache.return_key=true", "target.memcache.quiet=true")
    before = counts(server.port)
    overall, _ = run(server, *MIXED, *settings, 'workload.keyspace.prefix="user:"', "workload.keyspace.length=30")
    assert {name: count - before[name] for name, count in counts(server.port).items()} == ours(overall)


def test_every_dialect_writes_what_the_others_read(server: RealServer) -> None:
    for writes, reads in itertools.permutations(DIALECTS, 2):
        prefix = f'workload.keyspace.prefix="{writes}-{reads}:"'
        keys = (prefix, "workload.keyspace.count=100", "general.requests=200", "workload.values.length=100")
        write = ("workload.commands={get=0, set=1, delete=0}", "workload.prefill=true")
        run(server, f"target.protocol={writes}", *write, *keys)
        read, _ = run(server, f"target.protocol={reads}", "workload.commands={get=1, set=0, delete=0}", *keys)
        assert read.tally("get").hits == read.tally("get").sent > 0


# ── Errors, and servers that go ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", DIALECTS[1:])
def test_errors_of_quiet_writes_are_counted_and_everything_adds_up(protocol: str) -> None:
    """A value longer than the server's limit: each set is refused, aloud."""
    with RealServer.memcached("-m", "64", "-I", "8k", "-o", "slab_chunk_max=8192") as server:
        load = (
            "-n",
            "40",
            "-d",
            "12000",
            "--mix",
            "get=1,set=1",
            "-c",
            "2",
            "-P",
            "4",
            "--set",
            "workload.prefill=false",
        )
        quiet = ("--set", "target.memcache.quiet=true", "--format", "json")
        done = invoked("-p", str(server.port), "--protocol", protocol, *load, *quiet)
        [config] = [record for record in done.records if record["type"] == "config"]
        assert config["protocol"] == {"memcache-meta": "MemcacheMeta", "memcache-binary": "MemcacheBinary"}[protocol]
        commands = done.result["commands"]
        errors = sum(tally["error_replies"] for tally in commands.values())
        assert errors == commands["set"]["planned"] > 0
        if protocol == "memcache-binary":
            # The opaque says which request an error is of.
            assert commands["set"]["error_replies"] == commands["set"]["planned"]
            assert commands["get"]["ok"] == commands["get"]["planned"]


# ── Log-ins ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that memcached can read, which gives up root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def locked_by_file(open_folder: Path) -> Iterator[RealServer]:
    file = open_folder / "tokens"
    file.write_text("other:x\nbench:password\n")
    with RealServer.memcached("-Y", str(file), pid_of=by_log_in) as server:
        yield server


def by_log_in(port: int) -> int:
    answer = ask(port, b"set auth 0 0 14\r\nbench password\r\nstats\r\n", b"END\r\n")
    return int(answer.split(b"STAT pid ")[1].split()[0])


@pytest.fixture(scope="module")
def locked_by_sasl(open_folder: Path) -> Iterator[RealServer]:
    program = shutil.which("saslpasswd2", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("saslpasswd2 is not installed (scripts/prepare servers)")
    realm = ["-u", socket.gethostname(), "-a", "memcached", "-f", str(open_folder / "users")]
    subprocess.run([program, "-p", "-c", *realm, "bench"], input=b"password", check=True)
    (open_folder / "users").chmod(0o644)
    (open_folder / "memcached.conf").write_text(f"mech_list: plain\nsasldb_path: {open_folder / 'users'}\n")
    with RealServer.memcached("-S", env={"SASL_CONF_PATH": str(open_folder)}, pid_of=by_sasl) as server:
        yield server


def by_sasl(port: int) -> int:
    found = ready.instance(Target("memcache-binary", (Endpoint(HOST, port, HOST),), "bench", "password"))
    if found is None:
        raise ConnectionRefusedError
    return found.pid


LOG_IN = ("target.username=bench", 'target.password="password"')


@pytest.mark.parametrize("protocol", DIALECTS[:2])
def test_a_connection_logs_in_once_by_the_token_of_an_auth_file(locked_by_file: RealServer, protocol: str) -> None:
    _, phases = run(locked_by_file, f"target.protocol={protocol}", *LOG_IN, "general.requests=400")
    assert {name: tally.hits for name, tally in phases["precheck"].tallies.items()} == {"auth": 4, "ping": 4}
    assert phases["measure"].total.ok == 400


def test_a_connection_logs_in_once_by_sasl(locked_by_sasl: RealServer) -> None:
    quiet = "target.memcache.quiet=true"
    _, phases = run(locked_by_sasl, "target.protocol=memcache-binary", *LOG_IN, "general.requests=400", quiet)
    assert {name: tally.hits for name, tally in phases["precheck"].tallies.items()} == {"auth": 4, "ping": 4}
    assert phases["measure"].total.ok == 400


def refused(port: int, protocol: str, *more: str) -> str:
    done = invoked("-p", str(port), "--protocol", protocol, "-n", "10", "--format", "json", *more)
    assert done.status == 3
    assert "wrong-one" not in done.stdout + done.stderr
    return done.complaint


@pytest.mark.parametrize("protocol", DIALECTS)
def test_a_wrong_password_is_one_sentence(request: pytest.FixtureRequest, protocol: str) -> None:
    binary = protocol == "memcache-binary"
    server = request.getfixturevalue("locked_by_sasl" if binary else "locked_by_file")
    words = "AUTH_ERROR Auth failure." if binary else "CLIENT_ERROR authentication failure"
    remedy = "set target.username and target.password to those of a user of the server."
    wrong = refused(server.port, protocol, "--user", "bench", "--password", "wrong-one")
    assert wrong == f'loadgen: {HOST}:{server.port} rejected the connection: "{words}": {remedy}'
    if protocol != "memcache-meta":
        # Without any, the question that follows is answered so.
        assert refused(server.port, protocol).endswith(f": {remedy}")


def test_a_server_without_the_dialect_is_one_sentence() -> None:
    with built_in("memcache") as server:
        port = server.port
        meta = refused(port, "memcache-meta")
        assert meta == (
            f'loadgen: {HOST}:{port} rejected the connection: "ERROR": check target.protocol, as the server does not '
            "know the command."
        )
    embedded = invoked("--embedded", "--protocol", "memcache-meta")
    assert embedded.status == 2
    assert "by its text protocol only" in embedded.complaint


# ── Questions beside the load ───────────────────────────────────────────────────────────────────────────────────────


def target(server: RealServer, protocol: str, *credentials: str) -> Target:
    return Target(protocol, (Endpoint(HOST, server.port, HOST),), *credentials)


@pytest.mark.parametrize("protocol", DIALECTS)
def test_a_server_is_asked_in_its_own_dialect(server: RealServer, protocol: str) -> None:
    of = target(server, protocol)
    assert ready.ask(of).state is ready.State.READY
    instance = ready.instance(of)
    assert instance is not None
    assert instance.pid == server.pid
    assert identify(of).startswith("memcached 1.")
    assert memory.used_bytes(of) == memcached_stats(server.port)[0]["bytes"]
    read = counters.read(of.endpoints[0], protocol)
    assert read is not None
    assert read.operations["get"] == memcached_stats(server.port)[0]["cmd_get"]
    said = sanity.check(of)
    assert "answered right" in said
    assert {"memcache": "get", "memcache-meta": "mg", "memcache-binary": "Get"}[protocol] in said


@pytest.mark.parametrize("protocol", DIALECTS)
def test_a_locked_server_is_asked_after_the_log_in(request: pytest.FixtureRequest, protocol: str) -> None:
    binary = protocol == "memcache-binary"
    server = request.getfixturevalue("locked_by_sasl" if binary else "locked_by_file")
    of = target(server, protocol, "bench", "password")
    assert ready.ask(of).state is ready.State.READY
    assert identify(of).startswith("memcached 1.")
    assert memory.used_bytes(of) is not None
    assert "answered right" in sanity.check(of)
    wrong = target(server, protocol, "bench", "wrong-one")
    assert ready.ask(wrong).state is ready.State.LOCKED
    assert memory.used_bytes(wrong) is None
