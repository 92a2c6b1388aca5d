"""The process of a target, as seen by who gives it inputs. An input that ends it is answered like any other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from loadgen.errors import TargetError
from loadgen.verify.fuzz.child import HEADER
from loadgen.verify.fuzz.examined import Examined

CPU_S = 2.0
"""The most CPU time of one input: a target takes milliseconds, and some times more under a sanitizer."""


class TargetProcess:
    """A process that gives inputs to one target, which "MODULE:FUNCTION" names. For use by one thread."""

    def __init__(self, target: str, cpu_s: float = CPU_S) -> None:
        """`cpu_s` is the most CPU time that one input may take."""
        self._target = target
        self._cpu_s = cpu_s
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, words: Sequence[str], data: bytes, looks: bool = False) -> Examined:
        """Give an input to the target, and return what came of it. With `looks`, look whether it leaves memory behind.

        Raises TargetError when the target cannot be started.
        """
        process, self._process = self._process or self._started(), None
        said = json.dumps([*words]).encode()
        try:
            _piped(process.stdin).write(HEADER.pack(len(said), len(data), looks) + said + data)
            _piped(process.stdin).flush()
            found = _examined(self._line(process))
        except OSError:
            raise self._gone(process) from None
        except BaseException:
            # An answer that is not read, because of an interrupt, is no answer to the next input.
            _end(process)
            raise
        self._process = process
        return found

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        # The target may be where this process imports from, and not the installed package.
        path = os.pathsep.join(filter(None, sys.path))
        command = [sys.executable, "-m", "loadgen.verify.fuzz.child", self._target, str(self._cpu_s)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            # Ctrl-C is for the campaign, which then ends this process.
            start_new_session=True,
        )
        try:
            self._line(process)
        except BaseException:
            _end(process)
            raise
        return process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        """Return the next answer. Raises TargetError at the end of all answers."""
        line = _piped(process.stdout).readline()
        if not line.endswith(b"\n"):
            raise self._gone(process)
        return line

    def _gone(self, process: subprocess.Popen[bytes]) -> TargetError:
        _end(process)
        return TargetError(f"The process of {self._target} has ended with exit status {process.returncode}.")


def _piped(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _examined(line: bytes) -> Examined:
    fields = json.loads(line)
    return Examined(**{**fields, "states": tuple(fields["states"])})


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and the one that it has forked, which are a group. May be called again."""
    if _piped(process.stdin).closed:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            _piped(stream).close()
