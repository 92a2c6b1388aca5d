"""Servers that are killed, with damage to their files, and started again at the end of the fault."""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path

from loadgen.faults.disk.files import cut_back, files, flip, tear
from loadgen.faults.disk.notes import Notes, Number
from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.protocol import Wire
from loadgen.target.server import ManagedServer
from loadgen.target.talk.conversation import connected


class Crash(ABC):
    """A server that is down, and whose files are damaged."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        if server.has_ended():
            raise FaultError("the server is down.")
        self._server = server
        self._effects = self._damage(fault)

    @abstractmethod
    def _damage(self, fault: Fault) -> int:
        """Kill the server and damage its files; return the number of effects."""

    def effects(self) -> int:
        return self._effects

    def end(self) -> None:
        if self._server.has_ended():
            self._server.restart()


class PowerCut(Crash):
    """A server whose files have lost what was not yet durable. It counts the files that were held to their last fsync.

    Where every write was durable before the cut, nothing is lost: `bytes_lost` is 0.
    """

    bytes_lost = 0
    """The bytes that were written and not durable, over all files."""

    def _damage(self, fault: Fault) -> int:
        notes = Notes.of(self._server)
        if not notes[Number.WRITES]:
            raise FaultError(f"{self._server.name} has written nothing that the library could see.")
        self._server.kill()
        held, self.bytes_lost = cut_back(files(self._server.data), notes.durable())
        return held


class TornTail(Crash):
    """A server whose newest file has lost its last bytes. It counts the bytes."""

    def _damage(self, fault: Fault) -> int:
        self._server.kill()
        return tear(_newest(self._server), int(fault.parameters["bytes"]))


class BitFlip(Crash):
    """A server of whose newest file one bit has changed. It counts the bits."""

    def _damage(self, fault: Fault) -> int:
        self._server.kill()
        flip(_newest(self._server), fault.seed)
        return 1


class CrashMidWrite(Crash):
    """A server that was killed while it had commands of a pipeline of writes before it. It counts the processes.

    The server is stopped in the middle of the pipeline, and killed if it has answered some of the writes and not all.
    """

    def _damage(self, fault: Fault) -> int:
        if self._server.plan.target.speaks.wire is not Wire.RESP:
            raise FaultError("the pipeline of writes is one of redis' protocol.")
        with connected(self._server.endpoint, _PIPELINE_TIMEOUT_S) as connection:
            pipeline = _Pipeline(connection)
            while True:
                pipeline.send()
                self._server.pause()
                if pipeline.is_open():
                    self._server.kill()
                    return 1
                self._server.resume()


_PIPELINE_TIMEOUT_S = 10.0
_SET = b"*3\r\n$3\r\nSET\r\n$16\r\nloadgen:crash:%02d\r\n$64\r\n" + b"x" * 64 + b"\r\n"
_BATCH = b"".join(_SET % number for number in range(100))
_LEAST_ANSWERED = 200


class _Pipeline:
    """Writes that are sent without waiting for their replies."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sent = self._answered = 0
        """Bytes that were sent, and replies that came."""
        self._deadline = time.monotonic() + _PIPELINE_TIMEOUT_S
        connection.setblocking(False)

    def send(self) -> None:
        """Send writes until 200 more are answered. Raises FaultError when the server takes or answers none."""
        least = self._answered + _LEAST_ANSWERED
        while self._answered < least:
            if time.monotonic() >= self._deadline:
                raise FaultError(
                    f"the server has not been found in the middle of writes for {_PIPELINE_TIMEOUT_S:g} s."
                )
            try:
                self._sent += self._connection.send(_BATCH[self._sent % len(_BATCH) :])
            except BlockingIOError:
                pass
            except OSError as error:
                raise FaultError(f"the server takes no writes ({error}).") from None
            self._receive()

    def is_open(self) -> bool:
        """Take all replies that are there; return True when some of the writes have none."""
        while self._receive():
            pass
        return self._answered < self._sent // (len(_BATCH) // 100)

    def _receive(self) -> int:
        """Return the number of replies that had come."""
        try:
            came = self._connection.recv(65536).count(b"\n")
        except BlockingIOError:
            came = 0
        self._answered += came
        return came


def _newest(server: ManagedServer) -> Path:
    """Return the file that a server wrote last, but for its log. Raises FaultError when there is none with a byte."""
    given = {name for name, _ in server.plan.files}
    written = (path for path in files(server.data, given) if path != server.log_path)
    found = [path for path in written if path.stat().st_size]
    if not found:
        raise FaultError(f"{server.name} has written no file.")
    return found[0]
