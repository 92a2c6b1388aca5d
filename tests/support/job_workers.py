"""Worker processes of an adapter, each in a process group of its own, with a ledger that is read as they write it.

with JobWorkers(adapter, folder) as workers:
    workers.start(1, 2)
    workers.wait(lambda seen: seen.count(What.END) == 50)
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from loadgen.jobs.adapters.adapter import Adapter
from loadgen.jobs.ledger import VARIABLE, Entry, Tail, What

PATIENCE_S = 60.0


def descendants(process: int) -> list[int]:
    """Return a process, its children, theirs …, whatever their groups."""
    found = [process]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(word) for word in task.read_text().split()]
            except OSError:
                continue
    return found


class Seen:
    """The ledger's entries up to now."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def of(self, what: What) -> list[Entry]:
        return [entry for entry in self.entries if entry.what is what]

    def count(self, what: What) -> int:
        return len(self.of(what))


class JobWorkers:
    """The workers of one adapter, by number."""

    def __init__(self, adapter: Adapter, folder: Path, prefix: Iterable[str] = ()) -> None:
        self.adapter = adapter
        self.ledger = folder / "ledger"
        self.seen = Seen()
        self.log = folder / "log.txt"
        self.printed = folder / "printed.txt"
        """What workers wrote to standard output."""
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self._tail = Tail(self.ledger)
        self._prefix = tuple(prefix)

    def start(self, *numbers: int) -> None:
        """Start workers, and wait until each has said that it is ready."""
        for number in numbers:
            command = self.adapter.worker_command(number)
            with self.log.open("ab") as log, self.printed.open("ab") as printed:
                self.running[number] = subprocess.Popen(
                    [*self._prefix, *command.words],
                    env={**os.environ, **command.env, VARIABLE: str(self.ledger)},
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=log,
                    start_new_session=True,
                )
        names = {str(number) for number in numbers}
        if not self.wait(lambda seen: names <= {entry.worker for entry in seen.of(What.READY)}):
            raise AssertionError(f"not all of the workers are ready: {self.words()}")

    def wait(self, until: Callable[[Seen], bool], patience_s: float = PATIENCE_S) -> bool:
        """Return True when the ledger has come to say so, False when patience has ended."""
        deadline = time.monotonic() + patience_s
        while True:
            self.seen.entries += self._tail.news()
            if until(self.seen):
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)

    def words(self) -> str:
        """Return the end of what the workers have to say, for the message of a failure."""
        return self.log.read_text(errors="replace")[-3000:]

    def kill(self, number: int) -> list[int]:
        """Kill a worker's process group by SIGKILL, and return the worker's processes as they were."""
        process = self.running.pop(number)
        members = descendants(process.pid)
        with contextlib.suppress(ProcessLookupError):  # It has ended by itself.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return members

    def stop(self, number: int, patience_s: float = 30.0) -> int:
        """End a worker by SIGTERM, and return its exit status. Raises TimeoutExpired when it does not end."""
        process = self.running[number]
        process.terminate()
        status = process.wait(patience_s)
        del self.running[number]
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in list(self.running):
            self.kill(number)
