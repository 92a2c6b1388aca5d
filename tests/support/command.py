"""The real command in a process of its own, with a time limit, and the checks that hold for every run.

No run may print a traceback, leave a process behind, or end with accounts that do not add up: `loadgen` and `Running`
check that for every test that uses them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import places
import psutil

TIMEOUT_S = 120.0
"""Past it a run counts as hanging, and is killed."""

MARK = "LOADGEN_TEST_RUN"
"""An environment variable that every descendant of a run inherits, by which it is found."""

PLACES = ("ok", "error_replies", "timeouts", "lost", "corrupt", "unfinished")
"""Where a planned request can end."""

SRC = str(places.SRC)

Record = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """A run that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def records(self) -> list[Record]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def result(self) -> Record:
        [result] = [record for record in self.records if record["type"] == "result"]
        return result

    @property
    def counts(self) -> Record:
        counts: Record = self.result["counts"]
        return counts

    @property
    def complaint(self) -> str:
        """The one sentence that says what went wrong; what else is on standard error are warnings and progress."""
        lines = self.stderr.splitlines()
        [sentence] = [line for line in lines if line.startswith("loadgen: ")]
        others = [line for line in lines if line != sentence]
        assert all(line.startswith(("warning: ", "connect: ", "prefill: ")) for line in others), self.stderr
        return sentence


class Running:
    """A run under way, as a context manager: its records can be waited for, its processes found."""

    def __init__(
        self,
        *arguments: str,
        prologue: str = "",
        stdout: Any = subprocess.PIPE,
        timeout_s: float = TIMEOUT_S,
        **more: Any,
    ) -> None:
        """`prologue` is Python that runs in the process before the command does; `more` is for Popen."""
        self.mark = uuid.uuid4().hex
        program = (
            f"import sys; sys.path.insert(0, {SRC!r})\n{prologue}\nfrom loadgen.entry import main; sys.exit(main())"
        )
        path = os.pathsep.join(filter(None, [SRC, os.environ.get("PYTHONPATH", "")]))
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, MARK: self.mark},
            **more,
        )
        self.timeout_s = timeout_s
        self.lines: list[bytes] = []
        self.errors = b""
        self.news = threading.Condition()
        self.threads = [threading.Thread(target=self._read_errors)]
        if self.process.stdout is not None:
            self.threads.append(threading.Thread(target=self._read_lines))
        for thread in self.threads:
            thread.start()

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()
        with self.news:
            self.news.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits until the condition holds, and fails when the run ends before that."""

        def ended() -> bool:
            return self.process.poll() is not None

        wait_until(lambda: condition() or ended(), self.timeout_s)
        assert not ended(), f"it ended too early: {self.errors.decode()}"

    def wait_for(self, kind: str, count: int = 1, **fields: Any) -> None:
        """Waits until so many records of a type, with these fields, have come."""

        wanted = {"type": kind, **fields}
        looked_at = found = 0

        def there() -> bool:
            nonlocal looked_at, found
            for line in self.lines[looked_at:]:
                if line.endswith(b"\n"):
                    looked_at += 1
                    found += wanted.items() <= json.loads(line).items()
            return found >= count

        with self.news:
            assert self.news.wait_for(lambda: there() or self.process.poll() is not None, self.timeout_s), "it hangs"
            assert there(), f"it ended before {kind} {fields}: {self.errors.decode()}"

    def processes(self) -> list[psutil.Process]:
        """Every process of this run that is alive, itself included."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get(MARK) == self.mark) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def workers(self) -> list[psutil.Process]:
        """The worker processes, oldest first; waits until there is one."""
        found: list[psutil.Process] = []

        def there() -> bool:
            found[:] = [p for p in self.processes() if any("loadgen.worker.main" in word for word in p.cmdline())]
            return bool(found)

        wait_until(there, self.timeout_s)
        return sorted(found, key=lambda process: process.pid)

    def wait_until_connected(self, port: int, connections: int) -> None:
        """Waits until so many connections to a server are established, and load has gone over them for a while."""

        def there() -> bool:
            found = [c for worker in self.workers() for c in worker.net_connections("tcp")]
            ours = [c for c in found if c.raddr and c.raddr.port == port and c.status == "ESTABLISHED"]
            return len(ours) == connections

        wait_until(there, self.timeout_s)

    def wait_for_load(self) -> None:
        """Waits until an interval that is yet to come has had replies."""
        seen = len(self.lines)
        wait_until(lambda: any(b'"p50_us":null' not in line for line in self.lines[seen:]), self.timeout_s)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def finish(self) -> Finished:
        """Waits for its end, checks what must hold of every run, and returns what there was."""
        try:
            self.process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it hangs after {self._text()}") from None
        self.gone()
        finished = Finished(self.process.returncode, b"".join(self.lines).decode(), self.errors.decode())
        for text in (finished.stdout, finished.stderr):
            assert "Traceback" not in text, text
            assert "Exception ignored" not in text, text
        if finished.stdout.startswith('{"type"'):
            check_accounts(finished.records)
        return finished

    def gone(self) -> None:
        """Waits until no process of this run is left: the command's own are, at the latest, gone with it."""
        wait_until(lambda: not self.processes(), self.timeout_s)
        for thread in self.threads:
            thread.join(self.timeout_s)

    def _text(self) -> str:
        return f"{b''.join(self.lines[-20:]).decode()}\n{self.errors.decode()}"

    def kill(self) -> None:
        for process in self.processes():
            process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None or error is not None:
            self.kill()
        for thread in self.threads:
            thread.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def loadgen(*arguments: str, **options: Any) -> Finished:
    """Runs the command to its end."""
    with Running(*arguments, **options) as running:
        return running.finish()


def load(port: int | None, *arguments: str, host: str = "127.0.0.1", **options: Any) -> Finished:
    """A short load on a server, as JSON; `arguments` win over what is here."""
    return loadgen(*short(port, host), *arguments, **options)


def short(port: int | None, host: str = "127.0.0.1") -> list[str]:
    """The arguments of a short run with one worker and no warm-up; without a port, against the built-in server."""
    return [
        *("run", *(["--host", host, "--port", str(port)] if port is not None else ["--embedded"])),
        *("--format", "json", "--threads", "1", "--seed", "1"),
        *("--connections", "2", "--pipeline", "4", "--keys", "1000", "--duration", "100ms", "--warmup", "0s"),
        # What the machine does to the generator while tests share it is not what these runs are about.
        *("--set", "verdict.lag=30s", "--set", "verdict.shortfall=1"),
    ]


def settings(**keys: str) -> list[str]:
    """`--set` for keys of the [connection] table."""
    return [word for name, value in keys.items() for word in ("--set", f"connection.{name}={value}")]


def check_accounts(records: Sequence[Record]) -> None:
    """Every planned request has ended in exactly one place."""
    for result in (record for record in records if record["type"] == "result"):
        for name, counts in accounts(result):
            assert counts["planned"] == sum(counts[place] for place in PLACES), (name, counts)
            assert counts["late"] <= counts["timeouts"], (name, counts)
        assert not any("not accounted for" in reason for reason in result["verdict"]["reasons"])
        assert result["requests"] == result["counts"]["planned"]


def accounts(result: Record) -> Iterator[tuple[str, dict[str, int]]]:
    yield "all", result["counts"]
    yield from result["commands"].items()


def wait_until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    """Asks until it holds; fails when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.01)
