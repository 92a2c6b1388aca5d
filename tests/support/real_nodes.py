"""Several real redis-servers that know of each other: what clusters and sentinels are made of."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import hiredis
from left_behind import Guard
from plain_client import PlainClient
from real_servers import HOST, RealServer

WAIT_S = 30.0


def quiet_port() -> int:
    """A free loopback port that no outgoing connection takes, so that a node can be started on it again."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(10_000, first)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def wait_until(reached: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> None:
    """Returns as soon as `reached()` is true. A node that does not answer has not reached anything yet."""
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(hiredis.ReplyError, OSError):
            if reached():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.01)


@dataclass(frozen=True)
class Tls:
    """Files in PEM: the server's certificate and key, and the authority that clients and nodes believe."""

    certificate: Path
    key: Path
    authority: Path
    clients_have_certificates: bool = False

    def words(self) -> list[str]:
        """The options of redis-server, which has TLS to its master and to its cluster, too."""
        words = ["--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)]
        words += ["--tls-ca-cert-file", str(self.authority), "--tls-replication", "yes", "--tls-cluster", "yes"]
        return [*words, "--tls-auth-clients", "yes" if self.clients_have_certificates else "no"]

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority))
        context.check_hostname = False
        if self.clients_have_certificates:
            context.load_cert_chain(self.certificate, self.key)
        return context


class RealNode(RealServer):
    """One redis-server without persistence on a port that stays its own, perhaps with a password or with TLS.

    It is started by `begin` and `wait_to_answer`, or by `start`, which is both.
    """

    def __init__(self, folder: Path, *args: str, password: str = "", tls: Tls | None = None) -> None:
        super().__init__("redis-server", self._words, lambda port: int(self.info()["process_id"]))
        self.folder = folder
        self.port = quiet_port()
        self.name = ""
        """The id by which its cluster knows it."""
        self._options = list(args)
        self._password, self._tls = password, tls
        self._asked: PlainClient | None = None

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _words(self, port: int, folder: Path) -> list[str]:
        words = ["--bind", HOST, "--dir", str(folder), "--save", "", "--appendonly", "no", "--daemonize", "no"]
        words += ["--repl-diskless-sync-delay", "0", "--repl-diskless-load", "swapdb"]
        words += ["--port", "0", "--tls-port", str(port), *self._tls.words()] if self._tls else ["--port", str(port)]
        if self._password:
            words += ["--requirepass", self._password, "--masterauth", self._password]
        return [*words, *self._options]

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, *words: str | bytes | int) -> Any:
        """The reply on the surroundings' own connection. Raises hiredis.ReplyError, OSError."""
        return self._asking(lambda client: client.ask(*words))

    def ask_all(self, commands: list[tuple[str | bytes | int, ...]]) -> list[Any]:
        """The replies to several commands; raises the first error among them."""
        replies: list[Any] = self._asking(lambda client: client.ask_all(commands))
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise reply
        return replies

    def text(self, *words: str | bytes | int) -> str:
        return str(self.ask(*words).decode())

    def _asking(self, question: Callable[[PlainClient], Any]) -> Any:
        if self._asked is None:
            context = self._tls.context() if self._tls else None
            self._asked = PlainClient(self.host, self.port, self._password, context)
        try:
            return question(self._asked)
        except OSError:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        if self._asked is not None:
            self._asked.close()
            self._asked = None

    def info(self, *sections: str) -> dict[str, str]:
        """INFO as a mapping; a row such as `cmdstat_get` is the text after its colon."""
        lines = self.text("INFO", *sections).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def commandstats(self, field: str = "calls") -> dict[str, int]:
        """How often each command was called, by its lower-case name.

        `rejected_calls` counts those that were refused before they ran, which a redirect is, too.
        """
        rows = self.info("commandstats").items()
        return {name.removeprefix("cmdstat_"): int(re.findall(rf"\b{field}=(\d+)", row)[0]) for name, row in rows}

    # ── The process ─────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        self.begin()
        self.wait_to_answer()

    def begin(self) -> None:
        """Starts the process on its port and does not wait for it."""
        self._spawn(self.port)

    def wait_to_answer(self) -> None:
        if not self._answers(self.port):
            self.kill()
            raise RuntimeError(f"redis-server did not start on port {self.port}:\n{self.log()}")

    def pause(self) -> None:
        """Stops the process where it is: its connections stay open, and nothing is answered until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        self._hang_up()
        super()._end(number)


class Nodes:
    """Nodes in one temporary folder, as a context manager: `_form` starts them, and nothing is left at the end."""

    def __init__(self) -> None:
        self.folder = Path()
        self._placed: list[RealNode] = []
        self._guard: Guard | None = None

    def _place(self, *args: str, password: str = "", tls: Tls | None = None) -> RealNode:
        """A node with a folder of its own, not started."""
        return self._placed_in(lambda folder: RealNode(folder, *args, password=password, tls=tls))

    def _placed_in(self, made: Callable[[Path], RealNode]) -> RealNode:
        folder = self.folder / str(len(self._placed))
        folder.mkdir()
        self._placed.append(made(folder))
        return self._placed[-1]

    def _form(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="real-servers-"))
        self._guard = Guard(self.folder)
        try:
            self._form()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for node in self._placed:
            # Nobody needs their data, and one that ends in order waits for its replicas.
            node.kill()
            node.close()
        self._placed.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._guard is not None:
            self._guard.leave()
