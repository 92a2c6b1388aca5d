"""The process of a target: one input after the other is given to the target in a process that may end at any of them.

python -m loadgen.verify.fuzz.child MODULE:FUNCTION CPU_S

The process imports the target, and forks one that examines inputs. When that one ends, the other says how, with what it
wrote to standard error, and forks another. A request is a `HEADER`, the words as JSON, and the bytes; an answer is a
line of JSON, and the first one, which is empty, says that the target is there.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import resource
import signal
import struct
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from loadgen.verify.fuzz.examined import Examine, Examined

HEADER = struct.Struct(">II?")
"""Of a request: the bytes of its words, the bytes of its data, and whether to look at memory."""

WALL_PER_CPU = 10
"""The most time of one input, for a target that waits, as a multiple of its CPU time: a busy machine is no hang."""

MOST_BYTES = 1 << 30
"""The most memory beyond what the process has when it begins."""

ROUNDS = (100, 300, 1000)
"""In each of these rounds, of so many runs of one input, memory must grow by each run to be lost. The interpreter keeps
some blocks of its first hundreds of runs for later use, and malloc takes some at once for many."""
LEAST_BYTES = 16
"""The fewest bytes that malloc hands out."""

_LONGEST = 1000
"""Characters of a text in an answer."""

NOT_CRASHED = "no input ends the process of the target"
ANSWERED = "every input is dealt with in a bounded time"
OWN_ERRORS = "the target raises errors of its own only"
GIVEN_BACK = "an input that is given again and again takes no more memory each time"


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    target = _Target(getattr(import_module(module), name), float(sys.argv[2]))
    # Without a buffer, in which a process that ends could have the next request.
    requests, answers = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb", buffering=0)
    with tempfile.TemporaryFile() as said:
        # What a target prints is no answer.
        for descriptor in (1, 2):
            os.dup2(said.fileno(), descriptor)
        answers.write(b"{}\n")
        # What is there now is looked at by no collection, and copied by none.
        gc.collect()
        gc.freeze()
        while (ended := _ended(target, requests, answers)) != 0:
            said.seek(0)
            answers.write(_line(_death(ended, said.read().decode(errors="replace"), target.cpu_s)))
            said.seek(0)
            said.truncate()


def _ended(target: _Target, requests: BinaryIO, answers: BinaryIO) -> int:
    """Examine inputs in another process until it ends, and return its wait status."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        faulthandler.enable()
        _limit()
        while header := requests.read(HEADER.size):
            words_bytes, data_bytes, looks = HEADER.unpack(header)
            request = _exactly(requests, words_bytes + data_bytes)
            words = json.loads(request[:words_bytes])
            answers.write(_line(target.examined(words, request[words_bytes:], looks=looks)))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _exactly(requests: BinaryIO, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := requests.read(size - len(found))):
        found += more
    return found


def _line(examined: Examined) -> bytes:
    cut = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in asdict(examined).items()}
    return json.dumps(cut).encode() + b"\n"


def _limit() -> None:
    """Bound memory, and have the kernel end the process at its time limits and leave no core behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    if not sanitized() and sys.platform == "linux":
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES, resource.RLIM_INFINITY))


def sanitized() -> bool:
    """True under AddressSanitizer, which takes addresses of terabytes."""
    return "libasan" in os.environ.get("LD_PRELOAD", "")


# ── One input ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Target:
    """What is given inputs, and the most CPU time that one may take, in seconds."""

    def __init__(self, examine: Examine, cpu_s: float) -> None:
        self._examine = examine
        self.cpu_s = cpu_s

    def examined(self, words: Sequence[str], data: bytes, *, looks: bool) -> Examined:
        found = self._timed(words, data)
        return found if found.invariant or not looks else self._grown(words, data) or found

    def _timed(self, words: Sequence[str], data: bytes) -> Examined:
        """Examine an input; the kernel ends the process when that takes too long."""
        signal.setitimer(signal.ITIMER_PROF, self.cpu_s)
        signal.setitimer(signal.ITIMER_REAL, self.cpu_s * WALL_PER_CPU)
        try:
            return self._examine(words, data)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} in {where.name} of {Path(where.filename).name}"
            return Examined((), OWN_ERRORS, f"{place}, line {where.lineno}: {error}", place)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _grown(self, words: Sequence[str], data: bytes) -> Examined | None:
        """Return the finding that runs of an input leave memory behind, one like the other; None when they do not."""
        self._timed(words, data)
        blocks = size = 0
        for runs in ROUNDS:
            before_blocks, before_size = _allocated()
            for _ in range(runs):
                self._timed(words, data)
            blocks, size = _allocated()
            blocks, size = (blocks - before_blocks) // runs, (size - before_size) // runs
            if blocks < 1 and size < LEAST_BYTES:
                return None
        found = f"each run leaves {max(0, blocks)} blocks of Python and {max(0, size)} bytes of malloc behind"
        return Examined((), GIVEN_BACK, found, "memory is left behind")


class _Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks")
    ]
    _fields_ += [("keepcost", ctypes.c_size_t)]


def _allocated() -> tuple[int, int]:
    """Return Python's blocks and the bytes of malloc that are in use; 0 bytes where the C library does not say."""
    gc.collect()
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return sys.getallocatedblocks(), 0
    mallinfo.restype = _Mallinfo
    found = mallinfo()
    return sys.getallocatedblocks(), int(found.uordblks + found.hblkhd)


# ── A process that has ended ──────────────────────────────────────────────────────────────────────────────────────────


def _death(status: int, said: str, cpu_s: float) -> Examined:
    """Return the finding that the process ended with a wait status, and wrote this to standard error."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number in (signal.SIGPROF, signal.SIGALRM):
        is_busy = number == signal.SIGPROF
        found = f"it took more than {cpu_s:g} s of CPU time" if is_busy else f"no answer in {cpu_s * WALL_PER_CPU:g} s"
        return Examined((), ANSWERED, found, "hang")
    how = signal.Signals(number).name if number else f"exit status {os.WEXITSTATUS(status)}"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    summary = next((line for line in lines if line.startswith("SUMMARY: ") or "runtime error: " in line), "")
    why = summary or next((line for line in lines if "Error" in line or "error" in line), "")
    found = f"the process ended by {how}{f': {why}' if why else ''}"
    return Examined((), NOT_CRASHED, found, f"{how} {_without_place(summary)}".strip())


def _without_place(summary: str) -> str:
    """Return a sanitizer's summary without addresses: "AddressSanitizer: heap-buffer-overflow … in decode"."""
    words = (word for word in summary.removeprefix("SUMMARY: ").split() if not word.startswith(("0x", "/", "(")))
    return " ".join(words)


if __name__ == "__main__":
    main()
