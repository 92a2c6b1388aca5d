"""fakeredis as a subject: its commands as they are carried out, without its TCP server, which has a wire of its own.

fakeredis (extra `verify`) keeps statuses and errors apart from bulk strings until it decodes replies for redis-py. This
subject takes the replies before that.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

from loadgen.errors import TargetError
from loadgen.protocol import Wire
from loadgen.verify.reply import Error, NoReply, Null, Reply, Status
from loadgen.verify.step import Step
from loadgen.verify.subject.resp import encoded
from loadgen.verify.subject.subject import Capabilities, Restart

_VERSION = (7, 0)
"""The version of Redis that fakeredis is told to be: that of the model."""


class FakeredisSubject:
    """A fakeredis server in this process."""

    name = "fakeredis"
    wire = Wire.RESP
    capabilities = Capabilities(one_null=True)

    def __init__(self) -> None:
        """Raises TargetError when fakeredis is not installed, or is another than this subject knows."""
        try:
            self._library = import_module("fakeredis")
            self._helpers = import_module("fakeredis._helpers")
            self._sockets = import_module("fakeredis._socket._fakesocket")
        except ImportError as error:
            raise TargetError(f"fakeredis 2.41 is needed ({error}): pip install 'loadgen[verify]'.") from None
        self.identity = f"fakeredis {version('fakeredis')} as redis {'.'.join(map(str, _VERSION))}"
        self._restart()

    def _restart(self) -> None:
        self._server = self._library.FakeServer(version=_VERSION)
        self._connections: dict[int, Any] = {}

    def _connection(self, number: int) -> Any:
        if number not in self._connections:
            made = self._sockets.FakeSocket(self._server, 0, client_class=self._library.FakeRedis)
            made._decode_result = lambda result: result
            self._connections[number] = made
        return self._connections[number]

    def ask(self, steps: Sequence[Step]) -> list[Reply]:
        replies: list[Reply] = []
        for step in steps:
            connection = self._connection(step.connection)
            try:
                connection.sendall(encoded(step.command))
                replies.append(self._reply(connection.responses.get_nowait()))
            # Whatever a command of fakeredis raises is a finding about that command.
            except Exception as error:
                replies += [NoReply(f"it raised {type(error).__name__}: {error}")] * (len(steps) - len(replies))
                self._restart()
                break
            if step.wait_ms:
                time.sleep(step.wait_ms / 1000)
        return replies

    def reset(self, keys: Sequence[bytes]) -> None:
        self._restart()

    def restart(self, how: Restart) -> int:
        raise TargetError("fakeredis has no process to restart.")

    def _reply(self, raw: Any) -> Reply:
        if isinstance(raw, self._helpers.SimpleString):
            return Status(raw.value)
        if isinstance(raw, self._helpers.SimpleError):
            return Error(raw.value.encode())
        if isinstance(raw, list | tuple):
            return tuple(map(self._reply, raw))
        if raw is None:
            return Null.BULK
        return raw if isinstance(raw, bytes | int | float) else NoReply(f"it answered a {type(raw).__name__}")
