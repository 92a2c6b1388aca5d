"""One worker process, as whoever started it sees it: told, heard, and ended."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection

from loadgen.errors import WorkerError
from loadgen.host.stop_signals import held_back
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.snapshot import Snapshot
from loadgen.worker.messages import Drained, Hello, Order


class WorkerProcess:
    """One worker, as its parent sees it."""

    def __init__(self, plan: Plan, index: int) -> None:
        ours, theirs = socket.socketpair()
        try:
            with held_back():
                self.process = subprocess.Popen(
                    # -P: what lies in the current folder must not pass for a module.
                    [sys.executable, "-P", "-c", "from loadgen.worker.main import main; main()", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        except OSError as error:
            ours.close()
            raise WorkerError(
                f"Worker {index} could not be started ({error.strerror}): free some memory or raise the limit on "
                "processes (ulimit -u), or set general.threads to fewer."
            ) from None
        finally:
            theirs.close()
        self.index = index
        self.pipe = Connection(ours.detach())
        self.last: dict[Phase, Snapshot] = {}
        """The newest snapshot of each phase."""
        self.down: tuple[int, ...] = ()
        """Connections to each endpoint that are not ready."""
        self.final: Drained | None = None
        self.alive = True
        self.last_words = ""
        self.tell(Hello(plan, index))

    def tell(self, message: Hello | Order) -> None:
        # If it has died, the next read finds out.
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def kill(self, last_words: str) -> None:
        self.last_words = last_words
        self.process.kill()

    def death(self) -> str:
        """How it ended, in words."""
        name = f"Worker {self.index}"
        if self.last_words:
            return f"{name} {self.last_words}"
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return f"{name} closed its pipe"
        if status == -signal.SIGKILL:
            return f"{name} was killed by SIGKILL, as the kernel does when memory runs out"
        if status < 0:
            return f"{name} was killed by {signal.Signals(-status).name}"
        return f"{name} ended with exit status {status}"

    def close(self) -> None:
        """Tells it to end."""
        self.alive = False
        self.pipe.close()

    def end(self) -> None:
        """Waits until it has ended after `close`, or sees to it."""
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
