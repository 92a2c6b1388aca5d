"""A keeper as loadgen sees it: told what to start, heard, and let go. It knows no ports, protocols or logs."""

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

# A keeper says whether the server's program runs, and obeys, within this time, or something is very wrong.
ANSWER_TIMEOUT_S = 30.0

# What a killed process may take to be gone, over what it was given to end by itself.
KILL_TIMEOUT_S = 5.0


class KeeperError(LoadgenError):
    """The keeper could not start, or could not be understood."""


class StartError(LoadgenError):
    """The program could not be started: `step` is folder, files, log, fork, group, cpus, cwd or program."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(os.strerror(number))
        self.step = step


@dataclass(frozen=True, slots=True)
class Task:
    """What to start."""

    program: str
    """Its path."""
    arguments: tuple[str, ...]
    env: dict[str, str]
    """Added to our own."""
    cwd: str
    cpus: tuple[int, ...]
    log: str
    """Created where it is not there, and appended to."""
    folder: str
    """Must not be there yet; removed at the end."""
    stop_timeout_s: float
    files: dict[str, str] = field(default_factory=dict)
    """Written into the folder first: their names and texts."""


@dataclass(frozen=True, slots=True)
class End:
    """How a program ended before it was told to."""

    status: int | None
    """Its exit status, or less than 0 for a signal's number; None: its keeper was killed, and the program with it."""
    others: bool
    """Whether processes that it had started live on."""

    def __str__(self) -> str:
        """As the rest of a sentence about it."""
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
    """From its start to `close`. Raises StartError when the program cannot be started, KeeperError for anything else.

    `pid` is the program's; it leads a process group of its own.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.pid = 0
        self.end: End | None = None
        self._program = -1
        """A pidfd of the program, where the system has such: unlike a number, it is never another process's."""
        self._heard = b""
        self._done: set[str] = set()
        self._closed = False
        try:
            self.process = subprocess.Popen(
                # -I -S: in milliseconds, and whatever the environment is like; that is for the server.
                [sys.executable, "-I", "-S", keeper.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Not ours: whoever waits for the end of our standard error need not wait for the keeper.
                stderr=subprocess.DEVNULL,
                cwd="/",
                # A terminal's Ctrl-C is for loadgen, which still needs the server to drain.
                start_new_session=True,
            )
        except OSError as error:
            raise KeeperError(f"A process to keep the server could not be started ({error.strerror}).") from None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._told, self._says = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._says, False)
        try:
            self._tell(json.dumps(asdict(task)))
            self._await(lambda: self.pid != 0)
        except BaseException:
            self.close()
            raise

    def hear(self, timeout_s: float = 0.0) -> None:
        """Takes note of what the keeper has said; waits for it as long as is given, and not when the program ended."""
        if self._closed or self.end is not None:
            return
        if timeout_s > 0:
            select.select([self._says], [], [], timeout_s)
        try:
            received = os.read(self._says, 65536)
        except BlockingIOError:
            return
        if not received:
            self.end = End(None, others=False)
            self._kill()
            return
        *lines, self._heard = (self._heard + received).split(b"\n")
        for line in lines:
            self._note(json.loads(line))

    def pause(self) -> None:
        """Stops every process of the program's group; returns when it has stopped."""
        self._ask("pause")

    def resume(self) -> None:
        self._ask("resume")

    def close(self) -> None:
        """Has the program ended, and returns when nothing is left of it; may be called again."""
        if self._closed:
            return
        self.hear()
        self._closed = True
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        # A process that hangs in the kernel cannot be killed: its keeper goes on waiting for it, and we do not.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(self.task.stop_timeout_s + KILL_TIMEOUT_S)
        if self.process.returncode:
            # It was killed itself.
            self._kill()
            shutil.rmtree(self.task.folder, ignore_errors=True)
        if self._program >= 0:
            os.close(self._program)

    def _ask(self, word: str) -> None:
        self.hear()
        if self._closed or self.end is not None:
            return
        self._done.discard(word)
        self._tell(word)
        self._await(lambda: word in self._done or self.end is not None)

    def _tell(self, line: str) -> None:
        # If it has died, the next read finds out.
        with contextlib.suppress(OSError):
            words = memoryview(line.encode() + b"\n")
            while words:
                words = words[os.write(self._told, words) :]

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
        """For a program whose keeper was killed: those that changed their user did not die with it."""
        if self._program >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._program, signal.SIGKILL)
