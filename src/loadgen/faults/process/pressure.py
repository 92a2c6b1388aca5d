"""A redis server that may take no more memory: its own limit (`maxmemory`), with nothing to be evicted."""

from __future__ import annotations

import re

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.protocol import Wire
from loadgen.target.server import ManagedServer
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.resp import Asker, ReplyKind

_PATIENCE_S = 5.0
_USED = re.compile(r"^used_memory:(\d+)", re.MULTILINE)
_REFUSED = re.compile(r"^errorstat_OOM:count=(\d+)", re.MULTILINE)


class MemoryPressure:
    """A server at its limit. It counts the writes that the server refused for want of memory."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        if server.plan.target.speaks.wire is not Wire.RESP:
            raise FaultError("the limit is one of redis' protocol.")
        self._server = server
        self._before = self._refused()
        used = _USED.search(self._asked(b"INFO", b"memory"))
        if used is None:
            raise FaultError(f"{server.name} does not say how much memory it uses.")
        self._asked(b"CONFIG", b"SET", b"maxmemory-policy", b"noeviction")
        self._asked(b"CONFIG", b"SET", b"maxmemory", b"%d" % (int(used[1]) + int(fault.parameters["spare"])))

    def effects(self) -> int:
        return self._refused() - self._before

    def end(self) -> None:
        self._asked(b"CONFIG", b"SET", b"maxmemory", b"0")

    def _refused(self) -> int:
        found = _REFUSED.search(self._asked(b"INFO", b"errorstats"))
        return int(found[1]) if found is not None else 0

    def _asked(self, *words: bytes) -> str:
        """Return what the server answers to a command. Raises FaultError."""
        command = b" ".join(words).decode()
        try:
            with Conversation(self._server.endpoint, _PATIENCE_S, tls=self._server.plan.target.tls) as conversation:
                reply = Asker(conversation).ask(*words)
        except NoAnswerError as error:
            raise FaultError(f"{self._server.name} did not answer {command}: {error.words}.") from None
        if reply.kind in (ReplyKind.ERROR, ReplyKind.GARBAGE):
            raise FaultError(f"{self._server.name} answered {command} with: {reply.text}.")
        return reply.said
