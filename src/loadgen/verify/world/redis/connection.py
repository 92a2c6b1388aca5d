"""One connection of a simulated Redis: RESP in both versions, transactions, and what is asked about the connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import hiredis

from loadgen.verify.model.failed import CommandError
from loadgen.verify.model.redis import COMMANDS, TRANSACTIONS
from loadgen.verify.reply import OK, QUEUED, Error, Null, Reply, Status
from loadgen.verify.step import Command
from loadgen.verify.world.redis.blocking import is_blocking, unblocked
from loadgen.verify.world.redis.resp import reply_bytes, third
from loadgen.verify.world.redis.server import MISCONF, RedisServer, Waiting

VERSION = b"7.0.15"
"""The version whose replies the model has."""


class Peer(Protocol):
    """The other side of a connection."""

    @property
    def host(self) -> str: ...

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class RedisConnection:
    """One connection of a client."""

    def __init__(self, server: RedisServer, peer: Peer) -> None:
        self.number = server.number()
        self.host = peer.host
        self.queued: list[Command] = []
        self._executed: list[Command] = []
        self._server = server
        self._peer = peer
        self._reader = hiredis.Reader()
        self._version = 2
        self._name = b""
        self._waits: Command | None = None
        self._backlog: list[Command] = []
        self._out: list[bytes] = []

    def received(self, data: bytes) -> None:
        """Carry out the commands that are complete, and send their replies."""
        self._reader.feed(data)
        try:
            while (command := self._reader.gets()) is not False:
                if not isinstance(command, list) or not all(isinstance(word, bytes) for word in command):
                    raise hiredis.ProtocolError
                if command:
                    self._backlog.append(tuple(command))
        except hiredis.ProtocolError:
            self._peer.send(b"-ERR Protocol error: expected an array of bulk strings\r\n")
            self._peer.close()
            return
        self._turn()

    def ended(self) -> None:
        """Note that the client is gone."""
        self._server.gone(self)

    def go_on(self, reply: Reply) -> None:
        """Answer the command that waited, and carry out those behind it."""
        assert self._waits is not None
        command, self._waits = self._waits, None
        self._answer(command, reply)
        self._turn()

    def _turn(self) -> None:
        while self._backlog and self._waits is None:
            command = self._backlog.pop(0)
            try:
                reply = self._carry_out(command)
            except CommandError as error:
                reply = Error(error.text)
            if reply is None:
                self._waits = command
            else:
                self._answer(command, reply)
        if self._server.file is not None and not self._server.file.write():
            self._server.end()
        elif self._out:
            out, self._out = b"".join(self._out), []
            self._peer.send(out)

    def _answer(self, command: Command, reply: Reply) -> None:
        self._server.tell(self, command, reply)
        self._out.append(reply_bytes(self._in_third(command, reply) if self._version == 3 else reply, self._version))

    def _in_third(self, command: Command, reply: Reply) -> Reply:
        if command[0].upper() == b"EXEC" and isinstance(reply, tuple):
            return tuple(third(each, part) for each, part in zip(self._executed, reply, strict=True))
        return third(command, reply)

    def _carry_out(self, command: Command) -> Reply | None:
        """Return the reply to a command; None when it waits."""
        name = command[0].upper()
        if is_blocking(command):
            return self._wait(command)
        if name in COMMANDS or name in TRANSACTIONS:
            reply = self._server.ask(self, command)
            if reply is QUEUED:
                self.queued.append(command)
            elif name in (b"EXEC", b"DISCARD"):
                self._executed, self.queued = self.queued, []
            return reply
        if name in (b"EVAL", b"EVALSHA", b"SCRIPT"):
            return self._server.script(self, command)
        return self._about_connection(name, command)

    def _wait(self, command: Command) -> Reply | None:
        tries, wait_ns, nothing = unblocked(self._server.from_now(command))
        reply = self._server.tried(self, tries)
        if reply is None:
            self._server.wait(Waiting(self, tries, nothing), wait_ns)
        return reply

    def _about_connection(self, name: bytes, command: Command) -> Reply:
        match [name, *command[1:]]:
            case [b"PING"]:
                return MISCONF if self._server.refuses_writes else Status(b"PONG")
            case [b"PING" | b"ECHO", text]:
                return text
            case [b"HELLO", *words]:
                return self._hello(words)
            case [b"CLIENT", sub, *words]:
                return self._client(sub.upper(), words)
            case [b"SELECT", number]:
                return OK if number == b"0" else Error(b"ERR DB index is out of range")
            case [b"AUTH", *_]:
                return Error(b"ERR AUTH <password> called without any password configured for the default user.")
            case [b"DBSIZE"]:
                return self._server.keys()
            case [b"FLUSHALL" | b"FLUSHDB", *_]:
                return self._server.flush()
            case [b"INFO", *_]:
                return b"# Server\r\nredis_version:%b\r\nredis_mode:standalone\r\nrole:master\r\n" % VERSION
            case [b"COMMAND", *_]:
                return ()
        return self._server.ask(self, command)

    def _hello(self, words: Sequence[bytes]) -> Reply:
        if words and words[0] not in (b"2", b"3"):
            return Error(b"NOPROTO unsupported protocol version")
        if any(word.upper() == b"AUTH" for word in words):
            return Error(b"WRONGPASS invalid username-password pair or user is disabled.")
        if words:
            self._version = int(words[0])
        return (
            *(b"server", b"redis", b"version", VERSION, b"proto", self._version, b"id", self.number),
            *(b"mode", b"standalone", b"role", b"master", b"modules", ()),
        )

    def _client(self, sub: bytes, words: Sequence[bytes]) -> Reply:
        match sub:
            case b"ID":
                return self.number
            case b"SETNAME":
                self._name = words[0] if words else b""
                return OK
            case b"GETNAME":
                return self._name or Null.BULK
            case b"SETINFO" | b"NO-EVICT" | b"NO-TOUCH":
                return OK
        return Error(b"ERR unknown subcommand '%b'. Try CLIENT HELP." % sub)
