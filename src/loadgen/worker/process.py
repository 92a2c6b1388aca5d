"""Worker processes of this host from their parent's side: start, messages and end."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from loadgen.errors import WorkerError
from loadgen.host.stop_signals import held_back
from loadgen.plan import Plan
from loadgen.worker.messages import OTHER_FILES


def check_file_limit(connections: int) -> None:
    """Raise WorkerError, with the remedy, when a worker needs more open files than are allowed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = connections + OTHER_FILES
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise WorkerError(
            f"{connections} connections in one worker need {needed} open files, and the hard limit is {hard}: raise it "
            f"(as root, ulimit -n {needed}, or nofile in /etc/security/limits.conf), or spread the connections over "
            "more workers (general.threads)."
        )


class MessageProcess:
    """A child process of ours that receives and sends messages. Raises WorkerError when it cannot be started."""

    def __init__(
        self,
        module: str,
        name: str,
        remedy: str,
        *,
        stderr: int | None = None,
        files: Sequence[int] = (),
        inside: Sequence[str] = (),
    ) -> None:
        """Start `main` of a module with the descriptor of its channel as the only argument.

        `name` begins the sentence on a failure to start, such as "Worker 0", and `remedy` ends it. `files` are
        descriptors that the process has, too, under the same numbers. `inside` are the words of a command that becomes
        the one behind it, in other surroundings (`host.namespaces.inside`).
        """
        ours, theirs = socket.socketpair()
        try:
            with held_back():
                self._process = subprocess.Popen(
                    # -P: a file in the current folder must not be imported as a module.
                    [*inside, sys.executable, "-P", "-c", f"from {module} import main; main()", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    pass_fds=[theirs.fileno(), *files],
                )
        except OSError as error:
            ours.close()
            raise WorkerError(f"{name} could not be started ({error.strerror}): {remedy}") from None
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._pipe = Connection(ours.detach())

    def tell(self, message: object) -> None:
        """Send a message; nothing is sent to a process that has ended."""
        with contextlib.suppress(OSError):
            self._pipe.send(message)

    def fileno(self) -> int:
        """Return the descriptor that is readable when `hear` returns or raises at once."""
        return self._pipe.fileno()

    def hear(self) -> Any:
        """Return the next message. Raises EOFError after the last: how the process ended, in words after its name."""
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            raise EOFError(self._ending()) from None

    def _ending(self) -> str:
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        if status == -signal.SIGKILL:
            return "was killed by SIGKILL, as the kernel does when memory runs out"
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"ended with exit status {status}"

    def close(self) -> None:
        """Close the pipe, at which the process ends. A second call does nothing."""
        self._pipe.close()

    def end(self, patience_s: float = 2.0) -> None:
        """Close the pipe, and kill a process that has not ended after so long. A second call does nothing."""
        self._pipe.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class WorkerProcess(MessageProcess):
    """A worker of a plan in a process of its own. Raises WorkerError when it cannot be started."""

    def __init__(self, plan: Plan, index: int) -> None:
        own = plan.workers[index]
        check_file_limit(sum(own.connections) + sum(own.idle))
        super().__init__(
            "loadgen.worker.main",
            f"Worker {index}",
            "free some memory or raise the limit on processes (ulimit -u), or set general.threads to fewer.",
        )
