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
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from loadgen.errors import LoadgenError
from loadgen.target import keeper

# The time in which a keeper must report the start of the server's program, or carry out an order.
ANSWER_TIMEOUT_S = 30.0

# The time that a killed process may take to end, after the task's stop timeout.
KILL_TIMEOUT_S = 5.0


class KeeperError(LoadgenError):
    """The keeper could not start, or does not answer."""


class StartError(LoadgenError):
    """The program could not be started: `step` is folder, files, log, fork, group, cpus, cwd or program."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(os.strerror(number))
        self.step = step


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
    files: dict[str, str] = field(default_factory=dict)
    """The names and texts of files that are written into the folder first."""


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

    `pid` is the program's, which leads a process group of its own. Raises StartError when the program cannot be
    started, and KeeperError for anything else.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.pid = 0
        self.end: End | None = None
        self._program = -1
        """A pidfd of the program, if the system has pidfds: unlike a process id, a pidfd is never another process's."""
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
            self._send(json.dumps(asdict(task)))
            self._await(lambda: self.pid != 0)
        except BaseException:
            self.close()
            raise

    def hear(self, timeout_s: float = 0.0) -> None:
        """Process the keeper's messages; wait for `timeout_s` at most, and not when the program has ended."""
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

    def close(self) -> None:
        """End the program, and return when no process of it is left. May be called again."""
        if self._closed:
            return
        self.hear()
        self._closed = True
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        # A process that hangs in the kernel cannot be killed: the keeper keeps waiting, loadgen does not.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(self.task.stop_timeout_s + KILL_TIMEOUT_S)
        if self.process.returncode:
            # The keeper itself was killed.
            self._kill()
            shutil.rmtree(self.task.folder, ignore_errors=True)
        if self._program >= 0:
            os.close(self._program)

    def _ask(self, word: str) -> None:
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
                raise StartError(step, number)
            case {"pid": int(pid)}:
                self.pid = pid
                with contextlib.suppress(AttributeError, OSError):
                    self._program = os.pidfd_open(pid)
            case {"ended": int(status), "others": bool(others)}:
                self.end = End(status, others)
            case {"done": str(word)}:
                self._done.add(word)

    def _kill(self) -> None:
        """Kill a program whose keeper was killed: a program that changed its user did not die with the keeper."""
        if self._program >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._program, signal.SIGKILL)
