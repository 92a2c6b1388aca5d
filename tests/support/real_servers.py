"""Real redis-server and memcached processes for tests: on a free port, ready when they answer, killed by their own pid.

    with RealServer.redis("--maxmemory", "10mb") as server:
        server.redis().ping()

Arguments after the first are the server's own and win over the defaults here. Knows nothing of `loadgen`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import redis as redis_py
from left_behind import Guard

HOST = "127.0.0.1"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
START_ATTEMPTS = 5
"""A free port is only free until someone else takes it: a server that could not bind is started again on another."""


def free_port() -> int:
    """A loopback TCP port that nothing listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def ask(port: int, request: bytes, end: bytes, timeout_s: float = 20.0) -> bytes:
    """Sends `request` on a connection of its own and returns what comes back, up to and including `end`."""
    with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
        connection.sendall(request)
        answer = b""
        while end not in answer:
            received = connection.recv(65536)
            if not received:
                raise ConnectionError(f"closed after {answer!r}")
            answer += received
        return answer


def _redis_pid(port: int) -> int:
    answer = ask(port, b"INFO server\r\n", b"executable:")
    return int(answer.split(b"process_id:")[1].split()[0])


def _memcached_pid(port: int) -> int:
    return int(ask(port, b"stats\r\n", b"END\r\n").split(b"STAT pid ")[1].split()[0])


class RealServer:
    """One server process, as a context manager. Inside, `stop` (or `kill`) and `start` restart it on the same port.

    `stop` asks by SIGTERM, then kills; `kill` is SIGKILL at once, for tests of a server that dies.
    """

    def __init__(
        self,
        program: str,
        arguments: Callable[[int, Path], list[str]],
        pid_of: Callable[[int], int],
        env: Mapping[str, str] | None = None,
    ) -> None:
        path = shutil.which(program)
        if path is None:
            pytest.skip(f"{program} is not installed")
        self._path = path
        self._arguments = arguments
        self._pid_of = pid_of
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Any] = []
        self._guard: Guard | None = None
        self.host = HOST
        self.port = 0
        self.folder = Path()
        """The server's working folder, from `__enter__` to `__exit__`; `log.txt` in it has what the server printed."""
        # On the class, `redis` makes a server; on a server it makes a client.
        self.redis = self.client  # type: ignore[assignment]

    @classmethod
    def redis(cls, *args: str) -> RealServer:
        """A redis-server without persistence; `args` are more of its options, such as `"--maxmemory", "10mb"`."""

        def arguments(port: int, folder: Path) -> list[str]:
            given = ["--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", "", "--appendonly", "no"]
            return [*given, "--daemonize", "no", *args]

        return cls("redis-server", arguments, _redis_pid)

    @classmethod
    def memcached(
        cls, *args: str, pid_of: Callable[[int], int] | None = None, env: Mapping[str, str] | None = None
    ) -> RealServer:
        """A memcached with one thread; `args` are more of its options, such as `"-m", "64"`.

        `pid_of` asks one that wants a log-in which process it is; `env` are more variables of its environment.
        """

        def arguments(port: int, folder: Path) -> list[str]:
            user = ["-u", "nobody"] if os.geteuid() == 0 else []
            return ["-l", HOST, "-p", str(port), "-U", "0", "-t", "1", *user, *args]

        return cls("memcached", arguments, pid_of or _memcached_pid, env)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def client(self, **options: Any) -> Any:
        """A redis-py client of this server, closed with it; `options` are those of `redis.Redis`."""
        client = redis_py.Redis(HOST, self.port, **{"socket_timeout": 10, **options})
        self._clients.append(client)
        return client

    def start(self) -> None:
        """Starts the server and waits until it answers, and until it is this very process that answers."""
        for _ in range(START_ATTEMPTS):
            port = self.port or free_port()
            self._spawn(port)
            if self._answers(port):
                self.port = port
                return
            self.kill()
        raise RuntimeError(f"{self._path} did not start:\n{self.log()}")

    def _spawn(self, port: int) -> None:
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [self._path, *self._arguments(port, self.folder)],
                cwd=self.folder,
                env={**os.environ, **(self._env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _answers(self, port: int) -> bool:
        process = self._process
        assert process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                return self._pid_of(port) == process.pid
            except (OSError, IndexError):  # Not listening yet, or something else than such a server has the port.
                time.sleep(0.01)
        return False

    def log(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the server is not running")
        self._process.send_signal(number)

    def close(self) -> None:
        """Closes the clients and stops the server."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        self.stop()

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # A stopped process (SIGSTOP) would not see SIGTERM.
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="real-server-"))
        # memcached gives up root, so the folder it works in must be open to others.
        self.folder.chmod(0o755)
        self._guard = Guard(self.folder)
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._guard is not None:
            self._guard.leave()
