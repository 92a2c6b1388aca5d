"""`loadgen smoke` on real servers: a healthy one passes, each planted fault has its own reason, no process is left.

Every run here is the real command. Leftover processes are found by the working folder of the run, which servers
share: redis-server overwrites the environment that marks the other processes of a run.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from command import Finished, Running, wait_until
from in_process import invoked
from places import SERVERS, SUPPORT
from real_servers import HOST, RealServer, free_port

from loadgen.smoke.criteria import CRITERIA

PLANTED = SUPPORT / "planted_server.py"

LOAD = """
[general]
duration = "0.15s"
warmup = "0s"
threads = 1
seed = 1

[connection]
connections = 2
pipeline_depth = 4
request_timeout = "30s"

[workload.keyspace]
count = 100

[verdict]
# What the machine does to the generator while tests share it is not what these runs are about.
lag = "30s"
shortfall = 1

[smoke]
# Nor is how much and how quickly it is answered meanwhile.
requests = 1
p999 = "30s"
"""

REDIS = ["redis-server", "--bind", "{host}", "--port", "{port}", "--dir", "{dir}", "--save", ""]
# Of a slow server there are few replies, of which some must be hits.
FEW = ("--keys", "1", "--prefill")
STEPS, LOADED = CRITERIA[:4], CRITERIA[4:]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the command makes its folders: empty when the test ends, and nobody's place of work."""
    path = tmp_path / "temporary"
    path.mkdir()
    # Servers that give up root must be able to reach what is theirs.
    for parent in (path, *path.parents[:3]):
        if parent.stat().st_uid == os.geteuid() and parent != Path(tempfile.gettempdir()):
            parent.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    yield path
    left = at_work_in(path)
    for process in left:
        process.kill()
    assert left == []
    assert list(path.iterdir()) == []


def at_work_in(folder: Path) -> list[psutil.Process]:
    """The processes whose working folder is within this one, be it deleted or not."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd().startswith(f"{folder}/"):
                found.append(process)
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "load.toml"
    path.write_text(LOAD)
    return path


def server_file(path: Path, command: Sequence[str], *more: str, protocol: str = "resp") -> Path:
    """A server file; `more` are further lines of [target.server]."""
    words = ", ".join(json.dumps(word) for word in command)
    lines = ["[target]", f'protocol = "{protocol}"', "[target.server]", f"command = [{words}]", *more]
    path.write_text("\n".join(lines) + "\n")
    return path


def planted(tmp_path: Path, fault: str, *more: str) -> Path:
    """The file of a server with this fault."""
    return server_file(tmp_path / f"{fault}.toml", [sys.executable, str(PLANTED), "{port}", fault], *more)


def smoke(config: Path, *arguments: str | Path) -> Finished:
    return invoked("smoke", str(config), "--format", "json", *map(str, arguments))


def ended(finished: Finished) -> list[dict[str, Any]]:
    return [record for record in finished.records if record["type"] == "smoke"]


def states(finished: Finished) -> dict[str, bool | None]:
    [record] = ended(finished)
    return {check["name"]: check["passed"] for check in record["checks"]}


def found(finished: Finished, name: str) -> str:
    [record] = ended(finished)
    [words] = [check["found"] for check in record["checks"] if check["name"] == name]
    return str(words)


def failed(finished: Finished) -> list[str]:
    """The criteria that were missed, of a test that failed for them."""
    assert finished.status == 1
    [record] = ended(finished)
    assert record["passed"] is False
    missed = [name for name, passed in states(finished).items() if passed is False]
    assert finished.stderr.startswith(f"loadgen: {record['name']}: FAIL: {missed[0]}: {found(finished, missed[0])}")
    return missed


def only(finished: Finished, *missed: str, unreached: Sequence[str] = ()) -> None:
    """These criteria were missed, those not reached, and all others met."""
    assert failed(finished) == list(missed)
    assert [name for name, passed in states(finished).items() if passed is None] == list(unreached)


# ── Servers that are right ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("redis", "redis "),
        ("memcached", "memcached "),
        ("builtin-uvloop", "loadgen serve "),
        ("builtin-memcache", "memcached "),
    ],
)
def test_a_server_that_is_right_passes_by_every_criterion(config: Path, name: str, identity: str) -> None:
    finished = smoke(config, "--server", SERVERS / f"{name}.toml")
    [record] = ended(finished)
    assert finished.status == 0, record
    assert states(finished) == dict.fromkeys(CRITERIA, True)
    assert (record["name"], record["passed"]) == (name, True)
    assert record["identity"].startswith(identity)


@pytest.mark.parametrize("protocol", ["resp", "resp3", "memcache"])
def test_the_built_in_server_passes(config: Path, protocol: str) -> None:
    finished = smoke(config, "--embedded", "--protocol", protocol)
    assert finished.status == 0, finished.stdout
    assert states(finished) == dict.fromkeys(CRITERIA, True)


def test_objectives_are_asked_and_printed_and_do_not_decide(config: Path) -> None:
    finished = smoke(config, "--embedded", "--set", "slo.throughput_min=1e9")
    assert finished.status == 0
    [record] = ended(finished)
    [asked] = record["result"]["slo"]
    assert (asked["metric"], asked["answer"]) == ("throughput_min", "breached")
    assert finished.records[0]["slo"] == [{"metric": "throughput_min", "command": "all", "limit": 1e9, "unit": "per_s"}]


def test_a_server_that_runs_already_is_tested_and_left_running(config: Path) -> None:
    with RealServer.redis() as server:
        finished = smoke(config, "--port", str(server.port))
        assert server.client().ping()
    assert finished.status == 0
    assert states(finished) == {**dict.fromkeys(CRITERIA, True), "log": None}


def test_the_planted_server_without_a_fault_passes(tmp_path: Path, config: Path) -> None:
    """What fails below does so for its fault, and not for being small."""
    finished = smoke(config, "--server", planted(tmp_path, "none"))
    assert finished.status == 0
    assert states(finished) == dict.fromkeys(CRITERIA, True)


# ── One fault for each criterion ────────────────────────────────────────────────────────────────────────────────────


def test_a_taken_port_is_told(tmp_path: Path, config: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        finished = smoke(config, "--server", server_file(tmp_path / "busy.toml", REDIS, f"port = {port}"))
    only(finished, "server up", unreached=CRITERIA[1:])
    assert str(port) in found(finished, "server up")


def test_a_program_that_there_is_not_is_told(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", server_file(tmp_path / "absent.toml", ["no-such-server", "{port}"]))
    only(finished, "server up", unreached=CRITERIA[1:])
    assert "no-such-server" in found(finished, "server up")


def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", planted(tmp_path, "dies"))
    only(finished, "server up", unreached=CRITERIA[1:])
    assert "status 3" in found(finished, "server up")
    [record] = ended(finished)
    assert record["last_words"] == ["cannot open the store: no such folder"]


def test_a_server_that_dies_under_load_is_told_by_its_signal(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", planted(tmp_path, "crashes"), "--request-timeout", "1s")
    # How fast it was until then, if it came so far at all, is not what is asked.
    assert [name for name in failed(finished) if name != "p99.9"] == ["still up", "completed", "connection errors"]
    assert "SIGSEGV" in found(finished, "still up")
    # A process whose memory is still being written to a core file has its sockets open: nothing of it comes back.
    assert re.search("lost|unfinished", found(finished, "completed"))


def test_an_error_in_the_log_is_told(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", planted(tmp_path, "complains"))
    only(finished, "log")
    assert "panicked at src/store.rs:7" in found(finished, "log")


def test_an_error_that_the_server_tells_of_as_it_ends_is_told(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", planted(tmp_path, "leaks"))
    only(finished, "log")
    assert "LeakSanitizer" in found(finished, "log")
    [record] = ended(finished)
    assert "LeakSanitizer" in record["last_words"][-1]


def test_a_server_that_was_restarted_under_the_load_is_told(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", planted(tmp_path, "restarts"))
    only(finished, "still up")
    assert "was restarted under the load" in found(finished, "still up")


def test_a_server_of_another_protocol_is_told(tmp_path: Path, config: Path) -> None:
    command = ["memcached", "-l", "{host}", "-p", "{port}", "-U", "0", "-u", "nobody"]
    finished = smoke(config, "--server", server_file(tmp_path / "other.toml", command))
    only(finished, "server up", unreached=CRITERIA[1:])
    assert "ERROR" in found(finished, "server up")


def test_an_endpoint_of_another_protocol_is_told(config: Path) -> None:
    with RealServer.memcached() as server:
        finished = smoke(config, "--port", str(server.port))
    only(finished, "server up", unreached=CRITERIA[1:])
    assert "answered PING with 'ERROR\\r\\n" in found(finished, "server up")


def test_an_endpoint_where_nobody_is_is_told(config: Path) -> None:
    finished = smoke(config, "--port", str(free_port()))
    only(finished, "server up", unreached=CRITERIA[1:])
    assert "Connection refused" in found(finished, "server up")


def test_a_wrong_answer_is_told_and_no_load_follows(tmp_path: Path, config: Path) -> None:
    """A server that answers PING, so is up, but stores nothing."""
    command = ["loadgen", "serve", "--host", "{host}", "--port", "{port}", "--null"]
    finished = smoke(config, "--server", server_file(tmp_path / "null.toml", command))
    only(finished, "sanity", unreached=LOADED)
    assert "answered GET loadgen:smoke:" in found(finished, "sanity")


def test_slow_replies_are_told(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", planted(tmp_path, "dawdles"), "--set", "smoke.p999=100ms", *FEW)
    only(finished, "p99.9")


def test_misses_only_are_told(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", planted(tmp_path, "forgets"))
    only(finished, "hit rate")
    assert found(finished, "hit rate").startswith("0 % (0 of ")


def test_error_replies_are_told(tmp_path: Path, config: Path) -> None:
    finished = smoke(config, "--server", planted(tmp_path, "refuses"))
    only(finished, "error replies")
    assert "OOM no room" in found(finished, "error replies")


def test_a_request_without_an_answer_is_told(tmp_path: Path, config: Path) -> None:
    settings = ["--request-timeout", "200ms"]
    finished = smoke(config, "--server", planted(tmp_path, "stalls"), *settings)
    missed = failed(finished)
    assert {"completed", "timeouts"} <= set(missed) <= {"completed", "connection errors", "timeouts", "p99.9"}


def test_no_requests_are_told(config: Path) -> None:
    finished = smoke(config, "--server", SERVERS / "redis.toml", "--rate", "0.001", "--arrival", "poisson")
    only(finished, "requests measured", unreached=("p99.9", "hit rate"))
    assert found(finished, "requests measured") == "0"


@pytest.mark.parametrize(
    ("fault", "allowed"),
    [
        ("complains", "log=false"),
        ("dawdles", "p999=10s"),
        ("forgets", "hit_rate=false"),
        ("refuses", "error_replies=1000000"),
    ],
)
def test_a_fault_that_smoke_allows_passes(tmp_path: Path, config: Path, fault: str, allowed: str) -> None:
    settings = ["--set", f"smoke.{allowed}", *(FEW if fault == "dawdles" else ())]
    assert smoke(config, "--server", planted(tmp_path, fault), *settings).status == 0


# ── Several servers ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_matrix_tests_every_file_and_fails_when_one_does(tmp_path: Path, config: Path) -> None:
    folder = tmp_path / "servers"
    folder.mkdir()
    planted(folder, "forgets")
    server_file(folder / "absent.toml", ["no-such-server", "{port}"])
    planted(folder, "none")
    finished = smoke(config, "--matrix", folder / "*.toml")
    assert finished.status == 1
    assert [(record["name"], record["passed"]) for record in ended(finished)] == [
        ("absent", False),
        ("forgets", False),
        ("none", True),
    ]
    assert {record["type"] for record in finished.records} == {"smoke"}


def test_a_matrix_reaches_into_folders_and_speaks_each_servers_protocol(tmp_path: Path, config: Path) -> None:
    for name in ("builtin-memcache", "builtin-uvloop"):
        (tmp_path / "servers" / name).mkdir(parents=True)
        (tmp_path / "servers" / name / "server.toml").write_text((SERVERS / f"{name}.toml").read_text())
    finished = smoke(config, "--matrix", tmp_path / "servers" / "**" / "*.toml")
    assert finished.status == 0
    # Alike in their stems, they are told apart by their paths.
    assert [Path(record["name"]).parent.name for record in ended(finished)] == ["builtin-memcache", "builtin-uvloop"]


def test_a_file_of_a_matrix_that_is_wrong_is_told_before_anything_starts(tmp_path: Path, config: Path) -> None:
    server_file(tmp_path / "a.toml", [sys.executable, "-c", f"open({str(tmp_path / 'started')!r}, 'w')"])
    (tmp_path / "b.toml").write_text("[target.server]\ncommand = 7\n")
    finished = smoke(config, "--matrix", tmp_path / "[ab].toml")
    assert finished.status == 2
    assert f"{tmp_path / 'b.toml'}:2" in finished.stderr
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a server by -h and -p"),
        (["--matrix", "no-such/*.toml"], 'no-such/*.toml" names no file'),
        (["--matrix", ""], '"" names no file'),
        (["--matrix", "*.toml", "--embedded"], "keep one of them"),
        (["--server", "a.toml", "--port", "1"], "keep one of them"),
    ],
)
def test_a_command_line_that_names_no_server_or_two_is_refused(arguments: list[str], words: str) -> None:
    finished = invoked("smoke", *arguments)
    assert finished.status == 2
    assert words in finished.stderr


# ── Ended early ─────────────────────────────────────────────────────────────────────────────────────────────────────

LONG = ("--duration", "300s", "--set", "general.interval=100ms")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_under_load_stops_the_server_and_prints_the_rest(config: Path, number: signal.Signals) -> None:
    arguments = ("smoke", str(config), "--format", "json", "--server", str(SERVERS / "redis.toml"), *LONG)
    with Running(*arguments) as running:
        running.wait_for("sample", 2)
        running.process.send_signal(number)
        finished = running.finish()
    assert finished.status == 130
    assert states(finished) == {**dict.fromkeys(STEPS, True), **dict.fromkeys(LOADED, None)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_a_server_starts_stops_it(tmp_path: Path, config: Path, number: signal.Signals) -> None:
    never = f"import pathlib, time; pathlib.Path({str(tmp_path / 'started')!r}).touch(); time.sleep(300)"
    file = server_file(tmp_path / "never.toml", [sys.executable, "-c", never, "{port}"], 'ready_timeout = "300s"')
    with Running("smoke", str(config), "--format", "json", "--server", str(file)) as running:
        wait_until((tmp_path / "started").exists)
        running.process.send_signal(number)
        finished = running.finish()
    assert finished.status == 130
    assert states(finished) == dict.fromkeys(CRITERIA, None)


def test_an_interrupt_during_the_sanity_questions_stops_the_server(tmp_path: Path, config: Path) -> None:
    asked = tmp_path / "asked"
    file = planted(tmp_path, "mute", f"env = {{ ASKED = {json.dumps(str(asked))} }}")
    with Running("smoke", str(config), "--format", "json", "--server", str(file)) as running:
        wait_until(asked.exists)
        running.interrupt()
        finished = running.finish()
    assert finished.status == 130
    assert states(finished) == {**dict.fromkeys(CRITERIA, None), "server up": True, "log": True}


def test_after_an_interrupt_the_rest_of_a_matrix_is_not_run(tmp_path: Path, config: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text((SERVERS / "redis.toml").read_text())
    arguments = ("smoke", str(config), "--format", "json", "--matrix", str(tmp_path / "[ab].toml"), *LONG)
    with Running(*arguments) as running:
        running.workers()
        running.interrupt()
        finished = running.finish()
    assert finished.status == 130
    first, second = ended(finished)
    assert [check["passed"] for check in first["checks"][:4]] == [True] * 4
    assert {check["passed"] for check in second["checks"]} == {None}


def test_nothing_is_left_when_loadgen_is_killed(config: Path, folder: Path) -> None:
    arguments = ("smoke", str(config), "--format", "json", "--server", str(SERVERS / "redis.toml"), *LONG)
    with Running(*arguments) as running:
        running.wait_for("sample", 2)
        [server] = [process for process in at_work_in(folder) if process.name() == "redis-server"]
        [port] = {c.laddr.port for c in server.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        running.process.kill()
        running.process.wait()
        running.gone()
    wait_until(lambda: not at_work_in(folder) and not list(folder.iterdir()))
    with socket.create_server((HOST, port)):
        pass


def test_a_worker_that_dies_leaves_the_question_open(config: Path) -> None:
    arguments = ("smoke", str(config), "--format", "json", "--server", str(SERVERS / "redis.toml"), *LONG)
    with Running(*arguments) as running:
        running.wait_for("sample", 2)
        running.workers()[0].kill()
        finished = running.finish()
    assert finished.status == 4
    assert states(finished)["completed"] is None
    assert False not in states(finished).values()
    assert "Worker 0" in finished.stderr
