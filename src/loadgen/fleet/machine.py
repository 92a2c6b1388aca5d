"""The process of an agent: its sockets, its clock, its workers, and the lock of each run on this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import selectors
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from loadgen.errors import WorkerError
from loadgen.fleet.agent import Agent
from loadgen.fleet.introduction import Introduction, nonce
from loadgen.fleet.seed_messages import Answer, Unable
from loadgen.fleet.seed_messages import Order as SeedOrder
from loadgen.fleet.seed_processes import SeedProcesses
from loadgen.host import machine
from loadgen.selftest import reach
from loadgen.signs import HostSigns
from loadgen.units import NS_PER_S
from loadgen.version import __version__
from loadgen.worker.messages import Failed, Hello, Order
from loadgen.worker.process import MessageProcess, WorkerProcess

READ_BYTES = 1 << 20

FLUSHED_WITHIN_S = 2.0
"""The time that a leader has to take an agent's last words."""

FORGOTTEN_AFTER_S = 7 * 24 * 3600.0
"""The age from which the lock of a run is removed: by then, nothing of that run is left that could start it again."""


def introduction(name: str, token: str) -> Introduction:
    """Return what an agent says of itself and of this machine."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    kept = reach.kept(__version__)
    deepest = kept.reaches[-1] if kept is not None and kept.reaches else None
    return Introduction(
        version=__version__,
        python=platform.python_version(),
        host=name or socket.gethostname(),
        boot=machine.boot(),
        pid=os.getpid(),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        open_files=0 if hard == resource.RLIM_INFINITY else hard,
        clock_ns=time.monotonic_ns(),
        wall_s=time.time(),
        closed_per_s=deepest.closed_per_s if deepest is not None else 0.0,
        open_per_s=deepest.open_per_s if deepest is not None else 0.0,
        taken=kept.taken if kept is not None else "",
        has_token=int(bool(token)),
        nonce=nonce(),
    )


def locks() -> Path:
    """Return the folder of this user's locks, which is made where it is missing."""
    folder = machine.state_directory()
    folder = folder / "runs" if folder is not None else Path(tempfile.gettempdir(), f"loadgen-runs-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def lock(run: str, rank: int) -> str:
    """Take a rank of a run on this machine for ever. Return why it cannot be taken, after an agent's name; or nothing.

    The file stays: whoever starts an agent a second time, as schedulers of tasks do, must not have it fire again.
    """
    try:
        folder = locks()
        for old in folder.glob("*.lock"):
            with contextlib.suppress(OSError):
                if time.time() - old.stat().st_mtime > FORGOTTEN_AFTER_S:
                    old.unlink()
        os.close(os.open(folder / f"{run}-{rank}.lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return "has had this rank of the run before, and no load is fired twice"
    except OSError as error:
        return f"cannot write its lock ({error.filename}: {error.strerror}), without which load could be fired twice"
    return ""


def _seed_process() -> MessageProcess:
    return MessageProcess(
        # It is above this room, as it reads a verb's command line.
        "loadgen.cli.seed_process",
        "A process for seeds",
        "free some memory or raise the limit on processes (ulimit -u), or use fewer (--processes).",
    )


class Shell:
    """One conversation with one leader, on a socket. `run` returns how it ended, in words after the agent's name."""

    def __init__(self, channel: socket.socket, introduction: Introduction, token: str) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, WorkerProcess] = {}
        self._seeds = SeedProcesses(_seed_process)
        self._seed_files: dict[int, int] = {}
        """By descriptor that is watched, the number of the process that runs seeds."""
        self._out = bytearray()
        self._agent = Agent(self, introduction, token, time.monotonic_ns())

    def run(self) -> str:
        """Converse until the end."""
        self._selector.register(self._channel, selectors.EVENT_READ, None)
        self._agent.begin()
        try:
            while not self._agent.over:
                due_ns = self._agent.tick(time.monotonic_ns())
                for key, events in self._selector.select(max(0, due_ns - time.monotonic_ns()) / NS_PER_S):
                    if self._agent.over:
                        break
                    if key.fd in self._seed_files:
                        self._hear_seeds(key.fd)
                    elif key.data is not None:
                        self._hear(key.data)
                    elif events & selectors.EVENT_READ:
                        self._read()
                self._flush()
            return self._agent.over
        finally:
            self.end()
            self._linger()
            self._selector.close()
            self._channel.close()

    def _read(self) -> None:
        try:
            data = self._channel.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._agent.received(data, time.monotonic_ns())
        else:
            self._agent.leader_gone()

    def _hear(self, index: int) -> None:
        worker = self._workers.get(index)
        if worker is None:
            return
        try:
            message = worker.hear()
        except EOFError as ended:
            self._selector.unregister(worker)
            del self._workers[index]
            self._agent.worker_ended(index, str(ended))
            return
        self._agent.worker_said(index, message)
        if isinstance(message, Failed):
            self._agent.worker_ended(index, "failed")

    def _hear_seeds(self, file: int) -> None:
        try:
            answer: Answer = self._seeds.hear(self._seed_files[file])
        except WorkerError as error:
            answer = Unable(str(error))
        self._watch_seeds()
        self._agent.seeds_said(answer)

    def _watch_seeds(self) -> None:
        """Watch the descriptors of the processes that run seeds: one that has ended has closed its own."""
        before, self._seed_files = self._seed_files, self._seeds.filenos()
        # A follower may have the number of the descriptor of the process that has ended.
        for file, _ in before.items() - self._seed_files.items():
            self._selector.unregister(file)
        for file, _ in self._seed_files.items() - before.items():
            self._selector.register(file, selectors.EVENT_READ)

    def _flush(self) -> None:
        try:
            if self._out:
                del self._out[: self._channel.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            self._out.clear()
            self._agent.leader_gone()
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        with contextlib.suppress(KeyError):
            self._selector.modify(self._channel, events)

    def _linger(self) -> None:
        """Give the leader the last words, if it takes them."""
        with contextlib.suppress(OSError):
            self._channel.settimeout(FLUSHED_WITHIN_S)
            self._channel.sendall(self._out)

    # ── An agent's hands ────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> None:
        self._out += data
        self._flush()

    def lock(self, run: str, rank: int) -> str:
        return lock(run, rank)

    def start(self, hello: Hello) -> None:
        [index] = hello.workers
        worker = WorkerProcess(hello.plan, index)
        self._workers[index] = worker
        self._selector.register(worker, selectors.EVENT_READ, index)
        worker.tell(hello)

    def tell(self, order: Order) -> None:
        for worker in self._workers.values():
            worker.tell(order)

    def seeds(self, order: SeedOrder) -> None:
        try:
            self._seeds.tell(order)
        finally:
            self._watch_seeds()

    def look(self) -> Callable[[], HostSigns]:
        return machine.HostWatch().signs

    def end(self) -> None:
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()
        self._seeds.end()
        self._watch_seeds()


def serve(listener: socket.socket, name: str, token: str, said: Callable[[str], None]) -> None:
    """Serve one leader after the other, until the process is ended. `said` is told how each conversation ended."""
    while True:
        channel, _ = listener.accept()
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        said(Shell(channel, introduction(name, token), token).run())
