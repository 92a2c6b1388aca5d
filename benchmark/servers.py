"""The servers under load: redis-server and memcached, on a free port, pinned, filled, ended by their own pid.

This file knows as much of both protocols as it takes to write keys and read counters, and nothing of generators.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import BenchmarkError, pinned

HOST = "127.0.0.1"
START_TIMEOUT_S = 20.0
START_ATTEMPTS = 5
"""A free port is only free until someone else takes it."""

MOST_CONNECTIONS = 12_000
PROGRAMS = {"redis": "redis-server", "memcached": "memcached"}
WRITTEN_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Server:
    kind: str
    """`redis` or `memcached`."""
    port: int

    @property
    def protocol(self) -> str:
        """As loadgen calls it."""
        return "memcache" if self.kind == "memcached" else "resp"

    def fill(self, keys: Iterable[str], value_bytes: int) -> None:
        """Writes every key, with a value of so many bytes."""
        value = b"v" * value_bytes
        names = [key.encode() for key in keys]
        if self.kind == "redis":
            good, requests = b"+OK\r\n", [resp(b"SET", name, value) for name in names]
        else:
            good, requests = b"STORED\r\n", [b"set %s 0 0 %d\r\n%s\r\n" % (n, value_bytes, value) for n in names]
        with connected(self.port) as connection:
            for first in range(0, len(requests), WRITTEN_AT_ONCE):
                some = requests[first : first + WRITTEN_AT_ONCE]
                connection.sendall(b"".join(some))
                answer = read_exactly(connection, len(good) * len(some))
                if answer != good * len(some):
                    raise BenchmarkError(f"{PROGRAMS[self.kind]} did not store a key: {answer[:100]!r}")

    def misses(self) -> int:
        """How many GETs have not found their key since it started."""
        if self.kind == "redis":
            return counter(self.port, resp(b"INFO", b"stats"), b"keyspace_misses:")
        return counter(self.port, b"stats\r\n", b"STAT get_misses ")


def installed(kind: str) -> bool:
    return shutil.which(PROGRAMS[kind]) is not None


@contextlib.contextmanager
def started(kind: str, cpu: int | None, more: Sequence[str] = ()) -> Iterator[Server]:
    """A server of the given kind, with these options more. Raises BenchmarkError when it does not start."""
    with tempfile.TemporaryDirectory(prefix="loadgen-bench-") as folder:
        # memcached gives up root, so its working folder must be open to others.
        Path(folder).chmod(0o755)
        for _ in range(START_ATTEMPTS):
            port = free_port()
            with pinned(cpu):
                process = subprocess.Popen(
                    [*command(kind, port, folder), *more],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            try:
                if answers(kind, port, process):
                    yield Server(kind, port)
                    return
            finally:
                process.kill()
                process.wait()
    raise BenchmarkError(f"{PROGRAMS[kind]} did not start in {START_ATTEMPTS} attempts")


def command(kind: str, port: int, folder: str) -> list[str]:
    most = str(MOST_CONNECTIONS)
    if kind == "redis":
        alone = ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        return ["redis-server", "--port", str(port), "--bind", HOST, "--dir", folder, "--maxclients", most, *alone]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    return ["memcached", "-l", HOST, "-p", str(port), "-U", "0", "-t", "1", "-m", "1024", "-c", most, *user]


def answers(kind: str, port: int, process: subprocess.Popen[bytes]) -> bool:
    """Waits until the server answers on the port, and until it is this very process that does."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if kind == "redis":
                return counter(port, resp(b"INFO", b"server"), b"process_id:") == process.pid
            return counter(port, b"stats\r\n", b"STAT pid ") == process.pid
        except (OSError, BenchmarkError):
            time.sleep(0.01)
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=10)


def counter(port: int, question: bytes, before: bytes) -> int:
    """The number behind `before` in what a server answers."""
    with connected(port) as connection:
        connection.sendall(question)
        answer = b""
        while before not in answer or b"\r\n" not in answer.split(before)[1]:
            received = connection.recv(65536)
            if not received:
                raise BenchmarkError(f"the server closed the connection after {answer[-100:]!r}")
            answer += received
    return int(answer.split(before)[1].split()[0])


def read_exactly(connection: socket.socket, length: int) -> bytes:
    answer = b""
    while len(answer) < length:
        received = connection.recv(length - len(answer))
        if not received:
            break
        answer += received
    return answer


def resp(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
