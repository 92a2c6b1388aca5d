"""The built-in server as a process, of `loadgen serve` and of a run: it starts, prints its address and stops."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys

import pytest
from builtin_servers import HOST, built_in, converse
from real_servers import ask

from loadgen.cli.options import parse
from loadgen.cli.verbs import serve
from loadgen.errors import TargetError

QUESTIONS = {"resp": (b"PING\r\n", b"+PONG\r\n"), "memcache": (b"get k\r\n", b"END\r\n")}


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


@contextlib.contextmanager
def serving(*options: str, stdin: int = subprocess.DEVNULL):
    """A `loadgen serve` process and its first line, or b"" when it ended without."""
    with subprocess.Popen(
        [sys.executable, "-m", "loadgen", "serve", *options],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("protocol", QUESTIONS)
def test_the_embedded_server_answers_while_it_is_open_and_is_gone_after(protocol):
    question, answer = QUESTIONS[protocol]
    with built_in(protocol) as server:
        assert ask(server.port, question, b"\r\n") == answer
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, server.port))


def test_two_embedded_servers_are_two():
    with built_in() as one, built_in() as two:
        assert one.port != two.port
        assert ask(one.port, b"SET k 1\r\n", b"\r\n") == b"+OK\r\n"
        assert ask(two.port, b"GET k\r\n", b"\r\n") == b"$-1\r\n"


def test_memory_and_eviction_reach_the_server():
    with built_in("resp", max_memory_bytes=12345678, eviction="fifo") as server:
        assert b"12345678" in converse(server.port, b"CONFIG GET maxmemory\r\nQUIT\r\n")
        assert b"allkeys-fifo" in converse(server.port, b"CONFIG GET maxmemory-policy\r\nQUIT\r\n")


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process that is no child")
def test_the_server_ends_when_its_parent_is_killed():
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\n"
            "from loadgen.server_plan import builtin\n"
            "from loadgen.target.server import ManagedServer\n"
            "with ManagedServer(builtin()) as server:\n"
            "    print(server.pid, flush=True)\n"
            "    input()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    assert is_over(child)
    parent.stdin.close()
    parent.stdout.close()


def test_ctrl_c_at_the_terminal_does_not_reach_the_embedded_server():
    with built_in() as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_server_that_does_not_start_says_why_in_one_sentence():
    sentence = r"loadgen serve ended with exit status 2 before it was ready; its log ends with \"[^\n]*gopher[^\n]*\"\."
    with pytest.raises(TargetError, match=f"^{sentence}$"), built_in(options=["--eviction", "gopher"]):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_serve_says_where_it_listens_and_ends_with_0_when_signalled(loop, number):
    with serving("--port", "0", "--max-memory", "64mb", "--loop", loop) as (process, line):
        head, _, tail = line.decode().partition(f"listening on {HOST}:")
        assert head == "loadgen built-in server (resp) "
        assert tail.endswith(", 64 MiB, lru; Ctrl-C stops it\n")
        with socket.create_connection((HOST, int(tail.split(",")[0])), timeout=10) as still_open:
            still_open.sendall(b"PING\r\n")
            assert still_open.recv(100) == b"+PONG\r\n"
            process.send_signal(number)
            assert process.communicate(timeout=20) == (b"", b"")
            assert process.returncode == 0
            assert still_open.recv(100) == b""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_large_replies_arrive_whole_on_either_loop(loop):
    value = bytes(range(256)) * 2000
    request = b"set k 0 0 %d\r\n%b\r\n" % (len(value), value) + b"get k k k k k k k k k k\r\n" * 10 + b"quit\r\n"
    expected = b"STORED\r\n" + ((b"VALUE k 0 %d\r\n%b\r\n" % (len(value), value)) * 10 + b"END\r\n") * 10
    with serving("--port", "0", "--loop", loop, "--protocol", "memcache") as (_, line):
        assert converse(int(line.split(b":")[1].split(b",")[0]), request) == expected


def test_a_port_in_use_is_one_sentence_and_exit_3():
    with socket.create_server((HOST, 0)) as taken, serving("--port", str(taken.getsockname()[1])) as (process, line):
        _, complaint = process.communicate(timeout=20)
    assert (process.returncode, line) == (3, b"")
    assert b"in use" in complaint
    assert complaint.count(b"\n") == 1


@pytest.mark.parametrize(
    "options",
    [["--port", "65536"], ["--port", "-1"], ["--max-memory", "0"], ["--max-memory", "lots"], ["--eviction", "random"]],
)
def test_a_wrong_option_is_exit_2(options):
    with serving(*options) as (process, line):
        assert (process.wait(20), line) == (2, b"")


@pytest.mark.parametrize(
    ("text", "size"), [("256mb", 256 << 20), ("1gb", 1 << 30), ("10kb", 10 << 10), ("1MiB", 1 << 20), ("1MB", 1000000)]
)
def test_sizes_are_read_as_everywhere_and_as_in_redis_conf(text, size):
    assert parse(serve.SYNTAX, ["--max-memory", text]).max_memory == size


def test_stop_at_eof_ends_the_server():
    with serving("--port", "0", "--stop-at-eof", stdin=subprocess.PIPE) as (process, _):
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(20) == 0


def test_stop_at_eof_needs_a_pipe():
    # /dev/null is at its end from the start, and cannot be waited for.
    with serving("--port", "0", "--stop-at-eof") as (process, _):
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 3
    assert complaint == b"loadgen: --stop-at-eof needs a pipe as standard input.\n"
