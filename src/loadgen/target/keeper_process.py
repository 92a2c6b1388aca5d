"""A keeper's process, seen from loadgen: its start, its messages and its end. This file knows no ports or protocols."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from loadgen.errors import LoadgenError
from loadgen.target import keeper

# The time in which a keeper must report the start of the server's program, or carry out an order.
ANSWER_TIMEOUT_S = 30.0

# The time that a killed process may take to end, after the task's stop timeout.
KILL_TIMEOUT_S = 5.0


class KeeperError(LoadgenError):
    """The keeper could not start, or does not answer."""


class StartError(LoadgenError):
    """The program could not be started: `step` is folder, apart, files, log, fork, group, cpus, cwd or program."""

    def __init__(self, step: str, number: int, said: str = "") -> None:
        super().__init__(said or os.strerror(number))
        self.step = step


@dataclass(frozen=True, slots=True)
class Apart:
    """Surroundings that a program does not share with loadgen, set up and removed by the keeper, which is root."""

    net: bool = False
    """True: the keeper makes a network namespace."""
    mount: bool = False
    """True: the keeper makes a mount namespace, and detaches what is mounted at the task's `data` at the end."""
    commands: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Commands that the keeper runs in the namespaces before the start, each with its standard input. `{keeper}` and
    `{loadgen}` stand for the process ids of the keeper and of loadgen."""
    cgroups: tuple[str, ...] = ()
    """The paths of control groups to make and to put the program into; `{keeper}` stands for the keeper's pid."""
    shared: tuple[str, ...] = ()
    """The paths of files, empty at first, that the program and loadgen both write."""
    user: tuple[int, int] | None = None
    """The user and the group that the program runs as; None: the keeper's own."""


@dataclass(frozen=True, slots=True)
class Task:
    """A program to start, and its surroundings."""

    program: str
    """The path of the program."""
    arguments: tuple[str, ...]
    env: dict[str, str]
    """Added to loadgen's own environment."""
    cwd: str
    cpus: tuple[int, ...]
    log: str
    """The path of the log, which is created if missing and appended to."""
    folder: str
    """The path of a folder that must not exist yet, and is removed at the end."""
    stop_timeout_s: float
    data: str = ""
    """The path of the folder for the program's own files: `folder`, or a folder in it. Empty: `folder`."""
    files: dict[str, str] = field(default_factory=dict)
    """The names and texts of files that are written into the data folder first."""
    apart: Apart | None = None
    """None: the program shares everything with loadgen."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a program that was not ordered to end."""

    status: int | None
    """The exit status, or a signal's number below 0; None when the keeper was killed, and the program with it."""
    others: bool
    """True when processes that the program started live on."""

    def __str__(self) -> str:
        """Return the end as the rest of a sentence about the program."""
        if self.status is None:
            return "was killed, as the process that kept it was"
        if self.status < 0:
            try:
                name = signal.Signals(-self.status).name
            except ValueError:
                name = f"signal {-self.status}"
            doubt = ", as the kernel does when memory runs out" if self.status == -signal.SIGKILL else ""
            return f"was killed by {name}{doubt}"
        lasting = " and left other processes running in the background" if self.others else ""
        return f"ended with exit status {self.status}{lasting}"


class KeeperProcess:
    """A keeper and its program, from the construction to `close`.

    `pid` is the program's, which leads a process group of its own; 0 while the program is killed. Raises StartError
    when the program cannot be started, and KeeperError for anything else. Orders may be given by another thread than
    that which asks for the end.
    """

    def __init__(self, task: Task) -> None:
        self.task = replace(task, data=task.data or task.folder)
        self.pid = 0
        self.end: End | None = None
        self._program = -1
        """A pidfd of the program, if the system has pidfds: unlike a process id, a pidfd is never another process's."""
        self.expects_end = False
        """True while the program is to be killed by the kernel: such an end is kept in `expected_end`, not in `end`."""
        self.expected_end: End | None = None
        self._turn = threading.RLock()
        self._partial_line = b""
        self._done: set[str] = set()
        self._closed = False
        try:
            self.process = subprocess.Popen(
                # -I -S: starts in milliseconds, and ignores the environment, which is for the server.
                [sys.executable, "-I", "-S", keeper.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Not inherited: a reader of our standard error need not wait for the keeper to end.
                stderr=subprocess.DEVNULL,
                cwd="/",
                # A terminal's Ctrl-C is for loadgen, which still needs the server to drain.
                start_new_session=True,
            )
        except OSError as error:
            raise KeeperError(f"A process to keep the server could not be started ({error.strerror}).") from None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._stdout, False)
        try:
            self._send(json.dumps(asdict(self.task)))
            self._await(lambda: self.pid != 0)
        except BaseException:
            self.close()
            raise

    @property
    def cgroups(self) -> tuple[Path, ...]:
        """The control groups that the keeper has made for the program."""
        groups = self.task.apart.cgroups if self.task.apart is not None else ()
        return tuple(Path(group.replace("{keeper}", str(self.process.pid))) for group in groups)

    def hear(self, timeout_s: float = 0.0) -> None:
        """Process the keeper's messages; wait for `timeout_s` at most, and not when the program has ended."""
        if not self._turn.acquire(blocking=timeout_s > 0):
            # Another thread awaits an answer, and processes the messages meanwhile.
            return
        try:
            self._hear(timeout_s)
        finally:
            self._turn.release()

    def _hear(self, timeout_s: float) -> None:
        if self._closed or self.end is not None:
            return
        if timeout_s > 0:
            select.select([self._stdout], [], [], timeout_s)
        try:
            received = os.read(self._stdout, 65536)
        except BlockingIOError:
            return
        if not received:
            self.end = End(None, others=False)
            self._kill()
            return
        *lines, self._partial_line = (self._partial_line + received).split(b"\n")
        for line in lines:
            self._note(json.loads(line))

    def pause(self) -> None:
        """Stop every process of the program's group, and return when the program has stopped."""
        self._ask("pause")

    def resume(self) -> None:
        self._ask("resume")

    def kill(self) -> None:
        """Kill every process of the program by SIGKILL, and return when none is left. `end` stays None."""
        self._ask("kill")
        self.pid = 0

    def start(self) -> None:
        """Start the program again, after `kill` or an expected end. Raises StartError."""
        with self._turn:
            self._ask("kill")
            self.expects_end, self.expected_end, self.pid = False, None, 0
            self._ask("start")

    def empty(self) -> None:
        """Remove what the program has written into its folder. The program must have been killed."""
        self._ask("empty")

    def begin_close(self) -> None:
        """Have the program ended, and do not wait for that: `close` does. May be called again."""
        if self._closed:
            return
        self.hear()
        self._closed = True
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def close(self) -> None:
        """End the program, and return when no process of it is left. May be called again."""
        self.begin_close()
        # A process that hangs in the kernel cannot be killed: the keeper keeps waiting, loadgen does not.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(self.task.stop_timeout_s + KILL_TIMEOUT_S)
        if self.process.returncode:
            # The keeper itself was killed.
            self._kill()
            shutil.rmtree(self.task.folder, ignore_errors=True)
            for group in self.cgroups:
                with contextlib.suppress(OSError):
                    group.rmdir()
        if self._program >= 0:
            os.close(self._program)
            self._program = -1

    def _ask(self, word: str) -> None:
        with self._turn:
            self.hear()
            if self._closed or self.end is not None:
                return
            self._done.discard(word)
            self._send(word)
            self._await(lambda: word in self._done or self.end is not None)

    def _send(self, line: str) -> None:
        # If the keeper has died, the next read finds out.
        with contextlib.suppress(OSError):
            words = memoryview(line.encode() + b"\n")
            while words:
                words = words[os.write(self._stdin, words) :]

    def _await(self, said: Callable[[], bool]) -> None:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not said():
            if (left := deadline - time.monotonic()) <= 0 or (self.pid == 0 and self.end is not None):
                raise KeeperError("The process that keeps the server does not answer: see whether this host hangs.")
            self.hear(left)

    def _note(self, said: dict[str, object]) -> None:
        match said:
            case {"failed": str(step), "errno": int(number)}:
                raise StartError(step, number, str(said.get("said") or ""))
            case {"pid": int(pid)}:
                self.pid = pid
                if self._program >= 0:
                    os.close(self._program)
                    self._program = -1
                with contextlib.suppress(AttributeError, OSError):
                    self._program = os.pidfd_open(pid)
            case {"ended": int(status), "others": bool(others)} if self.expects_end:
                self.expected_end = End(status, others)
            case {"ended": int(status), "others": bool(others)}:
                self.end = End(status, others)
            case {"done": str(word)}:
                self._done.add(word)

    def _kill(self) -> None:
        """Kill a program whose keeper was killed: a program that changed its user did not die with the keeper."""
        if self._program >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._program, signal.SIGKILL)
