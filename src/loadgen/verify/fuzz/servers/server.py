"""A server that is given bytes, each input on a connection of its own, and what must hold of it afterwards.

The sender ends its side of the connection behind the input, so a server that waits for more closes it as well. A server
that has ended is a finding about the input, and is started again before the next one.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from resource import getpagesize

from loadgen.protocol import Wire
from loadgen.target.server import ManagedServer
from loadgen.target.talk.conversation import connected
from loadgen.verify.fuzz.examined import Examined
from loadgen.verify.reply import Error, Reply
from loadgen.verify.subject.resp import Decoder, NotRespError

PATIENCE_S = 10.0
"""The longest time until the server has closed the connection: commands on small values take microseconds."""

MOST_GROWTH_BYTES = 256 << 20
"""The most resident memory that one input may take."""

MOST_ANSWER_BYTES = 64 << 20

LIVES = "no input ends the server"
ANSWERS = "an input is answered, and the connection closed, in a bounded time"
SPEAKS = "what the server answers is of its protocol"
BOUNDED = f"an input takes no more than {MOST_GROWTH_BYTES >> 20} MiB of memory"

_EMPTY = {Wire.RESP: b"FLUSHALL\r\n", Wire.MEMCACHE: b"flush_all\r\n"}
_ASK = {Wire.RESP: b"PING\r\n", Wire.MEMCACHE: b"version\r\n"}

_END_S = 1.0
"""The longest time until the end of a process is known, after its connections have ended."""


class FuzzedServer:
    """A managed server, which is up."""

    def __init__(self, server: ManagedServer, wire: Wire) -> None:
        self._server = server
        self._wire = wire
        self._witness: socket.socket | None = None
        """A connection of its own, which ends with the server only."""
        server.expect_end()

    def close(self) -> None:
        """Close the connection; the server runs on."""
        if self._witness is not None:
            self._witness.close()
            self._witness = None

    def examined(self, data: bytes, judge: Callable[[bytes], Examined]) -> Examined:
        """Give bytes to the server, without its data of earlier inputs, and return what `judge` says of the answer.

        A server that ended, hung or took too much memory is the finding instead. Raises TargetError when the server
        does not start again.
        """
        if not self._asked(_EMPTY[self._wire]):
            self._start_again()
        before = self._resident()
        answer, silence = self._answer(data)
        if not self._asked(_ASK[self._wire]):
            return self._end(silence)
        if silence:
            # What still runs would be charged to the next input.
            self._start_again()
            return Examined((), ANSWERS, silence, "hang")
        if (grown := self._resident() - before) > MOST_GROWTH_BYTES:
            self._start_again()
            return Examined((), BOUNDED, f"it took {grown >> 20} MiB", "memory")
        return judge(answer)

    def _start_again(self) -> None:
        self.close()
        self._server.restart(empty=True)
        self._server.expect_end()

    def _asked(self, line: bytes) -> bool:
        """Ask the server on the connection that is kept; False when there is no answer."""
        try:
            if self._witness is None:
                self._witness = connected(self._server.endpoint, PATIENCE_S)
            self._witness.sendall(line)
            return bool(self._witness.recv(4096))
        except OSError:
            return False

    def _end(self, silence: str) -> Examined:
        """Return the finding that the server does not answer any more, and start it again."""
        until_s = time.monotonic() + _END_S
        while not (ended := self._server.has_ended()) and time.monotonic() < until_s:
            time.sleep(0.01)
        log = self._server.log_tail()
        why = next((line.strip() for cause in _CAUSES for line in log if cause in line.lower()), "")
        self._start_again()
        if not ended:
            return Examined((), ANSWERS, silence or "it answers no other connection", "hang")
        return Examined((), LIVES, f"{self._server.name} has ended{f': {why}' if why else ''}", "it ends")

    def _answer(self, data: bytes) -> tuple[bytes, str]:
        """Return all that the server answers until it closes the connection, and why it did not close it."""
        answer = bytearray()
        try:
            with connected(self._server.endpoint, PATIENCE_S) as connection:
                # A server that refuses the first bytes may close the connection before it has the rest.
                with contextlib.suppress(ConnectionError):
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    while len(answer) <= MOST_ANSWER_BYTES and (heard := connection.recv(1 << 16)):
                        answer += heard
        except TimeoutError:
            return bytes(answer), f"the connection was open after {PATIENCE_S:g} s"
        except OSError as error:
            return bytes(answer), f"the server takes no connection: {error.strerror or error}"
        if len(answer) > MOST_ANSWER_BYTES:
            return bytes(answer), f"it answered more than {MOST_ANSWER_BYTES >> 20} MiB"
        return bytes(answer), ""

    def _resident(self) -> int:
        """Return the bytes of resident memory of the server; 0 where the system does not say."""
        try:
            return int(Path(f"/proc/{self._server.pid}/statm").read_text().split()[1]) * getpagesize()
        except (OSError, IndexError):
            return 0


_CAUSES = ("crashed by signal", "assertion failed", "guru meditation", "panic", "out of memory", "error", "traceback")
"""Words of the line of a log that says why a server ended, those that say most first."""


def replies(answer: bytes) -> list[Reply]:
    """Return the replies of RESP in an answer; the last may be cut off, as the connection was closed.

    Raises NotRespError.
    """
    decoder = Decoder()
    decoder.feed(answer)
    found = []
    while (reply := decoder.reply()) is not None:
        found.append(reply)
    return found


def spoken(answer: bytes) -> Examined | list[Reply]:
    """Return the replies of RESP in an answer, or the finding that it is no RESP."""
    try:
        return replies(answer)
    except NotRespError as error:
        return Examined((), SPEAKS, f"{error} in {answer[-60:]!r}", "it is no RESP")


def has_error(found: list[Reply]) -> bool:
    return any(isinstance(reply, Error) for reply in found)
