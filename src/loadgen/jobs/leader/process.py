"""The processes of a test from their leader's side: workers and producers, started, signalled, measured and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from loadgen.errors import WorkerError
from loadgen.escape import printable
from loadgen.host.stop_signals import held_back
from loadgen.target.process import ProcessTree
from loadgen.usage import Usage

GUARD = Path(__file__).with_name("guard.py")

_TAIL_BYTES = 4_000


class Process:
    """One process, with the group that it leads. What it says on standard error goes to a file.

    With `guarded`, a guard stands between: the process is not ours and would not end with the leader.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        *,
        guarded: bool = False,
        printed: Path | None = None,
    ) -> None:
        """Start the process. `printed` is a file for its standard output, which goes to `said` without one.

        Raises WorkerError, with the remedy, when it cannot be started.
        """
        self.name = name
        self._log = log
        self._guarded = guarded
        self._told_pid = 0
        words = [sys.executable, "-I", "-S", str(GUARD), *command] if guarded else [*command]
        try:
            with log.open("ab") as said, (printed or Path(os.devnull)).open("ab") as out, held_back():
                self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if printed is None else out,
                    stderr=said,
                    env={**os.environ, **env},
                    start_new_session=True,
                )
        except OSError as error:
            raise WorkerError(
                f"{name} could not be started ({error.strerror}): free some memory, or raise the limit on processes "
                "(ulimit -u)."
            ) from None
        self._tree = ProcessTree(self._process.pid, counts_root=not guarded)
        self.started_ns = time.monotonic_ns()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def worker_pid(self) -> int:
        """The process id of the worker itself, which a guard has told."""
        if self._guarded and not self._told_pid:
            line = self.said.readline().strip()
            self._told_pid = int(line) if line.isdigit() else 0
        return self._told_pid or self.pid

    @property
    def said(self) -> IO[bytes]:
        """What the process writes to standard output; for a guarded one the guard's words."""
        assert self._process.stdout is not None
        return self._process.stdout

    def tell(self, line: str) -> None:
        """Write a line to the process; nothing is written to one that has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def kill(self) -> None:
        """Kill the group by SIGKILL, and wait until it is gone."""
        self._signal("kill", signal.SIGKILL)
        self._process.wait()

    def pause(self) -> None:
        self._signal("pause", signal.SIGSTOP)

    def resume(self) -> None:
        self._signal("resume", signal.SIGCONT)

    def begin_stop(self) -> None:
        self._signal("term", signal.SIGTERM)

    def _signal(self, order: str, number: signal.Signals) -> None:
        if self._process.poll() is not None:
            return
        if self._guarded:
            self.tell(order)
        else:
            # A child that has not been waited for keeps its number.
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if number is not signal.SIGTERM else os.kill)(self._process.pid, number)

    def status(self) -> int | None:
        """Return the exit status, negative for a signal; None while the process lives."""
        status = self._process.poll()
        return 128 - status if status is not None and self._guarded and status > 128 else status

    def await_end(self, timeout_s: float) -> bool:
        """Return True when the process has ended, at once or within the time."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """End the process if it lives, and give back what it holds."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def usage(self) -> Usage | None:
        return self._tree.usage()

    def last_words(self) -> str:
        """Return the last line that the process has written to standard error, made harmless; empty for none."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - _TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next((printable(line.strip(), 300) for line in reversed(lines) if line.strip()), "")
