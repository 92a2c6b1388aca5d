"""A server as a subject, asked over connections of its own: RESP in pipelines, memcache one command at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from loadgen.errors import TargetError
from loadgen.escape import printable
from loadgen.faults.disk.crash import PowerCut
from loadgen.faults.fault import Fault, Layer
from loadgen.plan import Endpoint, Target, TlsPlan
from loadgen.protocol import Wire
from loadgen.target.server import ManagedServer, ServerError
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.identity import identify
from loadgen.verify.reply import Error, NoReply, Reply
from loadgen.verify.step import Command, Step
from loadgen.verify.subject import memcache, resp
from loadgen.verify.subject.subject import Capabilities, Restart

PATIENCE_S = 5.0
"""The longest time for a connection, and for the replies to one pipeline."""

_LONGEST_PIPELINE = 64
"""Commands that are sent before their replies are read: with small values, less than the sockets' buffers hold."""
_LONGEST_PIPELINE_BYTES = 32768

_STATEFUL = frozenset((b"MULTI", b"WATCH", b"GETS", b"GATS"))
"""Commands after which a connection is in another state than a fresh one."""

_UNBOUNDED = 1 << 62
"""A conversation goes on over all cases. The decoders bound each reply."""


class _Channel(Protocol):
    """One connection to a server."""

    def ask(self, steps: Sequence[Step]) -> Iterator[Reply]:
        """Yield the reply to each step, all on this connection.

        Raises NoAnswerError, and NotRespError or NotMemcacheError.
        """

    def close(self) -> None: ...


class _RespChannel:
    """RESP: all commands are sent before the replies are read."""

    def __init__(self, endpoint: Endpoint, tls: TlsPlan | None) -> None:
        self._conversation = Conversation(endpoint, PATIENCE_S, _UNBOUNDED, tls)
        self._conversation.__enter__()
        self._decoder = resp.Decoder()

    def ask(self, steps: Sequence[Step]) -> Iterator[Reply]:
        self._conversation.allow(PATIENCE_S)
        self._conversation.tell(b"".join(resp.encoded(step.command) for step in steps))
        for _ in steps:
            while (reply := self._decoder.reply()) is None:
                self._decoder.feed(self._conversation.hear())
            yield reply

    def close(self) -> None:
        self._conversation.__exit__(None, None, None)


class _MemcacheChannel:
    """memcache: the reply to each command is read before the next is sent, which may depend on it."""

    def __init__(self, endpoint: Endpoint, tls: TlsPlan | None) -> None:
        self._conversation = Conversation(endpoint, PATIENCE_S, _UNBOUNDED, tls)
        self._conversation.__enter__()
        self._talk = memcache.Talk()

    def ask(self, steps: Sequence[Step]) -> Iterator[Reply]:
        for step in steps:
            self._conversation.allow(PATIENCE_S)
            self._conversation.tell(self._talk.encoded(step.command))
            while (reply := self._talk.feed(self._conversation.hear())) is None:
                pass
            yield reply

    def close(self) -> None:
        self._conversation.__exit__(None, None, None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a server cannot be verified."""

    words: str
    """The rest of a sentence that begins with the server: "does not answer (Connection refused)"."""
    remedy: str
    """For who named the server."""


class ServerSubject:
    """A server at an address, or one that loadgen has started and can restart."""

    def __init__(
        self,
        name: str,
        target: Target,
        managed: ManagedServer | None = None,
        restarts: frozenset[Restart] = frozenset(),
    ) -> None:
        self.name = name
        self.wire = target.speaks.wire
        self.capabilities = Capabilities(restarts)
        self.identity = identify(target) or name
        self.target = target
        self._managed = managed
        self._is_over = False
        """True: the server did not start again. Its keeper has reported that end, and is of no further use."""
        self._channels: dict[int, _Channel] = {}
        self._used: set[int] = set()
        """The connections with a state that the next case must not see."""
        if managed is not None:
            managed.expect_end()

    def ask(self, steps: Sequence[Step]) -> list[Reply]:
        replies: list[Reply] = []
        self._used.update(step.connection for step in steps if step.command[0].upper() in _STATEFUL)
        try:
            for pipeline in _pipelines(steps):
                for reply in self._channel(pipeline[0].connection).ask(pipeline):
                    replies.append(reply)
                if pipeline[-1].wait_ms:
                    time.sleep(pipeline[-1].wait_ms / 1000)
        except NoAnswerError as error:
            self.close()
            replies += [NoReply(error.words)] * (len(steps) - len(replies))
        except (resp.NotRespError, memcache.NotMemcacheError) as error:
            self.close()
            replies += [NoReply(f"it answered {error}")] * (len(steps) - len(replies))
        return replies

    def reset(self, keys: Sequence[bytes]) -> None:
        for number in self._used & self._channels.keys():
            self._channels.pop(number).close()
        self._used.clear()
        if not (left := self._remove(keys)):
            return
        if self._managed is None:
            raise TargetError(f"{self.name} does not answer: {left}.")
        self._start_again(empty=True)
        if left := self._remove(keys):
            raise TargetError(f"{self.name} was started again, and does not answer: {left}.")

    def _remove(self, keys: Sequence[bytes]) -> str:
        """Remove keys; return why the server does not answer, or empty text."""
        commands: list[Command]
        commands = [(b"DEL", *keys)] if self.wire is Wire.RESP else [(b"delete", key) for key in keys]
        replies = self.ask([Step(command) for command in commands])
        return next((reply.words for reply in replies if isinstance(reply, NoReply)), "")

    def refusal(self) -> Refusal | None:
        """Return why the server cannot be verified; None when it answers."""
        question = (b"EXISTS", b"{loadgen}:a") if self.wire is Wire.RESP else (b"get", b"{loadgen}:a")
        try:
            [reply] = self._channel(0).ask([Step(question)])
        except NoAnswerError as error:
            return Refusal(f"does not answer ({error.words})", "start one there, or correct the address")
        except resp.NotRespError as error:
            return Refusal(
                f"does not speak RESP (it answered {error})", "name another, or a memcached as memcache://HOST:PORT"
            )
        except memcache.NotMemcacheError as error:
            return Refusal(
                f"does not speak memcache (it answered {error})", "name another, or one that speaks RESP as HOST:PORT"
            )
        if not isinstance(reply, Error):
            return None
        said = printable(reply.text.decode(errors="replace")).rstrip(".")
        asks = "asks for a password" if reply.text.startswith(b"NOAUTH") else "refuses what cases ask"
        return Refusal(f"{asks} ({said})", "name one that asks for no password and takes commands")

    def restart(self, how: Restart) -> int:
        assert self._managed is not None
        lost = 0
        if how is Restart.POWER_CUT:
            cut = PowerCut(self._managed, Fault("power_cut", Layer.DISK))
            lost = cut.bytes_lost
        self._start_again()
        if refusal := self.refusal():
            sentence = f"{self.name} was started again, and {refusal.words}."
            raise TargetError(f"{ServerError(sentence, self._managed.log_tail()).with_log()}.")
        return lost

    def _start_again(self, *, empty: bool = False) -> None:
        """Kill the managed server if it runs, and start it; with `empty`, without its data."""
        assert self._managed is not None
        self.close()
        if self._is_over:
            self._managed.stop()
            self._managed.__enter__()
            there = self._managed.endpoint
            self.target = replace(self.target, endpoints=(there,))
        else:
            self._is_over = True
            try:
                self._managed.restart(empty=empty)
            except ServerError as error:
                raise TargetError(f"{error.with_log()}.") from None
        self._is_over = False
        # A command that ends the server is a finding of its case, and no reason to give up.
        self._managed.expect_end()

    def close(self) -> None:
        """Close every connection."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    def _channel(self, number: int) -> _Channel:
        if number not in self._channels:
            [endpoint] = self.target.endpoints
            made = (_RespChannel if self.wire is Wire.RESP else _MemcacheChannel)(endpoint, self.target.tls)
            self._channels[number] = made
        return self._channels[number]


def _pipelines(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Return the steps in parts that can be sent at once: on one connection, and with a wait only at the end."""
    pipeline, size = list[Step](), 0
    for step in steps:
        length = sum(map(len, step.command))
        if pipeline and (
            pipeline[-1].wait_ms
            or pipeline[-1].connection != step.connection
            or len(pipeline) == _LONGEST_PIPELINE
            or size + length > _LONGEST_PIPELINE_BYTES
        ):
            yield pipeline
            pipeline, size = [], 0
        pipeline.append(step)
        size += length
    if pipeline:
        yield pipeline
