"""ManagedServer: real servers and misbehaving ones, started, watched and ended, with nothing left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from builtin_servers import built_in
from misbehaving_server import BURNT_S
from places import SUPPORT
from real_servers import HOST, RealServer, ask, free_port

from loadgen.events import Progress
from loadgen.server_plan import ServerPlan, loopback
from loadgen.target import folder
from loadgen.target import port as port_module
from loadgen.target.process import ProcessTree
from loadgen.target.server import ManagedServer, ServerError
from loadgen.usage import WatchedServer

MISBEHAVING = str(SUPPORT / "misbehaving_server.py")
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="Linux adopts orphans, and pins")

REDIS = ServerPlan(
    "redis", ("redis-server", "--bind", "{host}", "--port", "{port}", "--dir", "{dir}", "--save", ""), loopback("resp")
)
MEMCACHED = ServerPlan(
    "memcached",
    ("memcached", "-l", "{host}", "-p", "{port}", "-U", "0", "-u", "nobody", "-t", "2"),
    loopback("memcache"),
)
BUILTIN = ServerPlan("builtin", ("loadgen", "serve", "--host", "{host}", "--port", "{port}"), loopback("resp"))


def scripted(way: str, *arguments: str, **others: object) -> ServerPlan:
    command = (sys.executable, MISBEHAVING, "{port}", way, *arguments)
    return replace(ServerPlan("odd", command, loopback("resp"), ready_timeout_ns=20_000_000_000), **others)


def with_password(plan: ServerPlan, password: str) -> ServerPlan:
    return replace(plan, target=replace(plan.target, password=password))


def is_over(pid: int, timeout_s: float = 20) -> bool:
    """Waits for a process that need not be a child of this one."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], timeout_s)[0])
    finally:
        os.close(process)


def comes_true(condition: object, timeout_s: float = 20) -> bool:
    """Looks until it does; for what no descriptor tells."""
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def folders() -> set[Path]:
    """Those of managed servers that there are."""
    return set(Path(os.environ["TMPDIR"]).glob("loadgen-*"))


def said(server: ManagedServer, word: str) -> str:
    """What a misbehaving server has printed about itself, as soon as it has."""
    assert comes_true(lambda: any(line.startswith(f"{word} ") for line in server.log_tail()))
    return next(line for line in server.log_tail() if line.startswith(f"{word} ")).partition(" ")[2]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No folder and no process, whatever a test does."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    before = set(psutil.Process().children(recursive=True))
    yield
    assert folders() == set()
    assert set(psutil.Process().children(recursive=True)) - before == set()


# ── It starts, answers and ends ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("plan", "question", "answer"),
    [(REDIS, b"PING\r\n", b"+PONG\r\n"), (MEMCACHED, b"mn\r\n", b"MN\r\n"), (BUILTIN, b"PING\r\n", b"+PONG\r\n")],
    ids=["redis", "memcached", "builtin"],
)
def test_a_server_answers_while_it_is_open_and_is_gone_after(plan, question, answer):
    with ManagedServer(plan) as server:
        watched: WatchedServer = server
        assert ask(server.port, question, b"\r\n") == answer
        assert os.getpgid(server.pid) == server.pid
        assert len(folders()) == 1
        assert (watched.exit_report(), watched.log_errors()) == ("", ())
        assert str(server.endpoint) == f"127.0.0.1:{server.port}"
        assert not server.restarted()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, server.port))
    server.stop()
    assert (server.exit_report(), server.log_errors(), server.usage()) == ("", (), None)


def test_the_word_loadgen_is_this_very_loadgen(tmp_path, monkeypatch):
    impostor = tmp_path / "loadgen"
    impostor.write_text("#!/bin/sh\nexit 9\n")
    impostor.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with ManagedServer(BUILTIN) as server:
        assert b"loadgen_version" in ask(server.port, b"INFO server\r\n", b"uptime_in_seconds")


def test_environment_folder_arguments_and_an_empty_input_reach_the_server(tmp_path):
    env = (("GREETING", "{host}:{port} {json}"),)
    with ManagedServer(scripted("told", "{dir}", "{other}", env=env, cwd=str(tmp_path))) as server:
        [folder] = folders()
        assert said(server, "env") == f"127.0.0.1:{server.port} {{json}}"
        assert said(server, "cwd") == str(tmp_path)
        assert said(server, "arguments") == f"{folder} {{other}}"
        assert said(server, "stdin") == "''"


def test_without_a_folder_given_it_is_started_in_its_own():
    with ManagedServer(scripted("told", env=(("GREETING", ""),))) as server:
        assert Path(said(server, "cwd")) in folders()


def test_a_log_of_ones_own_is_appended_to_and_stays(tmp_path):
    log = tmp_path / "kept.log"
    log.write_text("thread 'main' panicked long ago\n")
    with ManagedServer(scripted("wordy", log=str(log))) as server:
        assert server.log_tail()[0] == "warming up"
        assert len(server.log_errors()) == 1
        assert "index out of bounds" in server.log_errors()[0]
    assert log.read_text().startswith("thread 'main' panicked long ago\nwarming up\n")


def test_a_pattern_of_ones_own_marks_a_line():
    with ManagedServer(scripted("wordy", log_patterns=("^warming",))) as server:
        assert [line.split()[0] for line in server.log_errors()] == ["warming", "thread"]


def test_a_server_that_is_loading_is_waited_for():
    with ManagedServer(scripted("loading")) as server:
        assert ask(server.port, b"PING\r\n", b"\r\n") == b"+PONG\r\n"


def test_a_password_is_given_before_it_is_asked():
    plan = with_password(replace(REDIS, command=(*REDIS.command, "--requirepass", "sesame")), "sesame")
    with ManagedServer(plan) as server:
        assert not server.restarted()
        with pytest.raises(ServerError, match=r"wants another password than target\.password .*WRONGPASS"):
            ManagedServer(with_password(plan, "sesam")).__enter__()
    assert server.exit_report() == ""


@LINUX_ONLY
def test_every_thread_of_a_pinned_server_is_pinned():
    cpu = max(os.sched_getaffinity(0))
    with ManagedServer(replace(MEMCACHED, cpus=(cpu,))) as server:
        threads = [int(thread.name) for thread in Path(f"/proc/{server.pid}/task").iterdir()]
        assert len(threads) > 2
        assert {frozenset(os.sched_getaffinity(thread)) for thread in threads} == {frozenset({cpu})}


# ── It does not start ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (
            replace(REDIS, command=("no-such-server",)),
            r'The program "no-such-server" .* is not in PATH: install it, or write',
        ),
        (replace(REDIS, command=("/no/such/server",)), r"The program /no/such/server of .* is not there: "),
        (replace(REDIS, command=(MISBEHAVING,)), r"misbehaving_server\.py .* cannot be executed: chmod"),
        (replace(REDIS, cwd="/no/such/folder"), r"The folder /no/such/folder of target\.server\.cwd is not there"),
        (replace(REDIS, log="/no/such/folder/log"), r"The log /no/such/folder/log could not be written \(No such file"),
        (replace(REDIS, cpus=(4096,)), r"redis could not be pinned to the CPUs 4096 \(Invalid argument\)"),
        (scripted("exits"), r'odd ended with exit status 7 before .*ready; its log ends with "cannot open the store'),
        (scripted("silently"), r"odd ended with exit status 0 before it was ready; its log is empty\."),
        (scripted("dies"), r"odd was killed by SIGABRT before it was ready"),
        (scripted("background"), r"odd put itself in the background, where it cannot be watched: have it stay"),
        (scripted("garbage"), r'odd answers .*, but not as the protocol resp has it \("HTTP/1\.1 400 Bad Request"\)'),
        (scripted("error"), r'odd answers on 127.* that it serves no requests \("DENIED Redis is running in protected'),
        (scripted("locked"), r'odd wants another password than target\.password .*"NOAUTH Auth'),
        (
            scripted("deaf", ready_timeout_ns=300_000_000),
            r"odd did not answer on 127.* within 300ms \(nothing listens there\): see that its command has \{port\}",
        ),
        (scripted("mute", ready_timeout_ns=5_000_000_000), r"within 5s \(it accepts connections and says nothing\)"),
        (scripted("still-loading", ready_timeout_ns=5_000_000_000), r'within 5s \(it answers "LOADING .*raise'),
        (
            replace(REDIS, target=loopback("memcache")),
            r"but not as the protocol memcache has it \(\"-ERR unknown command",
        ),
        (replace(MEMCACHED, target=loopback("resp")), r"but not as the protocol resp has it \(\"ERROR\"\)"),
        (
            replace(REDIS, command=("redis-server", "--port", "{port}", "--daemonize", "yes", "--dir", "{dir}")),
            "redis put itself in the background",
        ),
        (replace(REDIS, command=("redis-server", "--prot", "1")), r"exit status 1 before .*ready; its log ends with"),
        (replace(REDIS, command=(*REDIS.command, "--requirepass", "x")), r"redis wants another password .*NOAUTH"),
    ],
)
def test_what_keeps_a_server_from_being_ready_is_one_sentence(plan, sentence):
    with pytest.raises(ServerError) as raised:
        ManagedServer(plan).__enter__()
    assert re.search(sentence, str(raised.value)), raised.value
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


def test_a_program_of_another_kind_is_not_executed(tmp_path):
    script = tmp_path / "server"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(ServerError, match=r"could not be executed .*No such file.*first line names its interpreter"):
        ManagedServer(replace(REDIS, command=(str(script),))).__enter__()


def test_the_end_of_the_log_goes_with_the_error():
    with pytest.raises(ServerError) as raised:
        ManagedServer(scripted("exits")).__enter__()
    assert raised.value.log_tail == ("cannot open the store: no such folder",)


def test_a_port_that_is_in_use_is_refused_before_the_start_with_its_holder():
    with RealServer.redis() as holder:
        with pytest.raises(ServerError) as raised:
            ManagedServer(replace(REDIS, target=loopback("resp", holder.port), command=("false",))).__enter__()
        sentence = f"Port {holder.port} of [target.server] is in use by redis-server (pid {holder.pid})"
        assert str(raised.value).startswith(sentence)
        assert ask(holder.port, b"PING\r\n", b"\r\n") == b"+PONG\r\n"


def test_a_port_of_ones_own_is_taken():
    port = free_port()
    with ManagedServer(replace(REDIS, target=loopback("resp", port))) as server:
        assert server.port == port
    # Connections that are being forgotten are in nobody's way.
    with ManagedServer(replace(REDIS, target=loopback("resp", port))) as server:
        assert server.port == port


@pytest.mark.parametrize("plan", [REDIS, BUILTIN, scripted("deaf")], ids=["redis", "builtin", "deaf"])
def test_a_port_that_somebody_took_first_is_left_to_him(plan, monkeypatch):
    with RealServer.redis() as holder:
        free, ports = port_module.free, [holder.port]
        monkeypatch.setattr(port_module, "free", lambda host, distance: ports.pop() if ports else free(host))
        server = ManagedServer(plan)
        if plan.name == "odd":
            # It never listens: only who answers tells that it is not ours.
            monkeypatch.setattr("loadgen.target.server.START_ATTEMPTS", 1)
            with pytest.raises(
                ServerError, match=rf"Another process than odd answers .*redis-server \(pid {holder.pid}"
            ):
                server.__enter__()
        else:
            with server:
                assert server.port != holder.port
                assert ask(server.port, b"PING\r\n", b"\r\n") == b"+PONG\r\n"
        assert not ports


def test_a_stranger_that_does_not_say_who_it_is_is_told_by_its_port(monkeypatch):
    stranger = subprocess.Popen([sys.executable, MISBEHAVING, str(port := free_port()), "good"])
    try:
        assert comes_true(lambda: port_module.is_taken(HOST, port))
        monkeypatch.setattr(port_module, "free", lambda host, distance: port)
        monkeypatch.setattr("loadgen.target.server.START_ATTEMPTS", 1)
        with pytest.raises(ServerError, match=rf"Another process than odd answers .*\(pid {stranger.pid}\)"):
            ManagedServer(scripted("deaf")).__enter__()
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_that_a_server_of_another_protocol_took_after_the_start_is_left_to_it(monkeypatch):
    start, others = ManagedServer._start, []

    def start_and_lose_the_port(server):
        start(server)
        if not others:
            # The times of processes are rounded: the other server is to be the younger one for sure.
            server._began_s -= 60.0
            # The server itself listens only later.
            others.append(subprocess.Popen(["memcached", "-u", "nobody", "-l", HOST, "-p", str(server.port)]))
            assert comes_true(lambda: port_module.is_taken(HOST, server.port))

    monkeypatch.setattr(ManagedServer, "_start", start_and_lose_the_port)
    late = ("sh", "-c", f"sleep 0.5; exec {' '.join(REDIS.command)}")
    try:
        with ManagedServer(replace(REDIS, command=late)) as server:
            assert ask(server.port, b"PING\r\n", b"\r\n") == b"+PONG\r\n"
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_ports_are_tried_a_few_times_only(monkeypatch):
    asked = []
    monkeypatch.setattr(port_module, "free", lambda host, distance: asked.append(host) or free_port())
    with pytest.raises(ServerError, match="Address already in use"):
        ManagedServer(scripted("in-use")).__enter__()
    assert len(asked) == 5


# ── Its files, and its build ────────────────────────────────────────────────────────────────────────────────────────


def test_files_are_there_before_it_starts_with_its_port_and_folder_filled_in():
    conf = 'bind {host}\nport {port}\ndir {dir}\nsave ""\n# {other} é\n'
    plan = replace(REDIS, command=("redis-server", "{dir}/redis.conf"), files=(("redis.conf", conf), ("empty", "")))
    with ManagedServer(plan) as server:
        [folder] = folders()
        assert (folder / "redis.conf").read_text() == (
            f'bind 127.0.0.1\nport {server.port}\ndir {folder}\nsave ""\n# {{other}} é\n'
        )
        assert (folder / "empty").read_bytes() == b""
        assert f"\r\n{folder}\r\n".encode() in ask(server.port, b"CONFIG GET dir\r\n", f"{folder}\r\n".encode())


def test_files_that_cannot_be_written_are_one_sentence():
    with pytest.raises(ServerError, match=r"^The files of \[target\.server\.files\] could not be written .*see that"):
        ManagedServer(replace(REDIS, files=(("x" * 300, ""),))).__enter__()


def built(tmp_path: Path, *build: str, **others: object) -> ServerPlan:
    """A redis-server that is only there when `build`, a shell's text with $0 for its path, has made it."""
    path = str(tmp_path / "made" / "server")
    return replace(REDIS, command=(path, *REDIS.command[1:]), build=("sh", "-c", *build, path), **others)


MAKE = 'mkdir -p "$(dirname "$0")" && ln -s "$(command -v redis-server)" "$0"'


def test_a_program_that_is_not_there_is_built_once_where_loadgen_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told: list[Progress] = []
    plan = built(tmp_path, f"echo built in $PWD >> builds; {MAKE}")
    for _ in range(2):
        with ManagedServer(plan, told.append) as server:
            assert ask(server.port, b"PING\r\n", b"\r\n") == b"+PONG\r\n"
    assert (tmp_path / "builds").read_text() == f"built in {tmp_path}\n"
    assert told[0].note == "building redis, 0 s, limit 30m"


@pytest.mark.parametrize(
    ("build", "others", "sentence"),
    [
        (
            "echo compiling; echo 'error: no such crate' >&2; exit 3",
            {},
            r"^The program /.*/made/server of target\.server\.command is not there, and its build \(sh .*, run in .*\) "
            r'ended with exit status 3 after it had said "compiling / error: no such crate": mend the build, or ',
        ),
        ("kill -9 $$", {}, r"its build .* was killed by SIGKILL.* without a word: mend the build"),
        ("true", {}, r"is not there after its build \(sh -c true .*\) either: name in target\.server\.command what"),
        (
            "echo still at it; sleep 60",
            {"build_timeout_ns": 300_000_000},
            r'^The build of redis \(.*\) was not done within 300ms and was ended after it had said "still at it": ra',
        ),
    ],
)
def test_a_build_that_makes_nothing_is_one_sentence_with_its_last_lines(tmp_path, build, others, sentence):
    with pytest.raises(ServerError, match=sentence) as raised:
        ManagedServer(built(tmp_path, build, **others)).__enter__()
    assert "\n" not in str(raised.value)


def test_a_build_that_is_not_there_is_one_sentence(tmp_path):
    plan = replace(built(tmp_path, ""), build=("no-such-builder",))
    with pytest.raises(
        ServerError, match=r'could not be started: The program "no-such-builder" of target\.server\.build'
    ):
        ManagedServer(plan).__enter__()


def test_a_build_ends_when_whoever_waits_for_it_is_interrupted(tmp_path):
    def interrupt(progress: Progress) -> None:
        if (tmp_path / "begun").exists():
            raise KeyboardInterrupt

    begun = tmp_path / "begun"
    plan = built(tmp_path, f"echo $$ > {begun}.new; mv {begun}.new {begun}; sleep 60")
    with pytest.raises(KeyboardInterrupt):
        ManagedServer(plan, interrupt).__enter__()
    assert is_over(int(begun.read_text()))


# ── It ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_crash_is_its_fate():
    with ManagedServer(scripted("good")) as server:
        with contextlib.suppress(ConnectionError):
            ask(server.port, b"CRASH\r\n", b"\r\n")
        assert comes_true(server.exit_report)
        assert server.exit_report() == "odd was killed by SIGSEGV"
        assert server.usage() is None
    assert server.exit_report() == "odd was killed by SIGSEGV"


def test_a_shutdown_that_somebody_else_asked_for_is_its_fate():
    with ManagedServer(REDIS) as server:
        with contextlib.suppress(ConnectionError):
            ask(server.port, b"SHUTDOWN\r\n", b"\r\n")
        assert comes_true(server.exit_report)
        assert server.exit_report() == "redis ended with exit status 0"
        assert "bye bye" in server.log_tail()[-1]


def test_a_restart_is_seen_by_who_answers():
    command = ("sh", "-c", 'while :; do redis-server --port "$0" --save ""; done', "{port}")
    with ManagedServer(replace(REDIS, command=command)) as server:
        assert not server.restarted()
        with contextlib.suppress(ConnectionError):
            ask(server.port, b"SHUTDOWN\r\n", b"\r\n")
        assert comes_true(server.restarted)
        assert server.exit_report() == ""


def test_a_server_that_ignores_sigterm_is_killed():
    with ManagedServer(scripted("stubborn", stop_timeout_ns=100_000_000)) as server:
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert server.exit_report() == ""


@LINUX_ONLY
def test_a_daemon_that_it_left_behind_is_counted_and_killed():
    with ManagedServer(scripted("daemons", stop_timeout_ns=100_000_000)) as server:
        daemon = int(said(server, "daemon"))
        assert os.getpgid(daemon) == daemon
        assert server.usage().threads == 2
    with pytest.raises(ProcessLookupError):
        os.kill(daemon, 0)


@pytest.mark.parametrize("plan", [REDIS, MEMCACHED, scripted("stubborn", stop_timeout_ns=100_000_000)])
def test_a_paused_server_uses_no_cpu_and_can_be_stopped(plan):
    with ManagedServer(plan) as server:
        server.pause()
        server.pause()
        assert psutil.Process(server.pid).status() == psutil.STATUS_STOPPED
        before = server.usage()
        with socket.create_connection((HOST, server.port)) as connection:
            connection.sendall(b"PING\r\nquit\r\n")
            assert (server.usage() - before).cpu_ns == 0
            server.resume()
            assert connection.recv(1)
        server.pause()
    assert is_over(server.pid)


def test_a_paused_server_ends_in_good_order():
    with ManagedServer(REDIS) as server:
        server.pause()
    assert "bye bye" in server.log_tail()[-1]


def test_ctrl_c_at_the_terminal_reaches_neither_server_nor_keeper():
    with ManagedServer(REDIS) as server:
        keeper = psutil.Process(server.pid).ppid()
        assert os.getsid(server.pid) == os.getsid(keeper) == keeper != os.getsid(0)


@pytest.mark.parametrize("state", ["runs", "paused", "stubborn"])
def test_nothing_is_left_when_loadgen_is_killed(state):
    plan = scripted("daemons" if state == "runs" else "stubborn", stop_timeout_ns=100_000_000)
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, psutil\n"
            "from loadgen.target.server import ManagedServer\n"
            "from loadgen.plan import Endpoint, MemcacheWire, Target\n"
            "from loadgen.server_plan import ServerPlan\n"
            "from loadgen.surroundings import Surroundings\n"
            f"with ManagedServer({plan!r}) as server:\n"
            f"    if {state == 'paused'}:\n"
            "        server.pause()\n"
            "    print(server.pid, psutil.Process(server.pid).ppid(), server.port, flush=True)\n"
            "    input()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        pid, keeper, port = map(int, parent.stdout.readline().split())
        started = psutil.Process(keeper).children(recursive=True)
        assert {process.pid for process in started} >= {pid}
        assert len(folders()) == 1
        parent.kill()
        assert is_over(keeper)
    assert [process.pid for process in started if process.is_running()] == []
    assert folders() == set()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))


def test_a_stopped_loadgen_costs_its_keeper_nothing():
    with ManagedServer(REDIS) as server:
        keeper = ProcessTree(psutil.Process(server.pid).ppid())
        # Nobody hears the keeper now, as if loadgen had been stopped.
        with contextlib.suppress(ConnectionError):
            ask(server.port, b"SHUTDOWN\r\n", b"\r\n")
        assert is_over(server.pid)

        def rests() -> bool:
            before = keeper.usage()
            time.sleep(0.1)
            return (keeper.usage() - before).cpu_ns == 0

        assert comes_true(rests)


@LINUX_ONLY
@pytest.mark.parametrize("plan", [REDIS, MEMCACHED], ids=["redis", "memcached"])
def test_a_server_whose_keeper_is_killed_ends_with_it(plan):
    with ManagedServer(plan) as server:
        os.kill(psutil.Process(server.pid).ppid(), signal.SIGKILL)
        if plan is REDIS:
            # At once. As root, memcached becomes nobody, and then is told nothing of its parent's death: that is ours.
            assert is_over(server.pid)
        assert comes_true(server.exit_report)
        assert server.exit_report() == f"{plan.name} was killed, as the process that kept it was"
        assert is_over(server.pid)


def test_the_next_run_removes_the_folder_of_one_that_was_killed_with_its_keeper():
    with (
        ManagedServer(REDIS) as alive,
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import psutil\n"
                "from loadgen.target.server import ManagedServer\n"
                "from loadgen.plan import Endpoint, MemcacheWire, Target\n"
                "from loadgen.server_plan import ServerPlan\n"
                "from loadgen.surroundings import Surroundings\n"
                f"with ManagedServer({REDIS!r}) as server:\n"
                "    print(server.pid, psutil.Process(server.pid).ppid(), flush=True)\n"
                "    input()\n",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as parent,
    ):
        [own] = before = folders()
        pid, keeper = map(int, parent.stdout.readline().split())
        [dead] = folders() - before
        # The other one first, or it would remove the folder.
        parent.send_signal(signal.SIGSTOP)
        os.kill(keeper, signal.SIGKILL)
        parent.kill()
        assert is_over(keeper)
        assert is_over(pid)
        parent.wait()
        assert folders() == {own, dead}
        with ManagedServer(REDIS):
            assert dead not in folders()
            assert len(folders()) == 2
            assert own in folders()
        assert ask(alive.port, b"PING\r\n", b"\r\n") == b"+PONG\r\n"


def test_only_folders_of_ours_that_nobody_holds_are_removed(tmp_path):
    tmp, elsewhere = Path(os.environ["TMPDIR"]), tmp_path / "elsewhere"

    def placed(name: str, mark: str = ".loadgen") -> Path:
        (tmp / name).mkdir()
        (tmp / name / mark).touch()
        return tmp / name

    abandoned = placed("loadgen-redis-0123456789ab")
    (abandoned / "data").mkdir()
    (abandoned / "data" / "link").symlink_to(tmp_path)
    kept = [
        placed("loadgen-redis-0123456789ac", "unmarked"),
        placed("loadgen-redis-0123456789abc"),
        placed("other-redis-0123456789ab"),
        in_use := placed("loadgen-in-use-0123456789ab"),
        foreign := placed("loadgen-foreign-0123456789ab"),
        linked := placed("loadgen-linked-0123456789ab", "unmarked"),
        fifo := placed("loadgen-fifo-0123456789ab", "unmarked"),
    ]
    elsewhere.mkdir()
    (elsewhere / ".loadgen").touch()
    (link := tmp / "loadgen-link-0123456789ab").symlink_to(elsewhere)
    (linked / ".loadgen").symlink_to(elsewhere / ".loadgen")
    os.mkfifo(fifo / ".loadgen")
    if os.geteuid() == 0:
        os.chown(foreign / ".loadgen", 12345, 12345)
    else:
        (foreign / ".loadgen").unlink()
    with (in_use / ".loadgen").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        folder.remove_abandoned()
        assert set(tmp.iterdir()) == {*kept, link}
    assert (elsewhere / ".loadgen").exists()
    for path in (*kept, link):
        path.unlink() if path.is_symlink() else shutil.rmtree(path)


def test_whoever_ends_the_keeper_ends_the_server():
    with ManagedServer(REDIS) as server:
        os.kill(psutil.Process(server.pid).ppid(), signal.SIGTERM)
        assert is_over(server.pid)
        assert comes_true(server.exit_report)


# ── What it uses ────────────────────────────────────────────────────────────────────────────────────────────────────


def redis_cpu_s(server: ManagedServer) -> float:
    info = ask(server.port, b"INFO cpu\r\n", b"used_cpu_user_main_thread")
    return sum(float(re.search(rb"used_cpu_%b:([\d.]+)" % name, info)[1]) for name in (b"sys", b"user"))


def memcached_cpu_s(server: ManagedServer) -> float:
    stats = ask(server.port, b"stats\r\n", b"END\r\n")
    return sum(float(re.search(rb"STAT rusage_%b ([\d.]+)" % name, stats)[1]) for name in (b"user", b"system"))


@pytest.mark.parametrize(
    ("plan", "own_account_s", "work"),
    [(REDIS, redis_cpu_s, b"PING\r\n" * 20000), (MEMCACHED, memcached_cpu_s, b"mn\r\n" * 20000)],
    ids=["redis", "memcached"],
)
def test_cpu_time_is_what_the_server_itself_counts(plan, own_account_s, work):
    with ManagedServer(plan) as server:
        with socket.create_connection((HOST, server.port)) as connection:
            connection.sendall(work)
            left = len(b"+PONG\r\n" if plan is REDIS else b"MN\r\n") * 20000
            while left:
                left -= len(connection.recv(65536))
        before = server.usage().cpu_ns / 1e9
        own = own_account_s(server)
        after = server.usage().cpu_ns / 1e9
        # The server's own account of a thread that runs on is a tick old at most, of 4 threads.
        assert before - 0.04 <= own <= after + 0.001
        assert before > 0


def test_children_that_have_ended_are_counted():
    with ManagedServer(scripted("good")) as server:
        before = server.usage()
        ask(server.port, b"BURN\r\n", b"\r\n")
        # They are known in ticks, of user and of system time.
        assert (server.usage() - before).cpu_ns >= (BURNT_S - 0.02) * 1e9


@LINUX_ONLY
def test_orphans_that_have_ended_are_counted():
    with ManagedServer(scripted("good")) as server:
        ask(server.port, b"ORPHAN\r\n", b"\r\n")
        keeper = psutil.Process(server.pid).ppid()
        assert comes_true(lambda: len(psutil.Process(keeper).children()) == 1)
        # Nobody looked while it lived.
        assert server.usage().cpu_ns >= (BURNT_S - 0.02) * 1e9 + psutil.Process(server.pid).cpu_times().user * 1e9


def test_memory_threads_and_files_are_the_systems():
    with ManagedServer(REDIS) as server, socket.create_connection((HOST, server.port)):
        ask(server.port, b"PING\r\n", b"\r\n")
        usage, process = server.usage(), psutil.Process(server.pid)
        assert usage.rss_bytes == pytest.approx(process.memory_info().rss, rel=0.1)
        assert usage.threads == process.num_threads()
        assert abs(usage.fds - process.num_fds()) <= 1
        assert server.usage().at_ns > usage.at_ns


def test_what_a_wrapper_starts_is_counted():
    command = ("sh", "-c", 'redis-server --port "$0" --save "" & wait', "{port}")
    with ManagedServer(replace(REDIS, command=command)) as server:
        redis = server._instance.pid
        assert redis != server.pid
        assert server.usage().rss_bytes > psutil.Process(redis).memory_info().rss
    assert is_over(redis)


def test_the_embedded_server_is_watched_too():
    with built_in() as server:
        watched: WatchedServer = server
        usage = watched.usage()
        assert usage.cpu_ns > 0
        assert usage.rss_bytes == pytest.approx(psutil.Process(server.pid).memory_info().rss, rel=0.1)
        assert (watched.name, watched.exit_report(), watched.log_errors()) == ("loadgen serve", "", ())
        os.kill(server.pid, signal.SIGKILL)
        assert comes_true(watched.exit_report)
        assert watched.exit_report().startswith("loadgen serve was killed by SIGKILL")
        assert watched.usage() is None
    with built_in() as server:
        pass
    assert server.exit_report() == ""


def test_a_server_that_takes_long_to_be_ready_is_said_to_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.target.server._LONG_WAIT_S", 0.1)
    told: list[Progress] = []
    with pytest.raises(ServerError, match=r"raise target\.server\.ready_timeout"):
        ManagedServer(scripted("still-loading", ready_timeout_ns=400_000_000), told.append).__enter__()
    assert told
    assert all(event.phase == "ready" and event.done <= event.total == 400_000_000 for event in told)
    assert re.fullmatch(r"waiting for odd to be ready, \d s, limit 0\.4 s", told[0].note)
