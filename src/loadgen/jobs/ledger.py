"""The ledger: what job bodies and workers did, and what producers published, one line for each event.

The truth about a queue is what its jobs did, held against what was published; never the queue's own state. Each event
is one write(2) to a file that is open with O_APPEND, which any number of processes share: a process that is killed
leaves whole lines only. Times are of CLOCK_MONOTONIC, which all processes of one host share.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import quote, unquote

VARIABLE = "LOADGEN_JOBS_LEDGER"
"""The variable of the environment that names the ledger's file to processes that are not ours."""

_SAFE = "!#$&'()*+,/:;<=>?@[]^{|}~\"\\`"
"""Characters that a word may have as they are, beside letters, digits and `_.-~`."""


class What(StrEnum):
    """The kinds of events."""

    # Written by producers.
    ATTEMPTED = "attempted"
    """A publish is about to be tried. `due_ns` is its intended time."""
    ACKNOWLEDGED = "acknowledged"
    """The storage has answered that the job is stored."""
    DEDUPLICATED = "deduplicated"
    """The storage has answered that there is a job with this key. `words` is that job's id."""
    FAILED = "failed"
    """The publish failed; the job may be stored all the same. `words` says why."""

    # Written by job bodies.
    BEGIN = "begin"
    END = "end"
    """The body has returned."""
    RAISED = "raised"
    """The body has raised. `words` says what."""

    # Written by workers.
    READY = "ready"
    ACCEPTED = "accepted"
    """The storage has taken an end that was good: the job's effect."""
    REFUSED = "refused"
    """The storage has refused what the worker said of a job: its fence was an old one."""
    RETRIED = "retried"
    """The storage has taken a failure, and the job is tried again. `due_ns` is when."""
    DEAD = "dead"
    """The job is a dead letter, by a failure or as it was claimed too often."""
    RECLAIMED = "reclaimed"
    """A sweep has found the job with an expired lease."""
    ERROR = "error"
    """The storage failed. `words` says how."""
    LOCKED = "locked"
    """The storage was locked for too long."""
    POLLED = "polled"
    """The worker ends, or sums up: `attempt` is the number of claims that it made, `fence` that of the jobs in them."""
    FIRED = "fired"
    """A schedule has fired: `words` is its name, `due_ns` the intended time, `attempt` the firings missed before."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a ledger."""

    what: What
    job: str = ""
    t_ns: int = 0
    """When it happened, by the monotonic clock."""
    worker: str = ""
    pid: int = 0
    attempt: int = 0
    """0 where the body is not told: in queues of others."""
    fence: int = 0
    due_ns: int = 0
    words: str = ""

    def line(self) -> bytes:
        """Return the line, with its end."""
        return (
            f"{self.what} {_word(self.job)} {self.t_ns} {_word(self.worker)} {self.pid} {self.attempt} {self.fence} "
            f"{self.due_ns} {_word(self.words)}\n"
        ).encode()


def _word(text: str) -> str:
    """Return a text as one word. Control characters and blanks are escaped, as `%20`."""
    if not text:
        return "-"
    if text.isalnum():
        return text
    return "%2D" if text == "-" else quote(text, safe=_SAFE)


def _text(word: str) -> str:
    return "" if word == "-" else unquote(word)


def parse(line: bytes) -> Entry | None:
    """Return the entry of a line; None for a line that is none, as after a full disk."""
    words = line.decode("utf-8", "replace").split(" ")
    if len(words) != 9:
        return None
    what, job, t_ns, worker, pid, attempt, fence, due_ns, said = words
    try:
        return Entry(
            What(what), _text(job), int(t_ns), _text(worker), int(pid), int(attempt), int(fence), int(due_ns),
            _text(said),
        )  # fmt: skip
    except ValueError:
        return None


class Ledger(Protocol):
    """Where entries go."""

    def write(self, *entries: Entry) -> None: ...


class Nowhere:
    """A ledger that keeps nothing."""

    def write(self, *entries: Entry) -> None:
        """Do nothing."""


class File:
    """A ledger in a file."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, *entries: Entry) -> None:
        """Append entries by one write(2). Raises OSError, also when the disk is full and a part was written."""
        data = b"".join(entry.line() for entry in entries)
        if os.write(self._fd, data) < len(data):
            raise OSError(errno.ENOSPC, "the ledger's disk is full")

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def named() -> Ledger:
    """Return the ledger that the environment names, or one that keeps nothing."""
    path = os.environ.get(VARIABLE)
    return File(path) if path else Nowhere()


class Tail:
    """The reader of a ledger that is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._cut = b""
        self.damaged = 0
        """Lines that were no entries."""

    def news(self) -> Iterator[Entry]:
        """Yield the entries since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                while data := file.read(1 << 20):
                    self._read += len(data)
                    *lines, self._cut = (self._cut + data).split(b"\n")
                    for line in lines:
                        if (entry := parse(line)) is not None:
                            yield entry
                        else:
                            self.damaged += 1
        except FileNotFoundError:
            return
